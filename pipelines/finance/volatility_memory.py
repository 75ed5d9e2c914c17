"""What a bundle keeps so that its network can learn on: the weights, and how sensitive it is to each of them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from core.errors import InputError
from core.train.continual import fisher_information
from core.train.loop import Losses
from pipelines.finance.volatility_days import Days, Ints
from pipelines.finance.volatility_net import DayLoss, VolatilityNet, VolatilityOptions

FILE = "learning.safetensors"
MICRO = 8  # days of a micro-batch of the sensitivity
_OPTIONS = "options"


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """A network that can learn on, with its sensitivity (core.train.continual)."""

    net: VolatilityNet
    options: VolatilityOptions
    fisher: Mapping[str, Tensor]


def sensitivity(net: VolatilityNet, days: Days, day_D: Ints) -> dict[str, Tensor]:
    """Return the empirical Fisher information of the network on some days; the likelihood is that of normal returns."""
    loss = DayLoss(days, MICRO, 0)

    def halved(model: nn.Module, part_D: Ints) -> Losses:
        return Losses(0.5 * loss(model, part_D).total)  # log h + target / h is twice the negative log-likelihood

    parts = [day_D[at : at + MICRO] for at in range(0, len(day_D), MICRO)]
    return fisher_information(net, parts, halved, len)


def pack(knowledge: Knowledge) -> bytes:
    """Return everything as one safetensors file; the options are JSON in bytes."""
    options = json.dumps(asdict(knowledge.options), sort_keys=True).encode()
    tensors = {f"weight.{name}": tensor.contiguous() for name, tensor in knowledge.net.state_dict().items()}
    tensors |= {f"fisher.{name}": tensor.contiguous() for name, tensor in knowledge.fisher.items()}
    return bytes(save(tensors | {_OPTIONS: torch.from_numpy(np.frombuffer(options, dtype=np.uint8).copy())}))


def unpack(content: bytes) -> Knowledge:
    """Read what `pack` wrote. InputError where it is none."""
    try:
        tensors = load(content)
        options: dict[str, Any] = json.loads(bytes(tensors.pop(_OPTIONS).numpy()))
        shape = VolatilityOptions(**options)
        net = VolatilityNet(shape)
        net.load_state_dict(_under("weight.", tensors))
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        words = f"{FILE} of the bundle cannot be read: {error}"
        raise InputError(f"{words}; train the model anew", code="BAD_BUNDLE") from error
    return Knowledge(net=net.eval(), options=shape, fisher=_under("fisher.", tensors))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

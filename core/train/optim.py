"""Optimizer, learning rate over the steps, and the moving average of the weights."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.99)  # a shorter memory of squares than the usual 0.999: runs here have hundreds of steps, not millions


def make_optimizer(
    model: nn.Module, *, lr: float, weight_decay: float, lr_scale: Callable[[str], float] | None = None
) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov and Hutter 2019) over the parameters that train.

    Matrices decay; biases and norms (one dimension) do not. `lr_scale` gives a factor by parameter name, so that a
    pretrained trunk may move slower than a new head; factor 0 freezes. Each group keeps its own rate in `base_lr`.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        scale = 1.0 if lr_scale is None else lr_scale(name)
        if parameter.requires_grad and scale > 0:
            groups.setdefault((lr * scale, weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    if not groups:
        raise ValueError("a model must have at least one parameter that trains, got none")
    listed = [
        {"params": params, "lr": rate, "base_lr": rate, "weight_decay": decay}
        for (rate, decay), params in groups.items()
    ]
    return torch.optim.AdamW(listed, betas=BETAS)


def lr_factor(step: int, *, steps: int, warmup: float, final: float) -> float:
    """Return the factor of the learning rate at `step`: linear up over the share `warmup`, then a cosine to `final`.

    >>> [round(lr_factor(step, steps=10, warmup=0.2, final=0.1), 3) for step in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.134]
    """
    rising = round(steps * warmup)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))


def set_lr(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group to its base rate times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor


class WeightAverage:
    """Exponential moving average of weights and running statistics; counters are copied (Polyak and Juditsky 1992)."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model. Early steps weigh more, so that the start is soon forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.tensors[name].lerp_(tensor, 1 - decay)
            else:
                self.tensors[name].copy_(tensor)


@contextmanager
def weights_of(model: nn.Module, tensors: Mapping[str, Tensor] | None) -> Iterator[None]:
    """Let the model carry other weights for a while (its own where None)."""
    if tensors is None:
        yield
        return
    own = copy_of(model.state_dict())
    model.load_state_dict(tensors)
    try:
        yield
    finally:
        model.load_state_dict(own)


def copy_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with memory of their own."""
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}

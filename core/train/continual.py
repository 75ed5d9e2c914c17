"""Learning on: a trained model takes up new data without losing what it knew. Knows no domain.

How much each number of a model matters to what it learned is its empirical Fisher information, the mean over rows of
the squared gradient of the log-likelihood of the row as it came (Kirkpatrick et al. 2017, arXiv 1612.00796). Over
many updates it is kept in one memory that fades, F <- decay * F + F_new (online EWC, Schwarz et al. 2018, arXiv
1805.06370, equation 9). Elastic freezing ranks all numbers of all parameters by it, single elements of single experts
too, and trains a share of them only; the frozen ones keep their bits through rate, decay, momentum and average.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from core.errors import GateError, InputError
from core.train.loop import Progress, train
from core.train.options import Losses, TrainOptions, TrainReport

T = TypeVar("T")
Frozen = Literal["least", "most"]


@dataclass(frozen=True, kw_only=True)
class ElasticOptions:
    """How a model learns on."""

    share: float = 0.9  # of all numbers of the model that stay as they are
    frozen: Frozen = "least"  # which: the least sensitive (the most sensitive learn), or the most sensitive
    decay: float = 0.9  # of the remembered sensitivity at each update
    strength: float = 0.0  # of the quadratic penalty on moving what matters; 0: none

    def __post_init__(self) -> None:
        for name, most in {"share": 1.0, "decay": 1.0, "strength": math.inf}.items():
            if not 0 <= getattr(self, name) <= most:
                raise InputError(f"{name} must lie in 0..{most:g}, got {getattr(self, name)}", code="BAD_OPTION")
        if self.frozen not in ("least", "most"):
            raise InputError(f"frozen must be least or most, got {self.frozen!r}", code="BAD_OPTION")


def fisher_information(
    model: nn.Module,
    batches: Iterable[T],
    step_loss: Callable[[nn.Module, T], Losses],
    rows: Callable[[T], int],
) -> dict[str, Tensor]:
    """Return the empirical Fisher information of every number that can train, by parameter name.

    `step_loss` gives the mean negative log-likelihood of a micro-batch of `rows(batch)` rows; the model is in
    evaluation mode. With g the gradient of that mean over n rows, the sum over micro-batches of (n g)^2, over all rows,
    is returned: with micro-batches of one row exactly the mean of squared gradients, with larger ones about
    (n - 1) times the squared mean gradient more, which is near 0 where the model has converged. Gradients of the
    parameters are left as they were. InputError where there is no row or a gradient is not finite.
    """
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    sums = {name: torch.zeros_like(parameter, dtype=torch.float32) for name, parameter in named.items()}
    total, was_training = 0, model.training
    model.eval()
    try:
        for batch in batches:
            size = rows(batch)
            loss = step_loss(model, batch).total
            gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
            for name, gradient in zip(named, gradients, strict=True):
                if gradient is not None:
                    sums[name] += (gradient.float() * size).square()
            total += size
    finally:
        model.train(was_training)
    if total == 0:
        raise InputError("the sensitivity of a model needs at least one row, got none", code="NO_DATA")
    found = {name: squares / total for name, squares in sums.items()}
    for name, values in found.items():
        if not bool(values.isfinite().all()):
            raise InputError(f"the gradient of {name} is not finite; look for odd values in the data", code="NO_DATA")
    return found


def remembered(memory: Mapping[str, Tensor] | None, found: Mapping[str, Tensor], decay: float) -> dict[str, Tensor]:
    """Return the memory after one more update: decay * memory + found; without a memory, what was found."""
    if memory is None:
        return dict(found)
    _check_names(memory, found, "remembered sensitivity")
    return {name: decay * memory[name] + values for name, values in found.items()}


def choose_frozen(fisher: Mapping[str, Tensor], share: float, frozen: Frozen = "least") -> dict[str, Tensor]:
    """Return masks (True: stays) of round(share * N) numbers of the N in all parameters together.

    The least sensitive stay, or with "most" the most sensitive. Equal ones are frozen in the order of the parameters.

    >>> masks = choose_frozen({"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([[1.0], [2.0]])}, 0.5)
    >>> masks["a"].tolist(), masks["b"].tolist()
    ([False, True], [[True], [False]])
    """
    ElasticOptions(share=share, frozen=frozen)
    if not fisher:
        raise InputError("a sensitivity of at least one parameter is needed, got none", code="NO_DATA")
    values_N = torch.cat([values.detach().flatten().cpu() for values in fisher.values()])
    order_N = values_N.argsort(stable=True, descending=frozen == "most")
    frozen_N = torch.zeros(len(values_N), dtype=torch.bool)
    frozen_N[order_N[: round(share * len(values_N))]] = True
    masks, at = {}, 0
    for name, values in fisher.items():
        masks[name] = frozen_N[at : at + values.numel()].reshape(values.shape).to(values.device)
        at += values.numel()
    return masks


class ElasticFreeze:
    """A constraint of `core.train.loop.train`: numbers under a mask keep their bits, the others learn.

    Their gradients are 0 before the norm is taken, so they have no momentum, and after every step they are set again,
    so weight decay does not move them. Parameters without a mask learn wholly. Running statistics and the balance bias
    of experts are no parameters; they are held too, unless `buffers` is False. Make it before the run, on the device.
    """

    def __init__(self, model: nn.Module, masks: Mapping[str, Tensor], *, buffers: bool = True) -> None:
        named = dict(model.named_parameters())
        _check_names({name: named[name] for name in masks if name in named}, masks, "model's parameters")
        self._held = [(named[name], mask.to(named[name].device)) for name, mask in masks.items() if bool(mask.any())]
        self._values = [parameter.detach().clone() for parameter, _ in self._held]
        self._buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()] if buffers else []
        self.identity = self._digest(masks)

    @torch.no_grad()
    def on_gradients(self) -> None:
        """Take the gradient of what is frozen away."""
        for parameter, mask in self._held:
            if parameter.grad is not None:
                parameter.grad.masked_fill_(mask, 0.0)

    @torch.no_grad()
    def on_weights(self) -> None:
        """Give what is frozen its value again."""
        for (parameter, mask), value in zip(self._held, self._values, strict=True):
            parameter.copy_(torch.where(mask, value, parameter))
        for buffer, value in self._buffers:
            buffer.copy_(value)

    def _digest(self, masks: Mapping[str, Tensor]) -> str:
        sums = hashlib.sha256()
        for name, mask in masks.items():
            sums.update(name.encode() + mask.cpu().contiguous().numpy().tobytes())
        for value in [*self._values, *(value for _, value in self._buffers)]:
            sums.update(value.cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        return sums.hexdigest()


class Anchor:
    """The quadratic penalty strength / 2 * sum of F * (weight - anchor)^2: what matters moves least (EWC).

    The anchor is where the model stands when this is made.
    """

    def __init__(self, model: nn.Module, fisher: Mapping[str, Tensor], strength: float) -> None:
        named = dict(model.named_parameters())
        _check_names({name: named[name] for name in fisher if name in named}, fisher, "model's parameters")
        self.strength = strength
        self._parts = [(named[name], values, named[name].detach().clone()) for name, values in fisher.items()]

    def penalty(self) -> Tensor:
        """Return the penalty as a scalar with a gradient."""
        terms = [(values * (parameter - value).square()).sum() for parameter, values, value in self._parts]
        return 0.5 * self.strength * torch.stack(terms).sum()

    def on(self, step_loss: Callable[[nn.Module, T], Losses]) -> Callable[[nn.Module, T], Losses]:
        """Return the loss with the penalty added."""

        def with_penalty(model: nn.Module, batch: T) -> Losses:
            losses, penalty = step_loss(model, batch), self.penalty()
            return Losses(losses.total + penalty, {**losses.parts, "anchor": penalty})

        return with_penalty


def learn_on(
    model: nn.Module,
    memory: Mapping[str, Tensor],
    batches_for_epoch: Callable[[int], Iterable[T]],
    step_loss: Callable[[nn.Module, T], Losses],
    options: TrainOptions,
    elastic: ElasticOptions,
    folder: Path | None = None,
    progress: Progress | None = None,
    *,
    origin: str = "",
) -> TrainReport:
    """Train a trained model on new data, as `train`, with what `elastic` says of the remembered sensitivity."""
    freeze = ElasticFreeze(model, choose_frozen(memory, elastic.share, elastic.frozen))
    loss, name = step_loss, origin
    if elastic.strength:
        loss = Anchor(model, memory, elastic.strength).on(step_loss)
        name = f"{origin}, strength {elastic.strength!r}"
    return train(model, batches_for_epoch, loss, options, folder, progress, origin=name, constraint=freeze)


def check_forgetting(before: Mapping[str, float], after: Mapping[str, float], limit: float) -> None:
    """Refuse an update that forgot: GateError where the loss on a reference set grew by more than `limit`.

    `before` and `after` are mean losses by the name of the set, in the same units as `limit`. NaN counts as forgotten.

    >>> check_forgetting({"crisis": 0.5}, {"crisis": 0.502}, 0.01)
    """
    for name, loss in before.items():
        grown = after[name] - loss
        if not grown <= limit:
            words = (
                f"the loss on {name} grew by {grown:.4g}, from {loss:.4g} to {after[name]:.4g}; allowed are {limit:g}"
            )
            raise GateError(f"{words}; nothing was changed: update with less, or allow more", code="FORGOTTEN")


def _check_names(mine: Mapping[str, Tensor], given: Mapping[str, Tensor], what: str) -> None:
    """Refuse tensors of other names or shapes."""
    if unknown := sorted(mine.keys() ^ given.keys()):
        raise InputError(
            f"the {what} and what was given differ in {unknown[0]}; it is another model", code="OTHER_MODEL"
        )
    for name, tensor in given.items():
        if mine[name].shape != tensor.shape:
            words = f"{name} has the shape {list(mine[name].shape)} in the {what}, got {list(tensor.shape)}"
            raise InputError(f"{words}; it is another model", code="OTHER_MODEL")

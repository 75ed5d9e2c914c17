"""The training loop of every torch model: steps, learning rate, average, evaluation, checkpoints.

A run that is killed at any step goes on from its folder and ends with the weights of a run that was not. For that,
torch's random numbers start anew at every step from (seed, step), and `batches_for_epoch(epoch)` must give the same
batches whenever it is asked for the same epoch: it may draw from torch's random numbers while it makes a batch, or
from a generator that it seeds by the epoch, and from nothing else.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import AssayError, InputError
from core.train.checkpoint import (
    Checkpoint,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
    sole_owner,
)
from core.train.memory import freed_memory_kept
from core.train.optim import WeightAverage, copy_of, lr_factor, make_optimizer, set_lr, weights_of
from core.train.options import Constraint, Losses, TrainOptions, TrainReport
from core.train.origin import difference, run_origin
from core.train.precision import autocast, resolve_precision

__all__ = ["Constraint", "Losses", "TrainOptions", "TrainReport", "train"]

T = TypeVar("T")
Progress = Callable[[float, str], None]
MOST_SKIPPED = 10  # steps in a row whose gradient was not finite; then the run is given up
LOG_EVERY = 10  # steps between two entries of the history


@dataclass
class _State:
    """What a checkpoint must remember besides tensors."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # done in this epoch
    skipped: int = 0
    skipped_in_a_row: int = 0
    best: float | None = None
    best_step: int | None = None
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)


def train(
    model: nn.Module,
    batches_for_epoch: Callable[[int], Iterable[T]],
    step_loss: Callable[[nn.Module, T], Losses],
    options: TrainOptions,
    folder: Path | None = None,
    progress: Progress | None = None,
    evaluate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    *,
    lr_scale: Callable[[str], float] | None = None,
    origin: str = "",
    constraint: Constraint | None = None,
) -> TrainReport:
    """Train `model` in place; afterwards it is in evaluation mode and carries the final weights.

    With a folder the run leaves checkpoints there and takes up an earlier run of the same options, model and `origin`
    (name it after the data: its hash); another run in the folder is InputError. `progress` gets the share done and
    words; `evaluate` gets the model in evaluation mode without gradients and returns finite numbers. `lr_scale` gives
    a factor of the rate by parameter name. `constraint` holds the weights to something at every step; it is part of
    what the run is. A loss that is not finite is AssayError.
    """
    started = time.monotonic()
    run = _Run(model, step_loss, options, folder, progress, evaluate, lr_scale, origin, constraint)
    devices = [torch.cuda.current_device()] if run.device.type == "cuda" else []
    owned = sole_owner(folder) if folder else nullcontext()
    with owned, torch.random.fork_rng(devices=devices), freed_memory_kept():
        resumed_at, notes = run.restore()
        while run.state.step < options.steps and not run.stale():
            run.epoch(batches_for_epoch)
        run.finish()
    state = run.state
    return TrainReport(
        steps=state.step,
        epochs=state.epoch + (state.batch > 0),
        resumed_at=resumed_at,
        seconds=time.monotonic() - started,
        precision=run.precision,
        history=tuple(state.history),
        evaluations=tuple(state.evaluations),
        best_step=state.best_step,
        skipped=state.skipped,
        notes=notes,
    )


class _Run(Generic[T]):
    """One run: the model with everything that changes beside it."""

    def __init__(
        self,
        model: nn.Module,
        step_loss: Callable[[nn.Module, T], Losses],
        options: TrainOptions,
        folder: Path | None,
        progress: Progress | None,
        evaluate: Callable[[nn.Module], Mapping[str, float]] | None,
        lr_scale: Callable[[str], float] | None,
        origin: str,
        constraint: Constraint | None,
    ) -> None:
        self.model, self.step_loss, self.options, self.folder = model, step_loss, options, folder
        self.progress, self.evaluate = progress or (lambda share, words: None), evaluate
        self.device = next(model.parameters()).device
        self.precision = resolve_precision(options.precision, self.device)
        self.optimizer = make_optimizer(model, lr=options.lr, weight_decay=options.weight_decay, lr_scale=lr_scale)
        self.trained = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        self.average = WeightAverage(model, options.ema) if options.ema else None
        self.best: dict[str, Tensor] = {}
        self.state = _State()
        self.constraint = constraint
        self.origin = run_origin(model, options, self.precision, origin, constraint)
        self.saved_at = time.monotonic()
        if options.best is not None and evaluate is None:
            raise InputError(f"best={options.best!r} needs `evaluate`", code="BAD_OPTION")
        if options.patience and options.best is None:
            raise InputError("patience needs `best`, the metric that must gain", code="BAD_OPTION")

    def epoch(self, batches_for_epoch: Callable[[int], Iterable[T]]) -> None:
        """Run what is left of the current epoch."""
        self.model.train()
        for batch in self._rest(iter(batches_for_epoch(self.state.epoch))):
            self._step(batch)
            every = self.options.evaluate_every
            if every and self.state.step % every == 0:
                self._evaluate()
            self._save_if_due()
            if self.state.step == self.options.steps or self.stale():
                return
        if self.state.batch == 0:
            raise InputError(f"epoch {self.state.epoch} has no batch; at least one is needed", code="NO_DATA")
        self.state.epoch, self.state.batch = self.state.epoch + 1, 0
        if not self.options.evaluate_every:
            self._evaluate()

    def stale(self) -> bool:
        """Tell whether `patience` evaluations in a row brought no gain: early stopping."""
        since = sum(found["step"] > (self.state.best_step or 0) for found in self.state.evaluations)
        return 0 < self.options.patience <= since and self.state.best_step is not None

    def finish(self) -> None:
        """Evaluate and save the last step, then give the model its final weights."""
        self._evaluate()
        if self.folder is not None:
            self._save(self.folder)
        if self.best:
            self.model.load_state_dict(self.best)
        elif self.average is not None:
            self.model.load_state_dict(self.average.tensors)
        if self.constraint is not None:
            self.constraint.on_weights()
        self.model.eval()

    def restore(self) -> tuple[int, tuple[str, ...]]:
        """Take up the run in the folder, if there is one; return its step, and notes for people."""
        checkpoint = load_checkpoint(self.folder) if self.folder else None
        if checkpoint is None:
            return 0, ()
        for what, mine in self.origin.items():
            theirs = checkpoint.state["origin"].get(what)
            if theirs != mine:
                words = f"{self.folder} holds a run with other {what}: {difference(theirs, mine)}"
                raise InputError(f"{words}; give another folder, or the same {what}", code="OTHER_RUN")
        tensors = {name: tensor.to(self.device) for name, tensor in checkpoint.tensors.items()}
        self.model.load_state_dict(_under("model.", tensors))
        restore_optimizer(self.optimizer, _under("optimizer.", tensors))
        if self.average is not None:
            self.average.tensors = _under("average.", tensors)
        self.best = _under("best.", tensors)
        self.state = _State(**checkpoint.state["run"])
        return checkpoint.step, tuple(f"{name} is damaged and was not used" for name in checkpoint.damaged)

    def _rest(self, batches: Iterator[T]) -> Iterator[T]:
        """Yield the batches that are not done yet, each drawn with the random numbers of its own step."""
        first, done = self.state.step - self.state.batch, self.state.batch
        for number in range(2**62):
            self._seed(first + number)
            try:
                batch = next(batches)
            except StopIteration:
                return
            if number >= done:
                yield batch

    def _seed(self, step: int) -> None:
        words = np.random.SeedSequence([self.options.seed, step]).generate_state(1, np.uint64)
        torch.manual_seed(int(words[0]) >> 1)

    def _step(self, batch: T) -> None:
        state, options = self.state, self.options
        factor = lr_factor(state.step, steps=options.steps, warmup=options.warmup, final=options.final_lr)
        set_lr(self.optimizer, factor)
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.precision, self.device):
            losses = self.step_loss(self.model, batch)
        if not bool(losses.total.isfinite()):
            words = f"the loss is {losses.total.item()} at step {state.step}; lower lr (now {options.lr:g})"
            raise AssayError(f"{words}, or look for odd values in the data", code="LOSS_NOT_FINITE")
        losses.total.backward()  # type: ignore[no-untyped-call]
        if self.constraint is not None:
            self.constraint.on_gradients()
        norm = nn.utils.clip_grad_norm_(self.trained, options.clip or math.inf)
        self._count_skipped(bool(norm.isfinite()))
        if norm.isfinite():
            self.optimizer.step()
        if self.constraint is not None:
            self.constraint.on_weights()
        state.step, state.batch = state.step + 1, state.batch + 1
        if self.average is not None:
            self.average.update(self.model, state.step)
        self._note(losses)

    def _count_skipped(self, finite: bool) -> None:
        state = self.state
        state.skipped_in_a_row = 0 if finite else state.skipped_in_a_row + 1
        state.skipped += not finite
        if state.skipped_in_a_row > MOST_SKIPPED:
            words = f"the gradient was not finite {state.skipped_in_a_row} times in a row, last at step {state.step}"
            raise AssayError(f"{words}; lower lr (now {self.options.lr:g})", code="LOSS_NOT_FINITE")

    def _note(self, losses: Losses) -> None:
        state = self.state
        for name, value in {"total": losses.total, **losses.parts}.items():
            state.sums[name] = state.sums.get(name, 0.0) + float(value.detach())
        if state.step % LOG_EVERY == 0 or state.step == self.options.steps:
            done = state.step - int(state.history[-1]["step"] if state.history else 0)
            state.history.append({"step": state.step} | {name: total / done for name, total in state.sums.items()})
            state.sums = {}
        loss = float(losses.total.detach())
        self.progress(state.step / self.options.steps, f"step {state.step} of {self.options.steps}, loss {loss:.4g}")

    def _evaluate(self) -> None:
        """Evaluate the weights that would become the model, once a step; a number that is not finite is left out."""
        state, name = self.state, self.options.best
        if self.evaluate is None or (state.evaluations and state.evaluations[-1]["step"] == state.step):
            return
        tensors = None if self.average is None else self.average.tensors
        with weights_of(self.model, tensors), torch.no_grad():
            self.model.eval()
            metrics = {key: float(value) for key, value in self.evaluate(self.model).items()}
            found = {key: value for key, value in metrics.items() if math.isfinite(value)}
            state.evaluations.append({"step": state.step} | found)
            if name is not None and self._is_best(name, found):
                state.best, state.best_step = found[name], state.step
                self.best = copy_of(self.model.state_dict())
        self.model.train()

    def _is_best(self, name: str, found: Mapping[str, float]) -> bool:
        if name not in found:
            words = (
                f"best={name!r}: the evaluation gave no finite number of that name, but {', '.join(found) or 'none'}"
            )
            raise InputError(words, code="BAD_OPTION")
        return self.state.best is None or found[name] > self.state.best

    def _save_if_due(self) -> None:
        seconds, steps = self.options.checkpoint_every_s, self.options.checkpoint_every_steps
        by_clock = seconds > 0 and time.monotonic() - self.saved_at >= seconds
        by_count = steps > 0 and self.state.step % steps == 0
        if self.folder is not None and (by_clock or by_count):
            self._save(self.folder)

    def _save(self, folder: Path) -> None:
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in optimizer_tensors(self.optimizer).items()}
        if self.average is not None:
            tensors |= {f"average.{name}": tensor for name, tensor in self.average.tensors.items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        state = {"run": asdict(self.state), "origin": self.origin}
        save_checkpoint(folder, Checkpoint(step=self.state.step, tensors=tensors, state=state))
        self.saved_at = time.monotonic()


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

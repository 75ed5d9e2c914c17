"""What a training run is asked for, and what it says afterwards."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from core.errors import InputError
from core.train.precision import Precision


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How to train. The same options, data and machine give the same weights."""

    steps: int  # optimizer steps in all; epochs follow each other until they are done
    lr: float = 1e-3  # highest learning rate
    weight_decay: float = 0.01  # of matrices; biases and norms have none
    warmup: float = 0.05  # share of the steps over which the rate rises
    final_lr: float = 0.01  # share of `lr` that is left at the end of the cosine
    ema: float = 0.0  # decay of the moving average that becomes the model; 0: the last weights do
    clip: float = 1.0  # largest norm of the gradient; 0: any
    precision: Precision = "fp32"
    seed: int = 0
    best: str | None = None  # metric of `evaluate`, higher is better, whose best weights become the model
    evaluate_every: int = 0  # steps between evaluations; 0: after each epoch. The last step is always evaluated
    patience: int = 0  # evaluations without a gain of `best` after which training ends; 0: never before the last step
    checkpoint_every_s: float = 60.0  # 0: never by the clock
    checkpoint_every_steps: int = 0  # 0: never by the count

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            "steps": (1, math.inf),
            "lr": (1e-12, 1e3),
            "weight_decay": (0, 1e3),
            "warmup": (0, 1),
            "final_lr": (0, 1),
            "ema": (0, 0.999999),
            "clip": (0, math.inf),
            "evaluate_every": (0, math.inf),
            "patience": (0, math.inf),
            "checkpoint_every_s": (0, math.inf),
            "checkpoint_every_steps": (0, math.inf),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise InputError(f"{name} must lie in {low:g}..{high:g}, got {getattr(self, name)}", code="BAD_OPTION")


@dataclass(frozen=True)
class Losses:
    """What a step minimises, and the parts it is made of for the history."""

    total: Tensor  # scalar
    parts: Mapping[str, Tensor] = field(default_factory=dict)


class Constraint(Protocol):
    """What the weights of a run are held to. It keeps no state that a step changes, so that a killed run can go on."""

    @property
    def identity(self) -> str:
        """A word that differs wherever the constraint does: a run goes on only under the same one."""

    def on_gradients(self) -> None:
        """Mend the gradients after the backward pass, before their norm is taken."""

    def on_weights(self) -> None:
        """Mend the weights, after each step and once more when the model has its final ones."""


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """What a run did. Histories cover the whole run, also what came before a resumption."""

    steps: int
    epochs: int  # begun
    resumed_at: int  # step at which this process took over; 0: it started the run
    seconds: float  # of this process
    precision: str
    history: tuple[dict[str, float], ...]  # mean losses: {"step": ..., "total": ..., part: ...}
    evaluations: tuple[dict[str, float], ...]  # {"step": ..., metric: ...}
    best_step: int | None  # whose weights the model carries, where options.best is set
    skipped: int  # steps without an update, because the gradient was not finite
    notes: tuple[str, ...]

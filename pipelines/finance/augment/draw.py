"""What a pattern is given besides the series, and what it declares of itself. T steps, C channels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.augment.moves import Piece
from pipelines.finance.augment.series import Floats, Series

FEWEST_OWN = 4  # observed steps from which a series' own spread is believed


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One application of a pattern: its random numbers, its strength, and what it may use."""

    rng: np.random.Generator
    magnitude: float  # 1 is each pattern's unit strength
    spread_C: Floats  # standard deviation of each channel, in its own unit
    at_T: Floats  # position of each step on the unit axis, by time where there are times
    peers: tuple[Series, ...] = ()  # fitted series of the same class, for patterns that mix
    all_peers: tuple[Series, ...] = ()  # fitted series of every class
    period: float | None = None  # of the calendar, as a share of the axis
    anchored: bool = False  # the last step is the one that is judged: it is neither moved nor hidden
    events: bool = False  # steps are events with times of their own


@dataclass(frozen=True, kw_only=True)
class Changed:
    """New values and the step numbers at which something new was put in, for who labels them."""

    x_TC: Floats
    injected: tuple[int, ...] = ()


Change = Callable[[Floats, Draw], Changed]
Warp = Callable[[int, Draw], tuple[Piece, ...]]
Mix = Callable[[Series, Draw], Series]


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A pattern and what it does to labels and constraints; exactly one of `change`, `warp`, `mix` is set."""

    words: str
    change: Change | None = None  # values, steps stay
    warp: Warp | None = None  # steps, values stay
    mix: Mix | None = None  # with fitted series of the same class
    label: Literal["keeps", "mixes"] = "keeps"  # of the whole series: class or target stays, or targets are averaged
    points: Literal["stay", "move", "join"] = "stay"  # labels of steps and intervals
    injects: bool = False  # puts events in that were not there: `injected_label` marks them
    refuses: tuple[str, ...] = ()  # kinds of constraints it cannot keep
    anchored: bool = False  # needs series whose label is about the last step
    even_grid: bool = False  # needs even steps: refuses series with times

    @property
    def all_refusals(self) -> list[str]:
        """Kinds of constraints and of series that it refuses."""
        return [
            *self.refuses,
            *(["uneven steps"] if self.even_grid else []),
            *(["labels of whole series"] if self.anchored else []),
        ]


def spread_of(x_TC: Floats, fitted_C: Floats) -> Floats:
    """Standard deviation (C,) of the series itself, or that of the fitted series where fewer than 4 steps are seen."""
    count_C = np.isfinite(x_TC).sum(axis=0)
    mean_C = np.nansum(x_TC, axis=0) / np.maximum(count_C, 1)
    own_C = np.sqrt(np.nansum((x_TC - mean_C) ** 2, axis=0) / np.maximum(count_C, 1))
    return np.where((count_C >= FEWEST_OWN) & (own_C > 0), own_C, fitted_C)


def visible(x_TC: Floats, draw: Draw) -> NDArray[np.int64]:
    """Numbers of the steps that may be hidden or hit: those with a value, without an anchored last one."""
    steps = np.flatnonzero(np.isfinite(x_TC).any(axis=1)).astype(np.int64)
    return steps[:-1] if draw.anchored and len(steps) else steps

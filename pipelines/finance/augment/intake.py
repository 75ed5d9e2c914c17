"""From what users hold (arrays, masks, times, labels) to series, and back. N series, T steps, C channels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InputError
from pipelines.finance.augment.series import Bools, Floats, Interval, Series, span_of

MOST_CLASSES = 20  # distinct whole numbers beyond which a label counts as continuous


@dataclass(frozen=True, kw_only=True)
class Augmented:
    """New series with all labels that hang on them, and where each came from. M series."""

    x: Floats  # (M, T, C), or (M, T) where that came in; missing is NaN
    mask: Bools  # of the shape of x: True where there is a value
    y: NDArray[Any] | None  # (M,)
    points: NDArray[Any] | None  # (M, T)
    intervals: tuple[tuple[Interval, ...], ...] | None
    times: Floats | None  # (M, T)
    source: NDArray[np.int64]  # (M,) row number of the series it was made of
    patterns: tuple[tuple[str, ...], ...]  # what was done, in order


def as_values(x: Any, mask: ArrayLike | None = None) -> Floats:
    """Values (N, T, C), missing ones NaN; (N, T) is read as one channel. Raises InputError."""
    values = np.array(x, dtype=np.float64)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3:
        raise InputError(f"series must be an array (N, T) or (N, T, C), got {values.ndim} dimensions")
    if np.isinf(values).any():
        raise InputError(f"series hold {int(np.isinf(values).sum())} infinite values; a missing value is NaN")
    if mask is not None:
        seen = np.asarray(mask, dtype=bool)
        seen = seen[:, :, None] if seen.ndim == 2 else seen
        if seen.ndim != 3 or seen.shape[:2] != values.shape[:2] or seen.shape[2] not in (1, values.shape[2]):
            raise InputError(f"the mask must be (N, T) or (N, T, C) like the series {values.shape}, got {seen.shape}")
        values[~np.broadcast_to(seen, values.shape)] = np.nan
    return values


def as_times(times: ArrayLike | None, shape: tuple[int, ...]) -> Floats | None:
    """Times (N, T), NaN only at the front where a series has fewer events. Raises InputError where they fall."""
    if times is None:
        return None
    found = np.array(times, dtype=np.float64)
    if found.shape != shape[:2]:
        raise InputError(f"times must be (N, T) = {shape[:2]}, got {found.shape}")
    late = np.argwhere(np.isnan(found[:, 1:]) & ~np.isnan(found[:, :-1]))
    if len(late):
        raise InputError(f"series {late[0, 0]} has a step without time after one with; missing steps come first")
    falls = np.argwhere(np.diff(found, axis=1) < 0)
    if len(falls):
        raise InputError(f"the times of series {falls[0, 0]} fall at step {falls[0, 1] + 1}; sort the events by time")
    return found


def to_series(
    values_NTC: Floats,
    y: ArrayLike | None,
    times_NT: Floats | None,
    points: ArrayLike | None,
    intervals: Sequence[Sequence[Interval]] | None,
) -> list[Series]:
    """One Series a row. Raises InputError where a label has another length than the series."""
    rows, steps = values_NTC.shape[:2]
    y_N = None if y is None else np.asarray(y)
    points_NT = None if points is None else np.asarray(points)
    if y_N is not None and y_N.shape != (rows,):
        raise InputError(f"y must hold one label a series ({rows},), got {y_N.shape}; labels of steps go in points")
    if points_NT is not None and points_NT.shape != (rows, steps):
        raise InputError(f"points must hold one label a step {(rows, steps)}, got {points_NT.shape}")
    if intervals is not None and len(intervals) != rows:
        raise InputError(f"intervals must hold one list a series ({rows}), got {len(intervals)}")
    if points_NT is not None and points_NT.dtype == bool:
        points_NT = points_NT.astype(np.int64)
    return [
        Series(
            x_TC=values_NTC[row],
            time_T=None if times_NT is None else times_NT[row],
            points_T=None if points_NT is None else points_NT[row],
            intervals=() if intervals is None else tuple(intervals[row]),
            label=None if y_N is None else float(y_N[row]),
        )
        for row in range(rows)
    ]


def is_continuous(y_N: NDArray[Any]) -> bool:
    """Whether labels are a continuous target: fractions, or more whole numbers than classes would have."""
    if not np.issubdtype(y_N.dtype, np.number):
        return False
    return bool(np.any(y_N != np.rint(y_N))) or (
        np.issubdtype(y_N.dtype, np.floating) and len(np.unique(y_N)) > MOST_CLASSES
    )


def unit_positions(series: Series) -> Floats:
    """Where each step lies on the unit axis (T,): by time where there are times, else in its cell's middle."""
    if series.time_T is None:
        return (np.arange(series.steps) + 0.5) / max(series.steps, 1)
    seen = series.time_T[series.there]
    if not len(seen):
        return np.zeros(series.steps)
    return np.where(series.there, (series.time_T - seen[0]) / span_of(seen), 0.0)


def gather(made: Sequence[Series], like: "Labels", source: Sequence[int], done: Sequence[tuple[str, ...]]) -> Augmented:
    """Put series back into arrays of the kind that came in."""
    x = np.stack([one.x_TC for one in made]) if made else np.empty((0, *like.shape))
    x = x[:, :, 0] if like.flat else x
    return Augmented(
        x=x,
        mask=np.isfinite(x),
        y=like.decode([one.label for one in made]),
        points=np.stack([one.points_T for one in made if one.points_T is not None]) if like.points and made else None,
        intervals=tuple(one.intervals for one in made) if like.intervals else None,
        times=np.stack([one.time_T for one in made if one.time_T is not None]) if like.times and made else None,
        source=np.asarray(source, dtype=np.int64),
        patterns=tuple(done),
    )


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Which labels came in, and in which form they go out."""

    shape: tuple[int, int]  # T, C
    flat: bool
    points: bool
    intervals: bool
    times: bool
    classes: NDArray[Any] | None = None  # class names by code; None where labels are continuous or absent
    continuous: bool = False

    def decode(self, labels: Sequence[float | None]) -> NDArray[Any] | None:
        if self.classes is not None:
            return np.asarray(self.classes[[int(label) for label in labels if label is not None]])
        return np.array(labels, dtype=np.float64) if self.continuous else None

"""Tables with a row a step (id, time, values, label) to arrays of series, and new series back to such a table.

N series, T steps, C channels. Series are as long as the longest, or as asked; shorter ones are filled at the front.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from data.dates import parse_dates
from pipelines.finance.augment.intake import Augmented
from pipelines.finance.augment.series import Floats

Ints = NDArray[np.int64]
MOST_STEPS = 10_000
EVEN = 1e-6  # steps may differ by this share and still be even


@dataclass(frozen=True, kw_only=True)
class SeriesColumns:
    """Which columns say what; `label` is one a series where it is constant within each, else one a step."""

    id: str
    time: str
    values: tuple[str, ...]
    label: str | None = None
    length: int | None = None  # steps kept of each series, the last ones; None keeps all


@dataclass(frozen=True, kw_only=True)
class SeriesTable:
    """The series of a table, in the order in which their ids first appear."""

    columns: SeriesColumns
    ids: tuple[str, ...]
    x_NTC: Floats
    time_NT: Floats  # seconds since 1970, or numbers as they were
    dates: bool  # whether times are dates
    even: bool  # all series have all steps, at even times
    y_N: NDArray[Any] | None
    points_NT: NDArray[Any] | None

    @property
    def times(self) -> Floats | None:
        """The times where they matter: None on an even grid."""
        return None if self.even else self.time_NT


def read_series(frame: pd.DataFrame, columns: SeriesColumns) -> SeriesTable:
    """Sort nothing, guess nothing: raises InputError where a column is missing or no number, or times fall."""
    _check_columns(frame, columns)
    ids = frame[columns.id].astype("str")
    codes, names = pd.factorize(ids)
    time, dates = _times(frame[columns.time])
    order = np.argsort(codes, kind="stable")
    codes, time = codes[order], time[order]
    _check_order(codes, time, names, columns)
    values = np.stack([_numbers(frame[name]) for name in columns.values], axis=1)[order]
    counts = np.bincount(codes)
    steps = min(int(counts.max()), columns.length or int(counts.max()))
    if steps > MOST_STEPS:
        raise InputError(f"the longest series has {steps} steps; {MOST_STEPS} are read: give --length")
    place = steps - counts[codes] + np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = place >= 0
    at = codes[kept], place[kept]
    x_NTC, time_NT = np.full((len(names), steps, values.shape[1]), np.nan), np.full((len(names), steps), np.nan)
    x_NTC[at], time_NT[at] = values[kept], time[kept]
    y_N, points_NT = None, None
    if columns.label is not None:
        y_N, points_NT = _labels(frame[columns.label].to_numpy()[order], codes, kept, at, (len(names), steps), columns)
    return SeriesTable(
        columns=columns,
        ids=tuple(names),
        x_NTC=x_NTC,
        time_NT=time_NT,
        dates=dates,
        even=_is_even(time_NT),
        y_N=y_N,
        points_NT=points_NT,
    )


def to_frame(made: Augmented, table: SeriesTable) -> pd.DataFrame:
    """New series as rows: ids `source~k`, times and labels as they are now, `source` and `patterns` beside."""
    columns, steps = table.columns, made.x.shape[1]
    copy = pd.Series(made.source).groupby(made.source).cumcount().to_numpy() + 1
    sources = np.array(table.ids, dtype=object)[made.source]
    ids = np.array([f"{source}~{number}" for source, number in zip(sources, copy, strict=True)], dtype=object)
    time_NT = table.time_NT[made.source] if made.times is None else made.times
    there = np.isfinite(time_NT).ravel()
    flat = time_NT.ravel()[there]
    whole = table.dates or bool(np.all(flat == np.rint(flat)))
    frame = pd.DataFrame({columns.id: np.repeat(ids, steps)[there]})
    frame[columns.time] = _dates(flat) if table.dates else (flat.astype(np.int64) if whole else flat)
    for channel, name in enumerate(columns.values):
        frame[name] = made.x[:, :, channel].ravel()[there]
    if columns.label is not None:
        labels = made.points.ravel() if made.points is not None else np.repeat(np.asarray(made.y), steps)
        frame[columns.label] = labels[there]
    frame["source"] = np.repeat(sources, steps)[there]
    frame["patterns"] = np.repeat(np.array(["+".join(done) for done in made.patterns], dtype=object), steps)[there]
    return frame


def class_numbers(y_N: NDArray[Any]) -> tuple[Ints, tuple[str, ...]]:
    """Class numbers (N,) by falling frequency, so that class 1 of two is the rarer, and the classes' names."""
    classes, codes, counts = np.unique(y_N.astype(str), return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    return number[codes], tuple(classes[order].tolist())


def _check_columns(frame: pd.DataFrame, columns: SeriesColumns) -> None:
    if not columns.values:
        raise InputError("a series needs at least one column of values; give --value")
    named = [columns.id, columns.time, *columns.values, *([columns.label] if columns.label else [])]
    for name in named:
        if name not in frame.columns:
            raise InputError(f"there is no column {name!r}; the columns are {', '.join(map(str, frame.columns))}")
        if named.count(name) > 1:
            raise InputError(f"column {name!r} is named twice; id, time, values and label are different columns")
    if columns.length is not None and columns.length < 1:
        raise InputError(f"the length of a series must be at least 1 step, got {columns.length}")
    lacking = np.flatnonzero(frame[columns.id].isna())
    if len(lacking):
        raise InputError(f"column {columns.id!r}, row {lacking[0] + 1}: a step without id belongs to no series")


def _times(column: pd.Series) -> tuple[Floats, bool]:
    """Numbers as they are, dates as seconds. Raises InputError for a missing time."""
    if pd.api.types.is_numeric_dtype(column):
        time, dates = column.to_numpy(dtype=np.float64), False
    else:
        parsed = parse_dates(column)
        time = np.where(np.isnat(parsed), np.nan, parsed.astype(np.int64).astype(np.float64))
        dates = True
    lacking = np.flatnonzero(~np.isfinite(time))
    if len(lacking):
        raise InputError(f"column {column.name!r}, row {lacking[0] + 1}: a step needs a time; leave the row out")
    return time, dates


def _check_order(codes: Ints, time: Floats, names: Any, columns: SeriesColumns) -> None:
    falls = np.flatnonzero((np.diff(time) < 0) & (np.diff(codes) == 0))
    if len(falls):
        raise InputError(f"series {names[codes[falls[0]]]!r}: {columns.time} falls; sort the table by it within series")


def _numbers(column: pd.Series) -> Floats:
    if not pd.api.types.is_numeric_dtype(column):
        raise InputError(f"column {column.name!r} is no column of numbers; name columns of numbers as values")
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _labels(
    label: NDArray[Any],
    codes: Ints,
    kept: NDArray[np.bool_],
    at: tuple[Ints, Ints],
    shape: tuple[int, int],
    columns: SeriesColumns,
) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    """One label a series where each has one only, else one a step (whole numbers are classes, 0 for none)."""
    lacking = pd.isna(label)
    if lacking.any():
        raise InputError(f"column {columns.label!r}: {int(lacking.sum())} steps have no label; leave their series out")
    first = np.unique(codes, return_index=True)[1]
    if np.array_equal(label, label[first][codes]):
        found = label[first]
        return (found.astype(str) if found.dtype == object else found), None
    if not np.issubdtype(label.dtype, np.number):
        raise InputError(f"column {columns.label!r} changes within series, so its labels are of steps: give numbers")
    points_NT = np.zeros(shape, label.dtype)
    points_NT[at] = label[kept]
    return None, points_NT


def _is_even(time_NT: Floats) -> bool:
    """Whether every series has every step and all gaps are one."""
    if np.isnan(time_NT).any() or time_NT.shape[1] < 2:
        return not np.isnan(time_NT).any()
    gaps = np.diff(time_NT, axis=1)
    return bool(gaps[0, 0] > 0 and np.abs(gaps - gaps[0, 0]).max() <= EVEN * gaps[0, 0])


def _dates(seconds: Floats) -> NDArray[Any]:
    """ISO text, with a time of day where any has one."""
    found = np.rint(seconds).astype("datetime64[s]")
    days = found.astype("datetime64[D]")
    whole = bool(np.all(days.astype("datetime64[s]") == found))
    return np.datetime_as_string(days if whole else found).astype(object)


def split_series(y_N: NDArray[Any], share: float, seed: int) -> tuple[Ints, Ints]:
    """Rows to fit on and rows to validate on, class by class, at least one of each class in both where it has two."""
    rng = np.random.default_rng(seed)
    held: list[int] = []
    for label in np.unique(y_N):
        rows = rng.permutation(np.flatnonzero(y_N == label))
        held += rows[: int(np.clip(round(share * len(rows)), 1, max(len(rows) - 1, 1)))].tolist()
    return np.setdiff1d(np.arange(len(y_N)), held), np.sort(np.array(held, dtype=np.int64))


def with_times(table: SeriesTable) -> Floats:
    """Values (N, T, C), with the times as a first channel where they matter."""
    if table.even:
        return table.x_NTC
    return np.concatenate([table.time_NT[:, :, None], table.x_NTC], axis=2)

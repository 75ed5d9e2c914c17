"""From a table of prices to trading days: returns, ranges, gaps and volume, each known at the close of its day.

Rows may come in any order and are sorted by time; two rows of one time are refused. A row without a price, or with a
price that is not above 0, is no trading day: it gets an error, and the next return goes over it. A range that cannot be
(low above high, a close outside), or none at all (high equal to low), tells nothing: the squared return stands for it.

Legend: R rows of the table, N days, M windows, L days of a window, C channels.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from data.dates import parse_dates

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PERCENT = 100.0
FLOOR = 1e-4  # least variance of a day, in percent^2: 0.01 % a day
WINDOW = 64  # days that a forecast looks back on
VOLUME_DAYS = 20  # before a day, whose mean volume its own is told against
NUMBERS = 0.5  # share of the cells of a price's column that must be numbers
SLACK = 1e-6  # share by which a close may lie outside of the range: rounding
CHANNELS = 4  # of a day: return, variance, gap, change of volume
ROLES = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, kw_only=True)
class SeriesColumns:
    """Which columns hold what. Without high and low there is no range, and squared returns stand for it."""

    time: str
    close: str
    open: str | None = None
    high: str | None = None
    low: str | None = None
    volume: str | None = None

    @property
    def has_range(self) -> bool:
        return self.high is not None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "SeriesColumns":
        """Read what `to_json` gives. TypeError where entries are missing or unknown."""
        return cls(**raw)


@dataclass(frozen=True, kw_only=True)
class Days:
    """Trading days in order of time. Returns and gaps are percent, variances percent^2 a day.

    `x_NC` are return, variance, gap and change of volume, the last two 0 where they are not known. `squared_N` is the
    squared return of close to close, `variance_N` the Parkinson variance where there is a range, `target_N` what a
    forecast is for, the mean of both: each alone is half blind. `row_N` is the row of each day; `errors` says of the
    other rows why they are none.
    """

    time_N: NDArray[np.datetime64]
    row_N: Ints
    x_NC: Floats
    squared_N: Floats
    variance_N: Floats
    target_N: Floats
    errors: Mapping[int, str]
    notes: tuple[str, ...]  # what was mended, in words
    has_range: bool

    def windows(self, at_M: Ints) -> NDArray[np.float32]:
        """Return (M, L, C): what was known at the close of day `at`, the newest day last."""
        return np.asarray(self.x_NC[at_M[:, None] + np.arange(1 - WINDOW, 1)], dtype=np.float32)


def find_columns(
    frame: pd.DataFrame, time: str, given: Mapping[str, str | None], ignore: Collection[str] = ()
) -> SeriesColumns:
    """Tell the columns: as `given` by role, else by their own names (open, high, low, close, volume, in any case).

    Without a close, the one column of numbers that is left is the price. InputError: a column is not there, only one
    of high and low is, or nobody can tell which one is the price.
    """
    names = [str(name) for name in frame.columns]
    for role, name in {"time": time, **given}.items():
        if name is not None and name not in names:
            raise InputError(f"there is no column {name!r} for --{role}; the table has {', '.join(names)}")
    by_name = {name.lower(): name for name in names if name != time and name not in ignore}
    found = {role: given.get(role) or by_name.get(role) for role in ROLES}
    if found["close"] is None:
        taken = {time, *ignore, *(name for name in found.values() if name)}
        left = [name for name in names if name not in taken and _holds_numbers(frame[name])]
        if len(left) != 1:
            words = f"columns of numbers are {', '.join(left)}" if left else "no column holds numbers"
            raise InputError(f"nobody can tell which column is the price ({words}); name it with --close")
        found["close"] = left[0]
    if (found["high"] is None) != (found["low"] is None):
        raise InputError("a range needs both --high and --low, and only one is there; name both, or neither")
    return SeriesColumns(time=time, **found)  # type: ignore[arg-type]


def _holds_numbers(cells: pd.Series) -> bool:
    """Tell whether most cells that are not empty are numbers; some may be marks for a missing one, such as a dot."""
    known = cells.dropna()
    return len(known) > 0 and float(pd.to_numeric(known, errors="coerce").notna().mean()) > NUMBERS


def read_days(frame: pd.DataFrame, columns: SeriesColumns) -> Days:
    """Make trading days of a table. InputError: a column is absent, a time cannot be read, or stands in two rows."""
    if absent := [name for name in columns.to_json().values() if name and name not in frame.columns]:
        raise InputError(f"the table has no column {absent[0]!r}; the model was made with it", code="UNKNOWN_COLUMN")
    time_R, notes = parse_dates(frame[columns.time]), []
    errors = {int(row): f"NO_TIME: column {columns.time} is empty" for row in np.flatnonzero(np.isnat(time_R))}
    _refuse_doubles(time_R, columns.time)
    order_R = np.argsort(time_R, kind="stable")
    if (np.diff(time_R[~np.isnat(time_R)]).astype(np.int64) < 0).any():
        notes.append(f"rows were not in order of {columns.time}; they were sorted")
    price_R, faults = _prices(frame[columns.close])
    errors = faults | errors
    row_N = np.array([row for row in order_R if int(row) not in errors], dtype=np.int64)
    if len(row_N):
        errors[int(row_N[0])] = "NO_HISTORY: the first day has no return"
    measures = _Measures(frame.iloc[row_N], price_R[row_N], columns)
    variance_N, squared_N = measures.variance(), np.asarray(measures.return_N**2)
    x_NC = np.stack([measures.return_N, variance_N, measures.gap(), measures.volume()], axis=1)
    return Days(
        time_N=time_R[row_N][1:],
        row_N=row_N[1:],
        x_NC=x_NC[1:],
        squared_N=squared_N[1:],
        variance_N=variance_N[1:],
        target_N=np.asarray(0.5 * variance_N + 0.5 * squared_N)[1:],
        errors=errors,
        notes=(*notes, *measures.notes),
        has_range=columns.has_range,
    )


class _Measures:
    """Columns of the rows that are trading days, in order; the first row's returns are NaN."""

    def __init__(self, frame: pd.DataFrame, price_N: Floats, columns: SeriesColumns) -> None:
        self.frame, self.price_N, self.columns = frame, price_N, columns
        self.notes: list[str] = []
        self.before_N = np.concatenate([[np.nan], price_N[:-1]]) if len(price_N) else price_N
        self.return_N = PERCENT * np.log(price_N / self.before_N)

    def variance(self) -> Floats:
        """Parkinson's (log high / low)^2 / (4 log 2) (1980), or the squared return; never under FLOOR."""
        squared_N = self.return_N**2
        if not self.columns.has_range:
            return np.asarray(np.maximum(squared_N, FLOOR))
        high_N, low_N = self._numbers(self.columns.high), self._numbers(self.columns.low)
        inside_N = (self.price_N <= high_N * (1 + SLACK)) & (self.price_N >= low_N * (1 - SLACK))
        good_N = (low_N > 0) & (high_N > low_N) & inside_N
        if odd := int(len(good_N) - good_N.sum()):
            self.notes.append(f"{odd} days have no range, or one that cannot be; their squared return stands for it")
        ratio_N = np.where(good_N, high_N, 1.0) / np.where(good_N, low_N, 1.0)
        parkinson_N = (PERCENT * np.log(ratio_N)) ** 2 / (4 * np.log(2))
        return np.asarray(np.maximum(np.where(good_N, parkinson_N, squared_N), FLOOR))

    def gap(self) -> Floats:
        """Percent from the close before to the open; 0 where there is no open."""
        open_N = self._numbers(self.columns.open)
        good_N = open_N > 0
        return np.asarray(np.where(good_N, PERCENT * np.log(np.where(good_N, open_N, 1.0) / self.before_N), 0.0))

    def volume(self) -> Floats:
        """Log of the volume over its mean log of the 20 days before; 0 where it is not known."""
        volume_N = self._numbers(self.columns.volume)
        log_N = pd.Series(np.log(np.where(volume_N > 0, volume_N, np.nan)))
        usual_N = log_N.rolling(VOLUME_DAYS, min_periods=1).mean().shift(1)
        return np.asarray((log_N - usual_N).fillna(0.0))

    def _numbers(self, name: str | None) -> Floats:
        if name is None:
            return np.full(len(self.price_N), np.nan)
        numbers = pd.to_numeric(self.frame[name], errors="coerce").to_numpy(np.float64)
        return np.where(np.isfinite(numbers), numbers, np.nan)


def _prices(cells: pd.Series) -> tuple[Floats, dict[int, str]]:
    """Return prices (R,) and what is wrong with those that are none."""
    price_R = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)
    faults = {}
    for row in np.flatnonzero(~(np.isfinite(price_R) & (price_R > 0))):
        cell = cells.iloc[row]
        if pd.isna(cell):
            faults[int(row)] = f"NO_PRICE: column {cells.name} is empty"
        else:
            faults[int(row)] = f"BAD_PRICE: column {cells.name} must be a number above 0, got {cell!s}"
    return price_R, faults


def _refuse_doubles(time_R: NDArray[np.datetime64], column: str) -> None:
    first: dict[np.datetime64, int] = {}
    for row, time in enumerate(time_R):
        if np.isnat(time):
            continue
        if time in first:
            words = f"column {column}: {time} stands in rows {first[time] + 1} and {row + 1}"
            raise InputError(f"{words}; a series has one row a time: remove one of them", code="DOUBLE_TIME")
        first[time] = row


def days_where(days: Days, frame: pd.DataFrame, where: Mapping[str, str]) -> Ints:
    """Return the numbers of the days that can be forecast (a whole window lies before them) whose rows fit `where`.

    InputError: a column is not there, or no such day fits.
    """
    chosen_R = np.ones(len(frame), dtype=np.bool_)
    for column, value in where.items():
        if column not in frame.columns:
            raise InputError(f"there is no column {column!r} to choose rows by; there is {', '.join(frame.columns)}")
        chosen_R &= (frame[column].astype("str") == value).to_numpy()
    day_D = np.flatnonzero(chosen_R[days.row_N])
    day_D = day_D[day_D >= WINDOW]
    if not len(day_D):
        words = " and ".join(f"{column}={value}" for column, value in where.items()) or "all rows"
        raise InputError(
            f"{words}: none of {int(chosen_R.sum())} rows is a day with {WINDOW} trading days and one price before it",
            code="NO_DATA",
        )
    return np.asarray(day_D, dtype=np.int64)

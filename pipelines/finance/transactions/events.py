"""Transactions as arrays: times, keys, amounts, labels, and what is wrong with a row.

M transactions. Keys are 64-bit hashes of the text of a cell, so that pieces of a table and a stream agree on them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from data.cells import parse_number
from data.dates import parse_dates
from pipelines.finance.transactions.plan import LATEST, TransactionPlan

Ints = NDArray[np.int64]
MOST_STEPS = 2**50  # of an amount: sums over a window fit into 64 bits
NAT = np.iinfo(np.int64).min
_ZONED = re.compile(r"[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:Z|[+-]\d{2}:?\d{2})$")


@dataclass(frozen=True, kw_only=True)
class Events:
    """Transactions in the order in which they came. Rows of `errors` are not among them."""

    row: Ints  # (M,) position in the frame
    time_ms: Ints  # (M,) since 1970
    key: Mapping[str, Ints]  # column -> (M,)
    steps: Ints  # (M,) amount in steps of the plan's unit
    label: NDArray[np.int8]  # (M,) 1 fraud, 0 good, -1 unknown

    def __len__(self) -> int:
        return len(self.row)

    def take(self, at: NDArray[np.integer] | NDArray[np.bool_]) -> "Events":
        """Some of them."""
        keys = {column: key[at] for column, key in self.key.items()}
        return Events(row=self.row[at], time_ms=self.time_ms[at], key=keys, steps=self.steps[at], label=self.label[at])


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The transactions of a frame, and why some rows are none: position -> `CODE: words`."""

    events: Events
    errors: Mapping[int, str]


def read_events(
    frame: pd.DataFrame,
    plan: TransactionPlan,
    *,
    labels: NDArray[np.int8] | None = None,
    errors: Mapping[int, str] | None = None,
    newest_ms: int = NAT,
) -> Reading:
    """Read a frame. `errors` are rows that could not even be read; `newest_ms` is the newest transaction before them.

    Rows are sorted by the time they came (`plan.arrived`), else by their own time; of equal ones the first row is
    first. A row without time, key or amount, with an id that came before, or too far behind the newest, is an error.
    InputError: a column is absent.
    """
    needed = [plan.time, plan.amount, *([plan.entity] if plan.entity else []), *plan.counterparts]
    needed += [column for column in (plan.arrived, plan.id_column) if column]
    if absent := [column for column in needed if column not in frame.columns]:
        words = f"the table has no column {absent[0]!r}; it has {', '.join(map(str, frame.columns))}"
        raise InputError(words, code="SCHEMA_MISSING")
    found = dict(errors or {})
    time_ms = read_times(frame[plan.time], found)
    came_ms = time_ms if plan.arrived is None else read_times(frame[plan.arrived], found)
    steps = _steps(frame[plan.amount], plan, found)
    keys = {c: _keys(frame[c], found) for c in ([plan.entity] if plan.entity else []) + list(plan.counterparts)}
    if plan.id_column is not None:
        _refuse_doubles(frame[plan.id_column], found)
    order = np.argsort(came_ms, kind="stable")
    good = np.ones(len(frame), dtype=np.bool_)
    good[list(found)] = False
    order = order[good[order]]
    late = _late(time_ms[order], newest_ms)
    for at in order[late].tolist():
        found[at] = f"TOO_LATE: column {plan.time!r}: more than {LATEST // 86_400_000} days behind the newest before it"
    order = order[~late]
    label = np.full(len(frame), -1, dtype=np.int8) if labels is None else labels
    events = Events(row=np.arange(len(frame)), time_ms=time_ms, key=keys, steps=steps, label=label)
    untouched = len(order) == len(frame) and bool((np.diff(order) == 1).all())
    return Reading(events=events if untouched else events.take(order), errors=found)


def read_times(series: pd.Series, errors: dict[int, str]) -> Ints:
    """Milliseconds (B,) since 1970 of dates, texts with or without a zone, or numbers (seconds from any beginning).

    Times with a zone become UTC; naive ones are taken as they stand. A column with both: those with a zone are errors,
    since nobody knows where the others were. Cells that are no time are errors too.
    """
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    if series.dtype.kind == "M":
        stamps = series.to_numpy().astype("datetime64[ms]")
        return _with_errors(stamps, series, errors)
    if pd.api.types.is_numeric_dtype(series.dtype):
        seconds = series.to_numpy(dtype=np.float64, na_value=np.nan)
        bad = ~np.isfinite(seconds) | (np.abs(seconds) > 1e11)
        for at in np.flatnonzero(bad).tolist():
            errors.setdefault(at, f"NOT_A_TIME: column {series.name!r} holds {series.iloc[at]!r}; seconds are allowed")
        return np.asarray(np.rint(np.where(bad, 0, seconds) * 1_000).astype(np.int64))
    return _texts(series, errors)


def _texts(series: pd.Series, errors: dict[int, str]) -> Ints:
    text = series.astype("str").where(series.notna(), "").str.strip()
    zoned = text.str.contains(_ZONED).to_numpy(dtype=bool)
    if zoned.any() and not zoned.all():
        filled = (text != "").to_numpy(dtype=bool)
        for at in np.flatnonzero(zoned & (filled & ~zoned).any()).tolist():
            words = f"column {series.name!r} holds {text.iloc[at]!r} with a zone, other rows have none"
            errors.setdefault(at, f"MIXED_ZONES: {words}; give all of them a zone, or none")
    plain = text.mask(text == "", None)
    parsed = pd.to_datetime(plain, format="ISO8601", errors="coerce", utc=True)
    stamps = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[ms]")
    for at in np.flatnonzero(np.isnat(stamps) & plain.notna().to_numpy()).tolist():
        try:
            stamps[at] = parse_dates(text.iloc[[at]])[0].astype("datetime64[ms]")
        except InputError:
            continue
    return _with_errors(stamps, text, errors)


def _with_errors(stamps: NDArray[np.datetime64], series: pd.Series, errors: dict[int, str]) -> Ints:
    missing = np.isnat(stamps)
    for at in np.flatnonzero(missing).tolist():
        words = f"column {series.name!r} holds {str(series.iloc[at])[:40]!r}; write 2024-01-31 13:45:00"
        errors.setdefault(at, f"NOT_A_TIME: {words}")
    return np.where(missing, np.datetime64(0, "ms"), stamps).astype(np.int64)


def _steps(series: pd.Series, plan: TransactionPlan, errors: dict[int, str]) -> Ints:
    if pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype):
        amount = series.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        cells = [parse_number("" if cell is None else str(cell)) for cell in series.where(series.notna(), None)]
        amount = np.asarray([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
    steps = np.rint(amount / plan.unit)
    bad = ~(np.abs(steps) <= MOST_STEPS)
    for at in np.flatnonzero(bad).tolist():
        allowed = f"a number up to {MOST_STEPS * plan.unit:g} is allowed"
        errors.setdefault(at, f"NOT_AN_AMOUNT: column {series.name!r} holds {str(series.iloc[at])[:40]!r}; {allowed}")
    return np.where(bad, 0, steps).astype(np.int64)


def _keys(series: pd.Series, errors: dict[int, str]) -> Ints:
    code, levels = pd.factorize(series)
    texts = np.asarray([key_text(level) for level in levels], dtype=object)
    hashed = np.append(hash_keys(texts), 0)
    empty = (code < 0) | (np.append(texts == "", True)[code])
    for at in np.flatnonzero(empty).tolist():
        errors.setdefault(at, f"NO_KEY: column {series.name!r} is empty; name the card, terminal or merchant")
    return np.asarray(hashed[code])


def key_text(cell: object) -> str:
    """How a key is written: whole numbers without a point, everything else trimmed."""
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell).strip()


def hash_keys(texts: NDArray[np.object_]) -> Ints:
    """64-bit hashes (L,) of texts, the same on every machine."""
    if not len(texts):
        return np.empty(0, dtype=np.int64)
    return np.asarray(pd.util.hash_array(texts, categorize=False).view(np.int64))


def _refuse_doubles(series: pd.Series, errors: dict[int, str]) -> None:
    for at in np.flatnonzero(series.duplicated(keep="first").to_numpy() & series.notna().to_numpy()).tolist():
        words = f"column {series.name!r} holds {str(series.iloc[at])[:40]!r} a second time"
        errors.setdefault(at, f"DUPLICATE_ID: {words}; the first is kept")


def _late(time_ms_M: Ints, newest_ms: int) -> NDArray[np.bool_]:
    if not len(time_ms_M):
        return np.empty(0, dtype=np.bool_)
    before_M = np.maximum.accumulate(np.concatenate([[newest_ms], time_ms_M[:-1]]))
    return np.asarray((before_M != NAT) & (before_M - LATEST > time_ms_M))

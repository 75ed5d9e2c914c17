"""Statement figures of companies and years as columns, each row knowing the row of a year before.

Shapes: R rows (a company and a period each), C columns.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
HERE = Path(__file__).parent
YEAR_DAYS = 365
TOLERANCE_DAYS = 20  # a year of 52 or 53 weeks does not end on the same day
NOT_AMOUNTS = ("eps_basic", "eps_diluted", "shares_basic", "shares_diluted")


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Columns of figures in whole currency units, NaN where missing. `prior_R`: a row number, -1 where there is none."""

    values: Mapping[str, Floats]  # item, feature or other column -> (R,)
    company_R: Ints
    period_R: Ints  # a year, or yyyymmdd
    prior_R: Ints
    amounts: tuple[str, ...] = field(default=())  # columns that hold amounts of the statements

    @property
    def rows(self) -> int:
        """R."""
        return len(self.period_R)

    @cached_property
    def has_prior(self) -> NDArray[np.bool_]:
        """Where there is a row of the year before."""
        return self.prior_R >= 0


@dataclass(frozen=True, slots=True)
class Input:
    """A column that rules may name."""

    name: str
    kind: str  # instant, duration, share (per share or shares), market, text
    zh: str


@lru_cache(maxsize=1)
def known_inputs() -> Mapping[str, Input]:
    """All canonical inputs by name."""
    rows = _read(HERE / "inputs.csv")
    return {row["name"]: Input(row["name"], row["kind"], row["zh"]) for row in rows}


@lru_cache(maxsize=1)
def aliases() -> Mapping[str, Mapping[str, str]]:
    """Table -> heading -> name. The table "any" holds headings that mean the same wherever they stand."""
    found: dict[str, dict[str, str]] = {"any": {item.zh: item.name for item in known_inputs().values() if item.zh}}
    for row in _read(HERE / "aliases.csv"):
        found.setdefault(row["table"], {})[row["heading"]] = row["name"]
    return found


def tables_recognised(columns: Iterable[str]) -> tuple[str, ...]:
    """Tables other than "any" all of whose headings are there: their aliases apply (X1 to X64 mean nothing alone)."""
    present = set(columns)
    return tuple(table for table, headings in aliases().items() if table != "any" and present >= set(headings))


def name_of(heading: str, tables: Sequence[str] = ()) -> str:
    """The name that formulas use for a column's heading; the heading itself where nothing is known of it."""
    clean = heading.strip()
    for table in (*tables, "any"):
        if clean in aliases().get(table, {}):
            return aliases()[table][clean]
    return clean


def make_panel(
    frame: pd.DataFrame,
    *,
    company: str | None = None,
    period: str | None = None,
    unit: float = 1.0,
    tables: Sequence[str] | None = None,
) -> Panel:
    """A panel of a frame's rows in their order.

    `company` and `period` name columns (period: years, yyyymmdd or dates); without them every row is a company of its
    own, or all rows are of one period. `unit`: currency units that a figure of 1 stands for (1e6 for millions).
    `tables`: whose aliases apply; None: `tables_recognised`. InputError: a column that is not there, two columns with
    one meaning, a cell of a known item that is no number, a row without a period, two rows of one company and period.
    """
    for option, column in {"company": company, "period": period}.items():
        if column is not None and column not in frame.columns:
            raise InputError(f"{option}: no column {column!r}; there are {', '.join(map(str, frame.columns))}")
    rest = [str(column) for column in frame.columns if column not in (company, period)]
    tables = tables_recognised(rest) if tables is None else tables
    columns, amounts = _columns(frame, rest, tables, unit)
    rows = len(frame)
    codes = np.arange(rows) if company is None else pd.factorize(frame[company], use_na_sentinel=False)[0]
    codes = np.asarray(codes, dtype=np.int64)
    period_R = np.zeros(rows, dtype=np.int64) if period is None else read_periods(frame[period])
    prior_R = np.full(rows, -1, dtype=np.int64) if period is None else rows_before(codes, period_R)
    return Panel(values=columns, company_R=codes, period_R=period_R, prior_R=prior_R, amounts=amounts)


def read_periods(column: pd.Series) -> Ints:
    """Years or yyyymmdd from numbers, dates and text such as 2021, 20211231, 2021-12-31, 2021年."""
    if pd.api.types.is_datetime64_any_dtype(column):
        text = column.dt.strftime("%Y%m%d").fillna("")
    else:
        text = column.astype("str").str.strip().str.replace(r"\.0$", "", regex=True)
    found = text.map({value: _period(value) for value in text.unique()})
    if found.isna().any():
        row = int(np.flatnonzero(found.isna())[0])
        raise InputError(
            f"column {column.name!r}, row {row + 1}: {column.iloc[row]!r} is no period; "
            "give a year (2021), yyyymmdd or a date (2021-12-31)"
        )
    return np.asarray(found.to_numpy(dtype=np.int64))


def rows_before(company_R: Ints, period_R: Ints) -> Ints:
    """For each row the row of the same company a year before, -1 where there is none."""
    days_R = _days(period_R)
    key_R = company_R * 10_000_000 + days_R
    order_R = np.argsort(key_R, kind="stable")
    sorted_R = key_R[order_R]
    twice = np.flatnonzero(sorted_R[1:] == sorted_R[:-1])
    if len(twice):
        first, second = sorted((int(order_R[twice[0]]) + 1, int(order_R[twice[0] + 1]) + 1))
        raise InputError(
            f"rows {first} and {second} are of the same company and period {period_R[first - 1]}; keep one"
        )
    target_R = key_R - YEAR_DAYS
    right_R = np.searchsorted(sorted_R, target_R).clip(0, len(sorted_R) - 1)
    left_R = (right_R - 1).clip(0)
    gap_right, gap_left = np.abs(sorted_R[right_R] - target_R), np.abs(sorted_R[left_R] - target_R)
    best_R = np.where(gap_left < gap_right, left_R, right_R)
    near_R = np.minimum(gap_left, gap_right) <= TOLERANCE_DAYS
    return np.where(near_R, order_R[best_R], -1).astype(np.int64)


def _columns(
    frame: pd.DataFrame, headings: Sequence[str], tables: Sequence[str], unit: float
) -> tuple[dict[str, Floats], tuple[str, ...]]:
    columns: dict[str, Floats] = {}
    origin: dict[str, str] = {}
    amounts = []
    for heading in headings:
        name = name_of(heading, tables)
        known = known_inputs().get(name)
        if known is None and not pd.api.types.is_numeric_dtype(frame[heading]):
            continue
        if name in columns:
            raise InputError(f"columns {origin[name]!r} and {heading!r} both mean {name}; drop or rename one")
        values_R = _numbers(frame[heading])
        if known is not None and known.kind in ("instant", "duration"):
            amounts.append(name)
        if known is not None and known.kind in ("instant", "duration", "market_amount") and unit != 1.0:
            values_R = values_R * unit
        columns[name], origin[name] = values_R, heading
    return columns, tuple(amounts)


def _numbers(column: pd.Series) -> Floats:
    if pd.api.types.is_numeric_dtype(column):
        values_R = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        text = column.astype("str").str.strip().replace("", np.nan).mask(column.isna())
        numbers = pd.to_numeric(text, errors="coerce")
        bad_R = (numbers.isna() & text.notna()).to_numpy()
        if bad_R.any():
            row = int(np.flatnonzero(bad_R)[0])
            raise InputError(
                f"column {column.name!r}, row {row + 1}: {column.iloc[row]!r} is no number; leave it empty"
            )
        values_R = numbers.to_numpy(dtype=np.float64)
    return np.where(np.isfinite(values_R), values_R, np.nan)


def _period(text: str) -> int | None:
    digits = re.sub(r"[-/.年月日]|T?\s*00:00:00.*$", "", text)
    if re.fullmatch(r"[12]\d{3}", digits):
        return int(digits)
    if re.fullmatch(r"[12]\d{3}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", digits):
        return int(digits)
    return None


def _days(period_R: Ints) -> Ints:
    """Days, near enough to find a year: a year counts as its last day."""
    full_R = np.where(period_R < 10_000, period_R * 10_000 + 1231, period_R)
    years, rest = np.divmod(full_R, 10_000)
    months, days = np.divmod(rest, 100)
    return np.asarray(years * YEAR_DAYS + (months * 30.4 + days).astype(np.int64), dtype=np.int64)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))

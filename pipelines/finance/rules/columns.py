"""Figures of companies and years as columns, each row knowing the row of a year before. No pandas: reports use it.

Shapes: R rows (a company and a period each), C columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from pipelines.finance.rules.names import AMOUNTS, known_inputs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
YEAR_DAYS = 365
TOLERANCE_DAYS = 20  # a year of 52 or 53 weeks does not end on the same day


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Columns of figures in whole currency units, NaN where missing. `prior_R` is a row number, -1: there is none."""

    values: Mapping[str, Floats]  # item, feature or other column -> (R,)
    company_R: Ints
    period_R: Ints  # a year, or yyyymmdd
    prior_R: Ints
    amounts: tuple[str, ...] = field(default=())  # columns that hold amounts of the statements
    absent: Mapping[str, str] = field(default_factory=dict)  # why a column is not there, where its reader knows

    @property
    def rows(self) -> int:
        """R."""
        return len(self.period_R)

    @cached_property
    def has_prior(self) -> NDArray[np.bool_]:
        """Where there is a row of the year before."""
        return self.prior_R >= 0


@dataclass(frozen=True, kw_only=True)
class Period:
    """One period of one company, as a report states it."""

    end: date
    values: Mapping[str, Decimal | float | int | None]  # item, market figure, text measure or other column
    months: Mapping[str, int] = field(default_factory=dict)  # that an item's figure covers, where not 12


def panel_of(periods: Sequence[Period], absent: Mapping[str, str] | None = None) -> Panel:
    """A panel of one company's periods, in their order. What covers other than 12 months is brought to a year."""
    names = dict.fromkeys(name for period in periods for name in period.values)
    values = {name: np.array([_annual(period, name) for period in periods], dtype=np.float64) for name in names}
    period_R = np.array([p.end.year * 10_000 + p.end.month * 100 + p.end.day for p in periods], dtype=np.int64)
    company_R = np.zeros(len(periods), dtype=np.int64)
    return Panel(
        values=values,
        company_R=company_R,
        period_R=period_R,
        prior_R=rows_before(company_R, period_R),
        amounts=statement_amounts(names),
        absent=absent or {},
    )


def statement_amounts(names: Mapping[str, object]) -> tuple[str, ...]:
    """Which of the columns hold amounts of the statements: those that digits are counted in."""
    known = known_inputs()
    return tuple(name for name in names if name in known and known[name].kind in ("instant", "duration"))


def is_amount(name: str) -> bool:
    """Whether a column is in currency, and so scaled by a table's unit."""
    return name in known_inputs() and known_inputs()[name].kind in AMOUNTS


def rows_before(company_R: Ints, period_R: Ints) -> Ints:
    """For each row the row of the same company a year before, -1 where there is none.

    InputError: two rows of one company and period.
    """
    if not len(period_R):
        return np.empty(0, dtype=np.int64)
    key_R = company_R * 10_000_000 + _days(period_R)
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


def _annual(period: Period, name: str) -> float:
    value = period.values.get(name)
    if value is None:
        return np.nan
    known = known_inputs().get(name)
    months = period.months.get(name, 12) if known is not None and known.kind == "duration" else 12
    number = float(value) * 12 / months
    return number if np.isfinite(number) else np.nan


def _days(period_R: Ints) -> Ints:
    """Days, near enough to find a year: a year counts as its last day."""
    full_R = np.where(period_R < 10_000, period_R * 10_000 + 1231, period_R)
    years, rest = np.divmod(full_R, 10_000)
    months, days = np.divmod(rest, 100)
    return np.asarray(years * YEAR_DAYS + (months * 30.4 + days).astype(np.int64), dtype=np.int64)

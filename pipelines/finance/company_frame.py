"""From a table of statements to the model's frame, one row a case: the one way for training, scoring and evaluation.

A case sees its own year and the years before it, `YEARS` in all, each cut off from every other row: so a case alone
gives what it gives among others, and how many years a table happens to hold tells the model nothing. (Where companies
that failed were kept for five years and the others for as long as they lasted, that number gave the answer away.)

R rows of the table, C cases, L years (0: the case's own), F features.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from data.columns import LARGEST
from pipelines.finance.company_cells import read_figures
from pipelines.finance.company_pairs import pair_columns
from pipelines.finance.company_plan import CompanyPlan
from pipelines.finance.rules.columns import Panel, rows_before
from pipelines.finance.rules.panel import make_panel, name_of, read_periods

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
YEARS = 3
YEAR = "statement_year"  # a feature: without it, what the times did would be put down to the figures
LAST_YEAR = 2_900  # that the case's own row gets while its features are worked out: any will do
ROWS_AT_ONCE = 20_000  # cases whose features are worked out together
NO_FAULTS: Mapping[int, str] = {}


@dataclass(frozen=True, kw_only=True)
class Derived:
    """The cases. A case that could not be placed among the years of its company has an error and empty features."""

    frame: pd.DataFrame  # (C, ...) the table's own columns that are no figures, the figures and the features
    row_C: Ints  # positions in the table
    errors: Mapping[int, str]  # position among the cases -> "CODE: words"
    panels: tuple[Panel, ...] = ()  # of the cases in their order; the first rows of each are the cases' own
    sizes: tuple[int, ...] = ()  # cases in each panel

    def causes(self) -> dict[str, int]:
        """How many cases have an error, by its code."""
        return dict(Counter(words.split(":")[0] for words in self.errors.values()).most_common())


@dataclass(frozen=True, kw_only=True)
class Cases:
    """Which rows are cases: `row_LC` are rows of the table, the case's own first, -1 where there is none."""

    row_LC: Ints
    year_C: Floats
    errors: Mapping[int, str]  # position among the cases


def derive(
    frame: pd.DataFrame,
    plan: CompanyPlan,
    row_errors: Mapping[int, str] | None = None,
    at_once: int = ROWS_AT_ONCE,
    only: Sequence[int] | None = None,
) -> Derived:
    """Derive the cases of a table, so many at once. `row_errors` are rows (by position) that could not even be read.

    `only`: rows (by position) that may be cases, where the others are there as history alone.
    InputError: a column that the plan names is absent, or means the same as another.
    """
    frame, faults = read_figures(known_columns(frame, plan), plan.figures)
    cases = find_cases(frame, plan, row_errors or {}, only, faults)
    blocks = [cases.row_LC[:, first : first + at_once] for first in range(0, cases.row_LC.shape[1], at_once)]
    panels = tuple(_panel(frame, plan, block) for block in blocks)
    sizes = tuple(block.shape[1] for block in blocks)
    parts = [values_of(panel, plan)[:size] for panel, size in zip(panels, sizes, strict=True)]
    values_CF = np.concatenate([*parts, np.empty((0, len(plan.figures) + len(plan.rules.names)))])
    for case in cases.errors:
        values_CF[case] = np.nan
    row_C = cases.row_LC[0]
    figures = {name: values_CF[:, at] for at, name in enumerate((*plan.figures, *plan.rules.names))}
    if plan.period is not None:
        figures[YEAR] = cases.year_C
    kept = [column for column in frame.columns if column not in figures]
    own = frame[kept].iloc[row_C].reset_index(drop=True)
    whole = pd.concat([own, pd.DataFrame(figures, index=own.index)], axis=1)
    return with_pairs(Derived(frame=whole, row_C=row_C, errors=cases.errors, panels=panels, sizes=sizes), plan)


def with_pairs(derived: Derived, plan: CompanyPlan) -> Derived:
    """The same with the pairs of the plan as further columns."""
    sides = {name for pair in plan.pairs for name in (pair.left, pair.right)}
    columns = {name: derived.frame[name].to_numpy(dtype=np.float64) for name in sides}
    made = pd.DataFrame(pair_columns(plan.pairs, columns), index=derived.frame.index)
    return replace(derived, frame=pd.concat([derived.frame, made], axis=1))


def find_cases(
    frame: pd.DataFrame,
    plan: CompanyPlan,
    row_errors: Mapping[int, str],
    only: Sequence[int] | None = None,
    faults: Mapping[int, str] = NO_FAULTS,
) -> Cases:
    """Find the cases and the years before them, in the table's order.

    `faults` are rows with a figure that is none: they have their place among the years, and every case that would
    look at one of them is an error.
    """
    rows = len(frame)
    errors = dict(row_errors)
    if plan.period is None:
        return Cases(row_LC=np.arange(rows)[None, :], year_C=np.full(rows, np.nan), errors={**faults, **errors})
    period_R = _periods(frame[plan.period], errors)
    company_R = np.arange(rows) if plan.company is None else _companies(frame[plan.company], errors)
    _find_twins(company_R, period_R, errors)
    good_R = np.ones(rows, dtype=np.bool_)
    good_R[list(errors)] = False
    before_R = np.full(rows, -1)
    at_G = np.flatnonzero(good_R)
    if len(at_G):
        prior_G = rows_before(company_R[at_G], period_R[at_G])
        before_R[at_G] = np.where(prior_G >= 0, at_G[prior_G], -1)
    errors = {**faults, **errors}
    good_R[list(faults)] = False
    row_C = np.arange(rows) if plan.cases == "all" else _latest(company_R, period_R, good_R, errors)
    row_C = row_C if only is None else row_C[np.isin(row_C, only)]
    lags = [row_C]
    for _ in range(YEARS - 1):
        lags.append(np.where(lags[-1] >= 0, before_R[lags[-1]], -1))
    _spoil(np.stack(lags), period_R, faults, errors)
    place = {int(row): at for at, row in enumerate(row_C)}
    return Cases(
        row_LC=np.stack(lags),
        year_C=year_of(period_R[row_C]),
        errors={place[row]: words for row, words in errors.items() if row in place},
    )


def future_rows(column: pd.Series, today: date) -> dict[int, str]:
    """Rows (by position) whose period is more than a year after today, each with its error."""
    errors: dict[int, str] = {}
    period_R = _periods(column, {})
    latest = (today.year + 1) * 10_000 + today.month * 100 + today.day
    for row in np.flatnonzero(np.where(period_R < 10_000, period_R * 10_000, period_R) > latest).tolist():
        words = f"column {column.name!r} holds {column.iloc[row]}; allowed is up to a year after {today}"
        errors[row] = f"FUTURE_PERIOD: {words}"
    return errors


def year_of(period_R: Ints) -> Floats:
    """Years of periods, which are years or yyyymmdd."""
    return np.where(period_R < 10_000, period_R, period_R // 10_000).astype(np.float64)


def known_columns(frame: pd.DataFrame, plan: CompanyPlan) -> pd.DataFrame:
    """The frame with figures under their names in formulas. InputError: a figure or key is absent."""
    keys = {column for column in (plan.company, plan.period) if column is not None}
    names = {str(heading): name_of(str(heading), plan.tables) for heading in frame.columns if heading not in keys}
    wanted = {*plan.figures}
    renamed = frame.rename(columns={heading: name for heading, name in names.items() if name in wanted})
    absent = [name for name in (*sorted(keys), *plan.figures) if name not in renamed.columns]
    if absent:
        words = f"the table lacks {len(absent)} of the model's columns: {', '.join(absent)}"
        raise InputError(words, code="SCHEMA_MISSING")
    if not renamed.columns.is_unique:
        twice = ", ".join(sorted(set(map(str, renamed.columns[renamed.columns.duplicated()]))))
        raise InputError(f"the table has {twice} more than once, or under two headings", code="DUPLICATE_COLUMN")
    return renamed


def values_of(panel: Panel, plan: CompanyPlan) -> Floats:
    """Figures and features (R, F) of a panel."""
    missing = np.full(panel.rows, np.nan)
    figures = [panel.values.get(name, missing) for name in plan.figures]
    found = plan.rules.of(panel)
    found = np.where(np.abs(found) <= LARGEST, found, np.nan)
    return np.concatenate([np.stack(figures, axis=1), found], axis=1) if figures else found


def _panel(frame: pd.DataFrame, plan: CompanyPlan, row_LC: Ints) -> Panel:
    """Cases as companies of their own, with at most `YEARS` rows each; the cases' own rows come first."""
    there_LC = row_LC >= 0
    case_R = np.broadcast_to(np.arange(row_LC.shape[1]), row_LC.shape)[there_LC]
    year_R = np.broadcast_to(LAST_YEAR - np.arange(len(row_LC))[:, None], row_LC.shape)[there_LC]
    table = frame[list(plan.figures)].iloc[row_LC[there_LC]].reset_index(drop=True)
    keys = pd.DataFrame({"case": case_R, "year": year_R})
    return make_panel(
        pd.concat([table, keys], axis=1), company="case", period="year", unit=plan.unit, tables=plan.tables
    )


def _periods(column: pd.Series, errors: dict[int, str]) -> Ints:
    """Periods (R,); a row without one gets an error and 0."""
    period_R = np.zeros(len(column), dtype=np.int64)
    for value, rows in column.groupby(column.astype("str"), dropna=False).indices.items():
        try:
            period_R[rows] = read_periods(column.iloc[rows[:1]])[0]
        except InputError:
            for row in rows.tolist():
                errors.setdefault(
                    row, f"BAD_PERIOD: column {column.name!r} holds {value!r}; a year or a day is allowed"
                )
    return period_R


def _companies(column: pd.Series, errors: dict[int, str]) -> Ints:
    codes, _ = pd.factorize(column.astype("str").where(column.notna()))
    for row in np.flatnonzero(codes < 0).tolist():
        errors.setdefault(row, f"NO_COMPANY: column {column.name!r} is empty; every row needs its company")
    return np.asarray(codes, dtype=np.int64)


def _find_twins(company_R: Ints, period_R: Ints, errors: dict[int, str]) -> None:
    keys = pd.DataFrame({"company": company_R, "period": period_R})
    for row in np.flatnonzero(keys.duplicated(keep=False)).tolist():
        words = f"TWO_ROWS: there is another row of this company for {period_R[row]}; one is allowed"
        errors.setdefault(row, words)


def _spoil(row_LC: Ints, period_R: Ints, faults: Mapping[int, str], errors: dict[int, str]) -> None:
    """A case whose history holds a figure that is none is an error."""
    for before_C in row_LC[1:]:
        for case in np.flatnonzero(np.isin(before_C, list(faults))).tolist():
            bad = int(before_C[case])
            words = f"OTHER_ROW: the row of {period_R[bad]} of the same company cannot be used ({faults[bad]})"
            errors.setdefault(int(row_LC[0, case]), words)


def _latest(company_R: Ints, period_R: Ints, good_R: NDArray[np.bool_], errors: dict[int, str]) -> Ints:
    """The latest row of each company. Where one of its rows is no good, nobody knows which is the latest."""
    order = np.lexsort((np.arange(len(company_R)), period_R, company_R))
    last = np.append(company_R[order][1:] != company_R[order][:-1], True)
    latest = order[last] if len(order) else order
    nameless = np.flatnonzero(company_R < 0)
    latest = np.union1d(latest[company_R[latest] >= 0], nameless)
    spoiled = {int(company_R[row]): int(row) for row in np.flatnonzero(~good_R)[::-1] if company_R[row] >= 0}
    for row in latest.tolist():
        if (bad := spoiled.get(int(company_R[row]))) is not None and row not in errors:
            errors[row] = f"OTHER_ROW: row {bad + 1} is of the same company and cannot be used ({errors[bad]})"
    return np.asarray(latest, dtype=np.int64)

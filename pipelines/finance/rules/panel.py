"""From a table (pandas) of statements, or of ratios that statements can be told from, to a panel. R rows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import InputError
from pipelines.finance.rules.columns import Floats, Ints, Panel, is_amount, rows_before, statement_amounts
from pipelines.finance.rules.evaluate import run
from pipelines.finance.rules.formula import Formula, Program
from pipelines.finance.rules.names import known_inputs, known_names, name_of, read_rows

__all__ = ["Panel", "make_panel", "name_of", "read_periods", "rows_before", "tables_recognised"]

HERE = Path(__file__).parent
YEAR = re.compile(r"[12]\d{3}年?")
DAY = re.compile(r"(?:([12]\d{3})(\d{2})(\d{2})|([12]\d{3})[-/.年](\d{1,2})[-/.月](\d{1,2})日?)")
MIDNIGHT = re.compile(r"[T\s]+00:00(:00(\.0+)?)?$")
# tables of ratios known by all their headings together; restated.csv says which items follow from them
RATIO_TABLES: Mapping[str, tuple[str, ...]] = {"polish_ratios": tuple(f"X{number}" for number in range(1, 65))}


def tables_recognised(columns: Iterable[str]) -> tuple[str, ...]:
    """Tables of ratios all of whose headings are there, and no further ones of that kind (X65)."""
    present = set(columns)
    return tuple(
        table
        for table, headings in RATIO_TABLES.items()
        if present >= set(headings) and f"X{len(headings) + 1}" not in present
    )


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
    `tables`: tables of ratios whose items are worked out; None: `tables_recognised`. InputError: a column that is not
    there, two columns with one meaning, a cell of a known item that is no number, a row without a period, two rows of
    one company and period.
    """
    for option, column in {"company": company, "period": period}.items():
        if column is not None and column not in frame.columns:
            raise InputError(f"{option}: no column {column!r}; there are {', '.join(map(str, frame.columns))}")
    rest = [str(column) for column in frame.columns if column not in (company, period)]
    columns = _columns(frame, rest, unit)
    rows = len(frame)
    codes = np.arange(rows) if company is None else pd.factorize(frame[company], use_na_sentinel=False)[0]
    codes = np.asarray(codes, dtype=np.int64)
    period_R = np.zeros(rows, dtype=np.int64) if period is None else read_periods(frame[period])
    prior_R = np.full(rows, -1, dtype=np.int64) if period is None else rows_before(codes, period_R)
    panel = Panel(
        values=columns, company_R=codes, period_R=period_R, prior_R=prior_R, amounts=statement_amounts(columns)
    )
    for table in tables_recognised(rest) if tables is None else tables:
        panel = _restate(panel, table)
    return panel


def read_periods(column: pd.Series) -> Ints:
    """Years or yyyymmdd from numbers, dates and text such as 2021, 20211231, 2021-12-31, 2021年."""
    if pd.api.types.is_datetime64_any_dtype(column):
        text = column.dt.strftime("%Y%m%d").fillna("")
    else:
        text = column.astype("str").str.strip().str.replace(r"\.0$", "", regex=True)
    text = text.fillna("")
    found = text.map({value: _period(value) for value in text.unique()})
    if found.isna().any():
        row = int(np.flatnonzero(found.isna())[0])
        raise InputError(
            f"column {column.name!r}, row {row + 1}: {column.iloc[row]!r} is no period; "
            "give a year (2021), yyyymmdd or a date (2021-12-31)"
        )
    return np.asarray(found.to_numpy(dtype=np.int64))


def _columns(frame: pd.DataFrame, headings: Sequence[str], unit: float) -> dict[str, Floats]:
    columns: dict[str, Floats] = {}
    origin: dict[str, str] = {}
    for heading in headings:
        name = name_of(heading)
        if name not in known_inputs() and not pd.api.types.is_numeric_dtype(frame[heading]):
            continue
        if name in columns:
            raise InputError(f"columns {origin[name]!r} and {heading!r} both mean {name}; drop or rename one")
        values_R = _numbers(frame[heading])
        columns[name] = values_R * unit if unit != 1.0 and is_amount(name) else values_R
        origin[name] = heading
    return columns


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
    if YEAR.fullmatch(text):
        return int(text[:4])
    found = DAY.fullmatch(MIDNIGHT.sub("", text))
    if found is None:
        return None
    try:
        day = date(*(int(part) for part in found.groups() if part))
    except ValueError:
        return None
    return day.year * 10_000 + day.month * 100 + day.day


def _restate(panel: Panel, table: str) -> Panel:
    """Add the items that a table of ratios implies, where no column gives them."""
    if table not in RATIO_TABLES:
        raise InputError(f"no table of ratios is called {table!r}; there are {', '.join(RATIO_TABLES)}")
    program = _restatement(table)
    found = run(program, panel, set(program.roots.values()), None)
    items = {name: np.broadcast_to(found[step], panel.rows) for name, step in program.roots.items()}
    return Panel(
        values={**items, **panel.values},
        company_R=panel.company_R,
        period_R=panel.period_R,
        prior_R=panel.prior_R,
        amounts=panel.amounts,  # worked-out amounts have no digits of their own
    )


@lru_cache
def _restatement(table: str) -> Program:
    rows = [
        row for row in read_rows(HERE / "restated.csv", ("table", "name", "formula", "note")) if row["table"] == table
    ]
    formulas = {
        row["name"]: Formula(row["formula"], f"restated.csv, line {row['line']}", is_feature=False) for row in rows
    }
    program = Program(formulas=formulas, inputs=known_names(RATIO_TABLES[table]))
    for name in formulas:
        program.root(name)
    return program

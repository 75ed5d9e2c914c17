"""Cells of figures in a table of statements: a number by value, missing by rule, or the error of their row."""

from collections.abc import Collection

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from data.cells import MISSING, as_strings, parse_numbers
from data.columns import LARGEST
from pipelines.finance.reports.tables.numbers import read_number
from pipelines.finance.rules.names import known_inputs, name_of

Floats = NDArray[np.float64]
MOST_TEXT = 0.5  # share of the filled cells that may be no number in a column that is named like a figure
SHOWN = 40  # characters of a cell


def read_figures(frame: pd.DataFrame, names: Collection[str]) -> tuple[pd.DataFrame, dict[int, str]]:
    """The frame with the columns of these names as numbers; and by position the first fault of each row.

    Text is read as statements write it: 1,234,567 and (500), full-width digits, a dash for nothing. What is no number
    (NOT_A_NUMBER), infinite (NON_FINITE) or beyond any amount (OUT_OF_RANGE) is NaN, and the row's error.
    """
    errors: dict[int, str] = {}
    found: dict[str, Floats] = {}
    for name in frame.columns:
        if name in names:
            found[name] = _read_column(frame[name], errors)
    return frame.assign(**found) if found else frame, errors


def is_figure(heading: str, column: pd.Series, tables: tuple[str, ...]) -> bool:
    """Tell whether a column holds figures: numbers, or text under the name of an item that is mostly numbers."""
    if pd.api.types.is_numeric_dtype(column):
        return True
    known = known_inputs().get(name_of(heading, tables))
    if known is None or known.kind == "text" or pd.api.types.is_datetime64_any_dtype(column):
        return False
    _, refused_R = _numbers(column)
    filled = len(column) - int(column.isna().sum())
    return int(refused_R.sum()) <= MOST_TEXT * filled


def _read_column(column: pd.Series, errors: dict[int, str]) -> Floats:
    if pd.api.types.is_numeric_dtype(column):
        value_R = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        value_R, refused_R = _numbers(column)
        for row in np.flatnonzero(refused_R).tolist():
            shown = str(column.iloc[row])[:SHOWN]
            errors.setdefault(row, f"NOT_A_NUMBER: column {column.name!r} holds {shown!r}; a number is allowed")
    for row in np.flatnonzero(np.isinf(value_R)).tolist():
        errors.setdefault(row, f"NON_FINITE: column {column.name!r} holds {value_R[row]:g}; a finite number is allowed")
    for row in np.flatnonzero(np.isfinite(value_R) & (np.abs(value_R) > LARGEST)).tolist():
        allowed = f"allowed is {-LARGEST:g} to {LARGEST:g}"
        errors.setdefault(row, f"OUT_OF_RANGE: column {column.name!r} holds {value_R[row]:g}; {allowed}")
    return np.where(np.abs(value_R) <= LARGEST, value_R, np.nan)


def _numbers(column: pd.Series) -> tuple[Floats, NDArray[np.bool_]]:
    """Numbers (R,), and which cells are none."""
    cells = as_strings(pa.array(column.astype("str").where(column.notna()), from_pandas=True))
    value_R, refused_R = parse_numbers(cells)
    value_R, refused_R = value_R.copy(), refused_R.copy()
    for row in np.flatnonzero(refused_R).tolist():
        text = cells[row].as_py().strip()
        number = None if text in MISSING else read_number(text)
        if number is not None:
            value_R[row], refused_R[row] = float(number), False
    return value_R, refused_R

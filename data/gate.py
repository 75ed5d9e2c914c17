"""The gate before every predict: a frame of raw values becomes an array in the model's order, or says why not.

Shape legend: N rows, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import InputError
from data.cells import as_strings, parse_numbers
from data.columns import LARGEST, Column, FeatureSpec

_SHOWN = 40  # characters of a bad value in a message


@dataclass(frozen=True, kw_only=True)
class Gated:
    """A frame that went through the gate."""

    values: NDArray[np.float64]  # (N, F) in spec order: numbers; categories as codes 0..k-1; NaN: missing or unseen
    errors: dict[int, str] = field(default_factory=dict)  # row position -> "CODE: words"; the first fault of a row
    warnings: dict[str, int] = field(default_factory=dict)  # "UNSEEN_CATEGORY city" -> rows
    extra: tuple[str, ...] = ()  # columns that the spec does not know, in the frame's order


def gate(frame: pd.DataFrame, spec: FeatureSpec) -> Gated:
    """Check a frame against the spec, column by column; the order of the frame's columns does not matter.

    A row is refused (its errors entry) for text in a number column (NOT_A_NUMBER), infinity (NON_FINITE), a value
    outside the hard range or beyond 1e15 (OUT_OF_RANGE), or a NUL byte (NUL_BYTE); its values stay NaN where they
    were refused. A category that training never saw becomes NaN and is counted. Raises InputError for a missing
    column (SCHEMA_MISSING, naming all) and for duplicate names (DUPLICATE_COLUMN).
    """
    check_names(frame.columns, spec)
    values_NF = np.empty((len(frame), len(spec.columns)), order="F")
    errors: dict[int, str] = {}
    warnings: dict[str, int] = {}
    for place, column in enumerate(spec.columns):
        fill = _fill_number if column.kind == "number" else _fill_category
        fill(frame[column.name], column, values_NF[:, place], errors, warnings)
    _check_ranges(values_NF, spec, errors, warnings)
    known = set(spec.names)
    extra = tuple(str(name) for name in frame.columns if name not in known)
    return Gated(values=values_NF, errors=dict(sorted(errors.items())), warnings=warnings, extra=extra)


def check_names(names: Sequence[str], spec: FeatureSpec) -> None:
    """Raise InputError where a column of the spec is not among the names, or a name comes twice."""
    index = pd.Index(names)
    if not index.is_unique:
        twice = ", ".join(sorted({repr(str(name)) for name in index[index.duplicated()]}))
        raise InputError(
            f"the table names {twice} more than once; give every column its own name", code="DUPLICATE_COLUMN"
        )
    missing = [name for name in spec.names if name not in index]
    if missing:
        raise InputError(
            f"the table lacks {len(missing)} of the model's {len(spec.columns)} columns: {', '.join(missing)}",
            code="SCHEMA_MISSING",
        )


def _check_ranges(
    values_NF: NDArray[np.float64], spec: FeatureSpec, errors: dict[int, str], warnings: dict[str, int]
) -> None:
    """Refuse and count. All columns are looked at once; only those with something odd are looked at by row."""
    if not len(values_NF):
        return
    low_F, high_F = np.fmin.reduce(values_NF, axis=0).tolist(), np.fmax.reduce(values_NF, axis=0).tolist()
    for place, (column, low, high) in enumerate(zip(spec.columns, low_F, high_F, strict=True)):
        if low != low:  # NaN: not one value in the column
            if column.missing_rate < 1.0 and f"UNSEEN_CATEGORY {column.name}" not in warnings:
                warnings[f"ALL_MISSING {column.name}"] = len(values_NF)
            continue
        if column.kind == "category":
            continue
        hard_low = -LARGEST if column.low is None else max(-LARGEST, column.low)
        hard_high = LARGEST if column.high is None else min(LARGEST, column.high)
        x_N = values_NF[:, place]
        if low < hard_low or high > hard_high:
            _refuse(x_N, np.isinf(x_N), "NON_FINITE", column, "a finite number is allowed", errors)
            allowed = f"allowed is {hard_low:g} to {hard_high:g}"
            _refuse(x_N, (x_N < hard_low) | (x_N > hard_high), "OUT_OF_RANGE", column, allowed, errors)
        if (column.soft_low is not None and low < column.soft_low) or (
            column.soft_high is not None and high > column.soft_high
        ):
            _count_outside(x_N, column, warnings)


def _count_outside(x_N: NDArray[np.float64], column: Column, warnings: dict[str, int]) -> None:
    soft_low = -np.inf if column.soft_low is None else column.soft_low
    soft_high = np.inf if column.soft_high is None else column.soft_high
    outside = (x_N < soft_low) | (x_N > soft_high)
    for code in column.special_codes:
        outside &= x_N != code
    if count := int(outside.sum()):
        warnings[f"OUTSIDE_TRAINING_RANGE {column.name}"] = count


def _fill_number(
    series: pd.Series, column: Column, out_N: NDArray[np.float64], errors: dict[int, str], warnings: dict[str, int]
) -> None:
    if series.dtype.kind in "iuf" and isinstance(series.dtype, np.dtype):
        out_N[:] = series.to_numpy()
    elif pd.api.types.is_numeric_dtype(series.dtype):
        out_N[:] = series.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        _parse_text(series, column, out_N, errors)


def _parse_text(series: pd.Series, column: Column, out_N: NDArray[np.float64], errors: dict[int, str]) -> None:
    cells = _cells(series)
    parsed, refused = parse_numbers(cells, percent=column.percent, boolean=column.boolean)
    out_N[:] = parsed
    for at in np.flatnonzero(refused):
        value = cells[int(at)].as_py()
        if "\0" in value:
            errors.setdefault(int(at), f"NUL_BYTE: column {column.name!r} holds a NUL byte")
        errors.setdefault(int(at), f"NOT_A_NUMBER: column {column.name!r} holds {_shown(value)}; a number is allowed")
        out_N[at] = np.nan


def _refuse(
    out_N: NDArray[np.float64],
    hit_N: NDArray[np.bool_],
    code: str,
    column: Column,
    allowed: str,
    errors: dict[int, str],
) -> None:
    for at in np.flatnonzero(hit_N):
        errors.setdefault(int(at), f"{code}: column {column.name!r} holds {out_N[at]:g}; {allowed}")
        out_N[at] = np.nan


def _fill_category(
    series: pd.Series, column: Column, out_N: NDArray[np.float64], errors: dict[int, str], warnings: dict[str, int]
) -> None:
    cells = _cells(series)
    codes = pc.index_in(cells, value_set=pa.array(column.categories, pa.string()))
    out_N[:] = pc.cast(codes, pa.float64()).to_numpy(zero_copy_only=False)
    if codes.null_count == 0:
        return
    empty = pc.fill_null(pc.equal(pc.binary_length(cells), 0), True)
    unseen = pc.and_(pc.is_null(codes), pc.invert(empty))
    places = np.flatnonzero(unseen.to_numpy(zero_copy_only=False))
    if not len(places):
        return
    warnings[f"UNSEEN_CATEGORY {column.name}"] = len(places)
    nul = pc.match_substring(cells.take(pa.array(places)), "\0").to_numpy(zero_copy_only=False)
    for at in places[nul.astype(bool)]:
        errors.setdefault(int(at), f"NUL_BYTE: column {column.name!r} holds a NUL byte")


def _cells(series: pd.Series) -> pa.Array:
    """The column as strings: as a CSV would hold them, whole numbers without a point."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    if series.dtype.kind == "f":
        whole = series.notna() & (series == series.round()) & (series.abs() < 1e15)
        written = series.astype("str").where(~whole, series.where(whole, 0).astype("int64").astype("str"))
        series = written.where(series.notna())
    elif series.dtype.kind in "iub" or series.dtype == object:
        series = series.where(series.isna(), series.astype("str"))
    return as_strings(pa.array(series, from_pandas=True))


def _shown(value: str) -> str:
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")

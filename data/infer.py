"""Makes a `FeatureSpec` from a training table: which columns are features, of which kind, and what is usual in them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import InputError
from data.cells import BOOLEANS, MISSING, as_strings, parse_number, parse_numbers
from data.columns import LARGEST, Column, FeatureSpec
from data.dates import looks_like_dates
from data.special_codes import find_special_codes
from data.wording import is_personal, words_for

MAX_CATEGORIES = 100
NUMBER_SHARE = 0.9  # of the text cells of a column must be numbers by rule for it to be a column of numbers
BINS = 10
_MAX_AGE_YEARS = 130.0


@dataclass(frozen=True)
class _Dropped(Exception):  # noqa: N818 - no fault: the reason why a column is no feature, carried out of the depth
    reason: str


def infer_spec(
    frame: pd.DataFrame,
    *,
    target: str | None,
    id_column: str | None = None,
    ignore: Collection[str] = (),
    time: str | None = None,
    group: str | None = None,
) -> FeatureSpec:
    """The spec of a training table.

    No features: target, id, time, group and `ignore`; constant columns; dates; row numbers; text of more than a
    hundred levels. `notes` says why. Raises InputError for a named column that the frame has not, duplicate names,
    and where no feature is left.
    """
    named = {"target": target, "id": id_column, "time": time, "group": group}
    absent = [name for name in (*named.values(), *ignore) if name is not None and name not in frame.columns]
    if absent:
        columns = ", ".join(map(str, frame.columns))
        raise InputError(
            f"the table has no column {', '.join(map(repr, absent))}; it has {columns}", code="UNKNOWN_COLUMN"
        )
    if not frame.columns.is_unique:
        raise InputError(
            "the table names a column more than once; give every column its own name", code="DUPLICATE_COLUMN"
        )
    features: list[Column] = []
    ignored: list[str] = []
    notes: list[str] = []
    for name in map(str, frame.columns):
        if name == target:
            continue
        if name in named.values() or name in ignore:
            ignored.append(name)
            continue
        try:
            features.append(infer_column(frame[name], name))
        except _Dropped as dropped:
            ignored.append(name)
            notes.append(f"column {name!r} is not used: {dropped.reason}")
    if not features:
        raise InputError(f"the table has no column that can be a feature ({'; '.join(notes)})", code="NO_FEATURES")
    return FeatureSpec(
        columns=tuple(features), target=target, id_column=id_column, ignored=tuple(ignored), notes=tuple(notes)
    )


def infer_column(series: pd.Series, name: str) -> Column:
    """One column. Raises _Dropped where it is no feature."""
    if series.dtype.kind == "M":
        raise _Dropped("it holds dates")
    if pd.api.types.is_numeric_dtype(series.dtype):
        return _number(series.to_numpy(dtype=np.float64, na_value=np.nan), name, ordered=series.dtype.kind in "iu")
    cells = as_strings(pa.array(series.astype("str").where(series.notna()), from_pandas=True))
    counted = pc.value_counts(cells.drop_null())
    levels = pd.Series(counted.field("counts").to_numpy(), index=counted.field("values").to_pylist(), dtype=np.int64)
    levels = levels[levels.index != ""]
    present = levels[~levels.index.isin(MISSING)]
    if present.empty:
        raise _Dropped("every value is missing")
    if all(str(level).strip().casefold() in BOOLEANS for level in present.index):
        return _number(parse_numbers(cells, boolean=True)[0], name, boolean=True)
    percent = _share(present, lambda cell: cell.strip().endswith(("%", "％"))) > 0.5
    if _share(present, lambda cell: parse_number(cell, percent=percent) is not None) >= NUMBER_SHARE:
        if _codes_of_digits(present):
            raise _Dropped("it holds codes written in digits, each nearly its own")
        return _number(parse_numbers(cells, percent=percent)[0], name, percent=percent)
    if looks_like_dates(present.index):
        raise _Dropped("it holds dates")
    return _category(levels, len(series), name)


def _number(
    x_N: NDArray[np.float64], name: str, *, ordered: bool = False, percent: bool = False, boolean: bool = False
) -> Column:
    x_N = np.where(np.abs(x_N) <= LARGEST, x_N, np.nan)  # the gate refuses rows with more, infinity among it
    present = x_N[~np.isnan(x_N)]
    if not len(present):
        raise _Dropped(f"every value is missing or beyond {LARGEST:g}")
    missing = 1.0 - len(present) / len(x_N)
    if missing == 0.0 and present.min() == present.max():
        raise _Dropped(f"it is constant ({present[0]:g})")
    if ordered and missing == 0.0 and _counts_rows(x_N):
        raise _Dropped("it numbers the rows")
    codes = find_special_codes(present)
    usual = present[~np.isin(present, codes)]
    bins, shares = number_bins(usual)
    english, chinese = words_for(name)
    years = english in ("age", "age years") and usual.min() >= 0 and usual.max() <= _MAX_AGE_YEARS
    return Column(
        name=name,
        kind="number",
        low=0.0 if years and not codes else None,
        high=150.0 if years and not codes else None,
        soft_low=float(usual.min()),
        soft_high=float(usual.max()),
        missing_rate=missing,
        special_codes=codes,
        words_en=english,
        words_zh=chinese,
        pii=is_personal(name),
        percent=percent,
        boolean=boolean or bool(np.isin(usual, (0.0, 1.0)).all()),
        mean=float(usual.mean()),
        std=float(usual.std()),
        bins=bins,
        shares=shares,
    )


def number_bins(usual: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Inner edges of at most ten bins of equal count, and the share in each; equal edges are joined."""
    edges = np.unique(np.quantile(usual, np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
    edges = edges[edges < usual.max()]
    counts = np.bincount(np.searchsorted(edges, usual, side="left"), minlength=len(edges) + 1)
    return tuple(edges.tolist()), tuple((counts / len(usual)).tolist())


def _category(levels: pd.Series, rows: int, name: str) -> Column:
    """Categories in order of their text, so that the codes do not depend on the order of the rows."""
    count = int(levels.sum())
    if len(levels) == 1 and count == rows:
        raise _Dropped(f"it is constant ({levels.index[0]})")
    if len(levels) > MAX_CATEGORIES:
        raise _Dropped(f"it is text of {len(levels)} different values; at most {MAX_CATEGORIES} are used")
    if len(levels) > 0.5 * count and count > 20:
        raise _Dropped("it is text that is nearly its own in every row")
    levels = levels.sort_index()
    english, chinese = words_for(name)
    return Column(
        name=name,
        kind="category",
        missing_rate=1.0 - count / rows,
        categories=tuple(str(level) for level in levels.index),
        words_en=english,
        words_zh=chinese,
        pii=is_personal(name),
        shares=tuple((levels / count).tolist()),
    )


def _share(levels: pd.Series, holds: Callable[[str], bool]) -> float:
    """Share of the cells whose text passes the test."""
    passed = np.array([holds(str(level)) for level in levels.index])
    return float(levels.to_numpy()[passed].sum() / levels.to_numpy().sum())


def _codes_of_digits(levels: pd.Series) -> bool:
    """Padded or very long digits (00123, account numbers), mostly with an own value in each row."""
    written = [str(level) for level in levels.index]
    padded = sum(
        (len(cell) > 1 and cell[0] == "0" and cell.isdigit()) or (len(cell) > 15 and cell.isdigit()) for cell in written
    )
    return padded > 0 and len(written) > MAX_CATEGORIES


def _counts_rows(x_N: NDArray[np.float64]) -> bool:
    """Whole numbers that rise from row to row and fill at least half of their range: a row number or an index."""
    steps = np.diff(x_N)
    return len(x_N) >= 50 and bool(np.all(steps > 0)) and float(steps.mean()) <= 2.0

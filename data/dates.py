"""Dates and times in tables: ISO text, Chinese forms, compact digits, Excel's day numbers, time stamps."""

import re
from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError

_ISO = re.compile(
    r"\d{4}[-/.年]\d{1,2}([-/.月]\d{1,2}日?)?([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?月?"
)
_COMPACT = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_SERIAL = re.compile(r"\d{5}(\.\d+)?")
_EXCEL_ZERO: Final = pd.Timestamp(
    "1899-12-30"
)  # day 0, so that 60 is Excel's 29 February 1900 and later days are right
_SERIALS: Final = (10_000.0, 80_000.0)  # 1927 to 2119


def looks_like_dates(cells: Iterable[str]) -> bool:
    """Whether nearly all of these cells are dates, of which at least one is written with separators."""
    written = [cell.strip() for cell in cells if cell.strip()][:2000]
    separated = sum(_ISO.fullmatch(cell) is not None for cell in written)
    return separated > 0 and sum(_is_date(cell) for cell in written) >= 0.9 * len(written)


def parse_dates(series: pd.Series) -> NDArray[np.datetime64]:
    """Times (n,) as datetime64[s] in UTC; NaT where the cell is missing.

    Read are datetime columns, ISO text (2024-01-31, 2024/1/31, also with a time of day and a zone), 2024年1月31日,
    20240131, years alone, and Excel's day numbers from 10,000 (1927) to 80,000 (2119). Raises InputError naming the
    first row that is none of these.
    """
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        return np.asarray(series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(), dtype="datetime64[s]")
    if series.dtype.kind == "M":
        return np.asarray(series.to_numpy(), dtype="datetime64[s]")
    cells = series.astype("str").where(series.notna(), "")
    if pd.api.types.is_float_dtype(series.dtype):
        cells = cells.str.removesuffix(".0")
    levels = pd.unique(cells)
    known = {level: _parse(str(level)) for level in levels}
    wrong = next((level for level in levels if known[level] is None), None)
    if wrong is not None:
        at = int(np.flatnonzero((cells == wrong).to_numpy())[0])
        raise InputError(
            f"column {series.name!r}, row {at + 1}: {wrong!r} is no date; write 2024-01-31", code="NOT_A_DATE"
        )
    return np.array([known[cell] for cell in cells], dtype="datetime64[s]")


def _is_date(cell: str) -> bool:
    return any(form.fullmatch(cell) for form in (_ISO, _COMPACT, _SERIAL))


def _parse(cell: str) -> np.datetime64 | None:
    cell = cell.strip()
    if not cell:
        return np.datetime64("NaT", "s")
    try:
        if _SERIAL.fullmatch(cell):
            days = float(cell)
            return _seconds(_EXCEL_ZERO + pd.Timedelta(days=days)) if _SERIALS[0] <= days <= _SERIALS[1] else None
        if _COMPACT.fullmatch(cell):
            return _seconds(pd.Timestamp(f"{cell[:4]}-{cell[4:6]}-{cell[6:]}"))
        if re.fullmatch(r"(19|20)\d{2}", cell):
            return _seconds(pd.Timestamp(f"{cell}-01-01"))
        if _ISO.fullmatch(cell):
            return _seconds(pd.Timestamp(_iso(cell)))
    except ValueError:
        return None
    return None


def _iso(cell: str) -> str:
    head, mark, tail = re.sub("[日]", "", cell).partition(":")
    date, gap, hour = re.sub(r"[/.年月]", "-", head).rstrip("-").partition("T" if "T" in head else " ")
    parts = [*date.split("-"), "1"][:3]
    return "-".join(part.zfill(2) for part in parts) + (f"T{hour.zfill(2)}{mark}{tail}" if gap else "")


def _seconds(moment: pd.Timestamp) -> np.datetime64:
    if moment.tz is not None:
        moment = moment.tz_convert("UTC").tz_localize(None)
    return np.datetime64(moment.to_datetime64(), "s")

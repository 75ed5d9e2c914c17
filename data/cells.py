"""What a cell of text means: missing, a number, a yes or no, a date. Every rule is here, and nothing becomes missing
silently: a cell is a value by rule, missing by rule, or it is refused."""

import re
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MISSING: Final = (
    "",
    "NA",
    "N/A",
    "n/a",
    "na",
    "NaN",
    "nan",
    "NAN",
    "null",
    "NULL",
    "Null",
    "None",
    "none",
    "#N/A",
    "?",
)
BOOLEANS: Final = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0", "是", "真"), 1.0),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0", "否", "假"), 0.0),
}
_MISSING = pa.array(MISSING, pa.string())
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0xA0: " ", 0x2212: "-"}
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
EXACT_INTEGERS: Final = 2**53  # float64 holds every integer up to here


def parse_number(cell: str, *, percent: bool = False, boolean: bool = False) -> float | None:
    """The number that a cell means; NaN where it is missing by rule; None where it is no number.

    Accepted besides plain numbers: blanks around, full-width digits and signs, thousands in groups of three
    (1,234), and where the column is known for it a percent sign (12% is 0.12) or a yes or no.

    >>> parse_number("１,234.5"), parse_number("12,5"), parse_number("12%"), parse_number("12%", percent=True)
    (1234.5, None, None, 0.12)
    """
    text = cell.translate(_WIDE).strip()
    if text in MISSING:
        return float("nan")
    if boolean and text.casefold() in BOOLEANS:
        return BOOLEANS[text.casefold()]
    scale = 1.0
    if percent and text.endswith("%"):
        text, scale = text[:-1].rstrip(), 100.0
    if _PLAIN.fullmatch(text) or _INFINITE.fullmatch(text):
        return float(text) / scale
    if _GROUPED.fullmatch(text):
        return float(text.replace(",", "")) / scale
    return None


def parse_numbers(
    cells: pa.Array | pa.ChunkedArray, *, percent: bool = False, boolean: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers (n,) with NaN for missing, and a mask (n,) of the cells that are no number."""
    cells = as_strings(cells)
    fast = None if percent else to_numbers(cells, forced=True)
    if fast is not None:
        return floats(fast), np.zeros(len(cells), bool)
    encoded = cells.dictionary_encode()
    known = encoded.dictionary.to_pylist()
    found = [parse_number(cell, percent=percent, boolean=boolean) for cell in known]
    values = np.array([np.nan if value is None else value for value in found] + [np.nan])
    refused = np.array([value is None for value in found] + [False])
    codes = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
    return values[codes], refused[codes]


def to_numbers(cells: pa.Array, *, forced: bool = False) -> pa.Array | None:
    """The column as int64 or float64 with nulls for missing; None where a cell is no plain number.

    Not forced, a column of digits stays text where a number would lose something: 00123, or more digits than
    a float64 holds beside missing cells.
    """
    for kind in (pa.float64(),) if forced else (pa.int64(), pa.float64()):
        for empty_only in (True, False):
            numbers = _cast(cells, kind, empty_only=empty_only)
            if numbers is None:
                continue
            if not forced and _loses(cells, numbers):
                return None
            return numbers
    return None


def without_missing(cells: pa.Array, *, empty_only: bool) -> pa.Array:
    """Null for the cells that mean "missing"."""
    blank = pc.equal(pc.binary_length(cells), 0) if empty_only else pc.is_in(cells, value_set=_MISSING)
    return pc.if_else(blank, None, cells)


def with_decimal_point(cells: pa.Array) -> pa.Array:
    """Cells such as 1,5 and 1.234,50, rewritten as 1.5 and 1234.50, in a column that is mostly such numbers."""
    number = pc.match_substring_regex(cells, r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d*)?$")
    filled = pc.greater(pc.binary_length(cells), 0)
    if 2 * (pc.sum(number).as_py() or 0) < (pc.sum(filled).as_py() or 0):
        return cells
    rewritten = pc.replace_substring(pc.replace_substring(cells, ".", ""), ",", ".")
    return pc.if_else(number, rewritten, cells)


def as_strings(cells: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array of type string."""
    if isinstance(cells, pa.ChunkedArray):
        cells = cells.combine_chunks()
    if pa.types.is_dictionary(cells.type) or not pa.types.is_string(cells.type):
        cells = pc.cast(cells, pa.string())
    return cells


def floats(numbers: pa.Array) -> NDArray[np.float64]:
    """float64 with NaN for null."""
    return np.asarray(pc.cast(numbers, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _cast(cells: pa.Array, kind: pa.DataType, *, empty_only: bool) -> pa.Array | None:
    for part in (cells[:64], cells):  # the head first: a failure over all rows costs more than the cast
        try:
            numbers = pc.cast(without_missing(part, empty_only=empty_only), kind)
        except pa.ArrowInvalid:
            return None
    return numbers


def _loses(cells: pa.Array, numbers: pa.Array) -> bool:
    if pa.types.is_integer(numbers.type):
        if _may_pad(cells) and pc.any(pc.match_substring_regex(cells, "^-?0.")).as_py():
            return True
        if not numbers.null_count:
            return False
    largest = pc.max(pc.abs(numbers)).as_py()
    if largest is None or largest <= EXACT_INTEGERS:
        return False
    return bool(pc.any(pc.match_substring_regex(cells, "^[+-]?[0-9]{16,}$")).as_py())


def _may_pad(cells: pa.Array) -> bool:
    """Whether any cell longer than one character begins with 0 or -0: a cheap look before the regular expression."""
    leading = pc.or_(pc.starts_with(cells, "0"), pc.starts_with(cells, "-0"))
    return bool(pc.any(pc.and_(leading, pc.greater(pc.binary_length(cells), 1))).as_py())

"""Finds values that are codes and no amounts: -9 "no record", 98 "refused", 999 "never"."""

import re

import numpy as np
from numpy.typing import NDArray

_MIN_ROWS = 5  # of all codes of a column together
_MAX_CODES = 4
_TOP_CODE = re.compile(r"9+[0-9]?|77+|88+|66+")
_LOW_CODE = re.compile(r"-([1-9]|9+[0-9]|77+|88+)")


def find_special_codes(x_N: NDArray[np.float64]) -> tuple[float, ...]:
    """Special codes of one column, ascending. NaN is skipped.

    Two signs are asked for at once: the value looks like a code, and it stands apart. Below: a few whole negative
    numbers under a column that is otherwise never negative, with a gap of at least 3 (or -1 alone under at least
    twenty values). Above and below: at most four numbers of nines, sevens or eights, farther from the rest than
    twice the rest's range.
    """
    values, counts = np.unique(x_N[np.isfinite(x_N)], return_counts=True)
    if len(values) < 3:
        return ()
    low = _negative_codes(values, counts) or _far_codes(-values[::-1], counts[::-1], sign=-1)
    above = len(low)
    high = _far_codes(values[above:], counts[above:], sign=1)
    return tuple(sorted({*low, *high}))


def _negative_codes(values: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[float, ...]:
    below = int(np.searchsorted(values, 0.0))
    codes, rest = values[:below], values[below:]
    if not 1 <= below <= _MAX_CODES or counts[:below].sum() < _MIN_ROWS or len(rest) < 2:
        return ()
    if not all(_looks_like(value, _LOW_CODE) for value in codes):
        return ()
    if rest[0] - codes[-1] >= 3 or (len(codes) == 1 and codes[0] == -1 and len(rest) >= 20):
        return tuple(float(code) for code in codes)
    return ()


def _far_codes(values: NDArray[np.float64], counts: NDArray[np.int64], *, sign: int) -> tuple[float, ...]:
    """Codes at the upper end of ascending values (which are the negated ones for the lower end)."""
    for size in range(_MAX_CODES, 0, -1):
        if len(values) - size < 2:
            continue
        rest, codes = values[:-size], values[-size:]
        apart = codes[0] - rest[-1] > 2 * max(rest[-1] - rest[0], 1.0)
        if apart and counts[-size:].sum() >= _MIN_ROWS and all(_looks_like(value, _TOP_CODE) for value in codes):
            return tuple(sign * float(code) for code in codes)
    return ()


def _looks_like(value: float, pattern: re.Pattern[str]) -> bool:
    return float(value).is_integer() and abs(value) < 1e9 and pattern.fullmatch(str(int(value))) is not None

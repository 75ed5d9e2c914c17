"""Measures that are sums over windows: how many, how much, how spread, how regular. View, W windows -> (W, N).

All sums come in as exact integers, and after them only additions, products, quotients and roots are used, which every
machine rounds alike. What cannot be said (no transaction, no spread) is NaN.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.transactions.quantities import (
    AMOUNT,
    COSINE,
    COUNT,
    GAP,
    GAP_SQUARE,
    LOG,
    LOG_SQUARE,
    LOG_UNIT,
    PLACE_GAP,
    PLACE_LOG,
    PLACE_SQUARE_LOG,
    REFUND,
    SINE,
    TURN_UNIT,
    gap_steps,
)
from pipelines.finance.transactions.view import Asked, View

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def count(view: View, asked: Asked, unit: float) -> Floats:
    return view.counts(asked).astype(np.float64)


def total(view: View, asked: Asked, unit: float) -> Floats:
    return money(view, asked, unit)


def money(view: View, asked: Asked, unit: float) -> Floats:
    return np.asarray(view.sums(AMOUNT, asked) * unit, dtype=np.float64)


def mean(view: View, asked: Asked, unit: float) -> Floats:
    return over(money(view, asked, unit), view.counts(asked))


def spread(view: View, asked: Asked, unit: float) -> Floats:
    count = view.counts(asked)
    return np.where(count > 1, deviation(view, LOG, LOG_SQUARE, asked) / LOG_UNIT, np.nan)


def ratio(view: View, asked: Asked, unit: float) -> Floats:
    return over(view.looking.amount * view.counts(asked), money(view, asked, unit))


def zscore(view: View, asked: Asked, unit: float) -> Floats:
    count = view.counts(asked)
    off = view.looking.own(LOG) - over(view.sums(LOG, asked), count)
    return np.where(count > 1, off / (deviation(view, LOG, LOG_SQUARE, asked) + LOG_UNIT / 8), np.nan)


def share_of(quantity: int) -> Callable[[View, Asked, float], Floats]:
    def share(view: View, asked: Asked, unit: float) -> Floats:
        return over(view.sums(quantity, asked), view.counts(asked))

    return share


def refunds(view: View, asked: Asked, unit: float) -> Floats:
    return view.sums(REFUND, asked).astype(np.float64)


def usual_hour(view: View, asked: Asked, unit: float) -> Floats:
    """Mean cosine of the angle between this time of day and those of the window: 1 the same, -1 twelve hours off."""
    own = view.looking.own
    dot = view.sums(COSINE, asked) * own(COSINE) + view.sums(SINE, asked) * own(SINE)
    return over(dot / float(TURN_UNIT**2), view.counts(asked))


def gaps(view: View, asked: Asked) -> tuple[Ints, Ints, Ints]:
    """Number, sum and sum of squares (W, N) of the gaps between the transactions of the windows."""
    count = np.maximum(view.counts(asked) - 1, 0)
    return count, view.between(GAP, asked), view.between(GAP_SQUARE, asked)


def gap_mean(view: View, asked: Asked, unit: float) -> Floats:
    count, total, _ = gaps(view, asked)
    return over(total / LOG_UNIT, count)


def gap_spread(view: View, asked: Asked, unit: float) -> Floats:
    count, total, squares = gaps(view, asked)
    return np.where(count > 1, root(count, total, squares) / LOG_UNIT, np.nan)


def gap_zscore(view: View, asked: Asked, unit: float) -> Floats:
    count, total, squares = gaps(view, asked)
    last_N = view.last()
    since_N = np.where(last_N >= 0, view.looking.time_ms - view.past.times()[np.maximum(last_N, 0)], 0)
    steps_N = gap_steps(since_N)
    off = np.where(last_N >= 0, steps_N, np.nan) - over(total, count)
    return np.where(count > 1, off / (root(count, total, squares) + LOG_UNIT / 8), np.nan)


def trend(view: View, asked: Asked, unit: float) -> Floats:
    """Slope of the logarithm of the amount a transaction, by least squares."""
    return slope(view.counts(asked), view.starts(asked), view.sums(LOG, asked), view.sums(PLACE_LOG, asked))


def gap_trend(view: View, asked: Asked, unit: float) -> Floats:
    """Slope of the logarithm of the gap a transaction; the gap before the window's first one is not among them."""
    return slope(
        view.counts(asked) - 1, view.starts(asked) + 1, view.between(GAP, asked), view.between(PLACE_GAP, asked)
    )


def slope(count: Ints, first: Ints, total: Ints, placed: Ints) -> Floats:
    placed = placed - first * total  # places from the first of them; exact modulo 2^64
    n = count.astype(np.float64)
    twelve = 12.0 * placed - 6.0 * (n - 1) * total
    return np.where(count > 2, twelve / LOG_UNIT / np.maximum(n * (n * n - 1), 1), np.nan)


def curve(view: View, asked: Asked, unit: float) -> Floats:
    """Second discrete Legendre coefficient of the logarithm of the amount: high at both ends, low between."""
    count, start = view.counts(asked), view.starts(asked)
    zero, one, two = (view.sums(q, asked) for q in (LOG, PLACE_LOG, PLACE_SQUARE_LOG))
    two = two - 2 * start * one + start * start * zero
    one = one - start * zero
    n = count.astype(np.float64)
    bent = 6.0 * two - 6.0 * (n - 1) * one + (n - 1) * (n - 2) * zero
    return np.where(count > 3, bent / LOG_UNIT / np.maximum(n * (n - 1) * (n - 2), 1), np.nan)


def velocity(view: View, asked: Asked, unit: float) -> Floats:
    """Share of the transactions of the longest window that fall into this one."""
    return over(view.counts(asked), view.whole(COUNT, asked))


def amount_velocity(view: View, asked: Asked, unit: float) -> Floats:
    return over(view.sums(AMOUNT, asked), view.whole(AMOUNT, asked))


def root(count: Ints, total: Ints, squares: Ints) -> Floats:
    """Standard deviation of `count` values from their sum and sum of squares: the variance is exact in integers."""
    safe = np.maximum(count, 1)
    return np.asarray(np.sqrt((count * squares - total * total) / (safe * safe.astype(np.float64))))


def deviation(view: View, quantity: int, square: int, asked: Asked) -> Floats:
    return root(view.counts(asked), view.sums(quantity, asked), view.sums(square, asked))


def over(top: Floats | Ints, bottom: Floats | Ints) -> Floats:
    """top / bottom, NaN where bottom is 0; whoever calls a measure lets numpy divide by 0 in silence."""
    quotient = top / bottom
    return np.asarray(np.where(bottom == 0, np.nan, quotient), dtype=np.float64)

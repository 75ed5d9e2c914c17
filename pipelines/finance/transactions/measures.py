"""The measures: what a feature says of a window of the past. Written once, for tables and streams alike.

Every measure takes a view and W windows and gives (W, N); what cannot be said (no transaction, no spread, no label) is
NaN. All sums come in as exact integers, and after them only additions, products, quotients and roots are used, which
every machine rounds alike.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.transactions.quantities import (
    AMOUNT,
    COSINE,
    COUNT,
    FRAUD,
    GAP,
    GAP_SQUARE,
    LABELLED,
    LOG,
    LOG_SQUARE,
    LOG_UNIT,
    NIGHT,
    PLACE_GAP,
    PLACE_LOG,
    PLACE_SQUARE_LOG,
    REFUND,
    SINE,
    TURN_UNIT,
    WEEKEND,
    gap_steps,
)
from pipelines.finance.transactions.view import Asked, View

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LONGEST = "90d"  # velocity compares a window with this one


@dataclass(frozen=True)
class Measure:
    """A measure: the quantities that it sums, whether it looks at known labels only, and its words.

    In the words `{key}` is the card, shop or pair, `{window}` the window, `{partner}` what is counted.
    """

    make: Callable[[View, Asked, float], Floats]  # view, windows, currency units of a step of the amount
    needs: tuple[int, ...]
    words_en: str
    words_zh: str
    lagged: bool = False
    against: str = ""  # a window that is always looked at too


def _count(view: View, asked: Asked, unit: float) -> Floats:
    return view.counts(asked).astype(np.float64)


def _sum(view: View, asked: Asked, unit: float) -> Floats:
    return _money(view, asked, unit)


def _money(view: View, asked: Asked, unit: float) -> Floats:
    return np.asarray(view.sums(AMOUNT, asked) * unit, dtype=np.float64)


def _mean(view: View, asked: Asked, unit: float) -> Floats:
    return _over(_money(view, asked, unit), view.counts(asked))


def _spread(view: View, asked: Asked, unit: float) -> Floats:
    count = view.counts(asked)
    return np.where(count > 1, _deviation(view, LOG, LOG_SQUARE, asked) / LOG_UNIT, np.nan)


def _ratio(view: View, asked: Asked, unit: float) -> Floats:
    return _over(view.looking.amount * view.counts(asked), _money(view, asked, unit))


def _zscore(view: View, asked: Asked, unit: float) -> Floats:
    count = view.counts(asked)
    off = view.looking.own(LOG) - _over(view.sums(LOG, asked), count)
    return np.where(count > 1, off / (_deviation(view, LOG, LOG_SQUARE, asked) + LOG_UNIT / 8), np.nan)


def _share_of(quantity: int) -> Callable[[View, Asked, float], Floats]:
    def share(view: View, asked: Asked, unit: float) -> Floats:
        return _over(view.sums(quantity, asked), view.counts(asked))

    return share


def _refunds(view: View, asked: Asked, unit: float) -> Floats:
    return view.sums(REFUND, asked).astype(np.float64)


def _usual_hour(view: View, asked: Asked, unit: float) -> Floats:
    """Mean cosine of the angle between this time of day and those of the window: 1 the same, -1 twelve hours off."""
    own = view.looking.own
    dot = view.sums(COSINE, asked) * own(COSINE) + view.sums(SINE, asked) * own(SINE)
    return _over(dot / float(TURN_UNIT**2), view.counts(asked))


def _gaps(view: View, asked: Asked) -> tuple[Ints, Ints, Ints]:
    """Number, sum and sum of squares (W, N) of the gaps between the transactions of the windows."""
    count = np.maximum(view.counts(asked) - 1, 0)
    return count, view.between(GAP, asked), view.between(GAP_SQUARE, asked)


def _gap_mean(view: View, asked: Asked, unit: float) -> Floats:
    count, total, _ = _gaps(view, asked)
    return _over(total / LOG_UNIT, count)


def _gap_spread(view: View, asked: Asked, unit: float) -> Floats:
    count, total, squares = _gaps(view, asked)
    return np.where(count > 1, _root(count, total, squares) / LOG_UNIT, np.nan)


def _gap_zscore(view: View, asked: Asked, unit: float) -> Floats:
    count, total, squares = _gaps(view, asked)
    last_N = view.last()
    since_N = np.where(last_N >= 0, view.looking.time_ms - view.past.times()[np.maximum(last_N, 0)], 0)
    steps_N = gap_steps(since_N)
    off = np.where(last_N >= 0, steps_N, np.nan) - _over(total, count)
    return np.where(count > 1, off / (_root(count, total, squares) + LOG_UNIT / 8), np.nan)


def _trend(view: View, asked: Asked, unit: float) -> Floats:
    """Slope of the logarithm of the amount a transaction, by least squares."""
    return _slope(view.counts(asked), view.starts(asked), view.sums(LOG, asked), view.sums(PLACE_LOG, asked))


def _gap_trend(view: View, asked: Asked, unit: float) -> Floats:
    """Slope of the logarithm of the gap a transaction; the gap before the window's first one is not among them."""
    return _slope(
        view.counts(asked) - 1, view.starts(asked) + 1, view.between(GAP, asked), view.between(PLACE_GAP, asked)
    )


def _slope(count: Ints, first: Ints, total: Ints, placed: Ints) -> Floats:
    placed = placed - first * total  # places from the first of them; exact modulo 2^64
    n = count.astype(np.float64)
    twelve = 12.0 * placed - 6.0 * (n - 1) * total
    return np.where(count > 2, twelve / LOG_UNIT / np.maximum(n * (n * n - 1), 1), np.nan)


def _curve(view: View, asked: Asked, unit: float) -> Floats:
    """Second discrete Legendre coefficient of the logarithm of the amount: high at both ends, low between."""
    count, start = view.counts(asked), view.starts(asked)
    zero, one, two = (view.sums(q, asked) for q in (LOG, PLACE_LOG, PLACE_SQUARE_LOG))
    two = two - 2 * start * one + start * start * zero
    one = one - start * zero
    n = count.astype(np.float64)
    bent = 6.0 * two - 6.0 * (n - 1) * one + (n - 1) * (n - 2) * zero
    return np.where(count > 3, bent / LOG_UNIT / np.maximum(n * (n - 1) * (n - 2), 1), np.nan)


def _distinct(view: View, asked: Asked, unit: float) -> Floats:
    return view.past.distinct(asked.windows, view.starts(asked), view.end()).astype(np.float64)


def _distinct_share(view: View, asked: Asked, unit: float) -> Floats:
    return _over(view.past.distinct(asked.windows, view.starts(asked), view.end()), view.counts(asked))


def _velocity(view: View, asked: Asked, unit: float) -> Floats:
    """Share of the transactions of the longest window that fall into this one."""
    return _over(view.counts(asked), view.whole(COUNT, asked))


def _amount_velocity(view: View, asked: Asked, unit: float) -> Floats:
    return _over(view.sums(AMOUNT, asked), view.whole(AMOUNT, asked))


def _since(view: View, asked: Asked, unit: float) -> Floats:
    """Seconds since the transaction so many before."""
    return view.since(view.back(asked))


def _first(view: View, asked: Asked, unit: float) -> Floats:
    return np.asarray((view.counts(asked) == 0).astype(np.float64))


def _age(view: View, asked: Asked, unit: float) -> Floats:
    """Seconds since the oldest transaction of the window."""
    start, end = view.starts(asked), view.end()
    return view.since(np.where(start < end, start, -1))


def _step(view: View, asked: Asked, unit: float) -> Floats:
    """This amount over the amount so many transactions before."""
    place_WN = view.back(asked)
    then_WN = np.where(place_WN >= 0, view.value(AMOUNT, place_WN), 0)
    return _over(view.looking.amount, then_WN * unit)


def _labelled(view: View, asked: Asked, unit: float) -> Floats:
    return view.sums(LABELLED, asked).astype(np.float64)


def _frauds(view: View, asked: Asked, unit: float) -> Floats:
    return view.sums(FRAUD, asked).astype(np.float64)


def _risk(view: View, asked: Asked, unit: float) -> Floats:
    return _over(view.sums(FRAUD, asked), view.sums(LABELLED, asked))


def _last_fraud(view: View, asked: Asked, unit: float) -> Floats:
    return view.since(view.frauds(asked)[1])


def _first_fraud(view: View, asked: Asked, unit: float) -> Floats:
    return view.since(view.frauds(asked)[0])


def _good_since(view: View, asked: Asked, unit: float) -> Floats:
    """Known good transactions since the last known fraud."""
    end_N = view.end(lagged=True)
    last_WN = view.frauds(asked)[1]
    prefix = view.past.prefix(LABELLED)
    return np.where(last_WN >= 0, prefix[end_N] - prefix[np.maximum(last_WN, -1) + 1], np.nan)


def _over(top: Floats | Ints, bottom: Floats | Ints) -> Floats:
    """top / bottom, NaN where bottom is 0; whoever calls a measure lets numpy divide by 0 in silence."""
    quotient = top / bottom
    return np.asarray(np.where(bottom == 0, np.nan, quotient), dtype=np.float64)


def _root(count: Ints, total: Ints, squares: Ints) -> Floats:
    """Standard deviation of `count` values from their sum and sum of squares: the variance is exact in integers."""
    safe = np.maximum(count, 1)
    return np.asarray(np.sqrt((count * squares - total * total) / (safe * safe.astype(np.float64))))


def _deviation(view: View, quantity: int, square: int, asked: Asked) -> Floats:
    return _root(view.counts(asked), view.sums(quantity, asked), view.sums(square, asked))


MEASURES: dict[str, Measure] = {
    "count": Measure(_count, (COUNT,), "transactions of the {key} in the {window}", "{key}{window}的交易笔数"),
    "sum": Measure(_sum, (AMOUNT,), "amount of the {key} in the {window}", "{key}{window}的交易总额"),
    "mean": Measure(_mean, (AMOUNT, COUNT), "mean amount of the {key} in the {window}", "{key}{window}的平均金额"),
    "spread": Measure(
        _spread,
        (LOG, LOG_SQUARE, COUNT),
        "spread of log amounts of the {key} in the {window}",
        "{key}{window}金额对数的离散度",
    ),
    "ratio": Measure(
        _ratio,
        (AMOUNT, COUNT),
        "amount over the mean amount of the {key} in the {window}",
        "金额与{key}{window}平均金额之比",
    ),
    "zscore": Measure(
        _zscore,
        (LOG, LOG_SQUARE, COUNT),
        "spreads that the amount lies above the mean of the {key} in the {window}",
        "金额高于{key}{window}均值的离散度倍数",
    ),
    "night": Measure(
        _share_of(NIGHT),
        (NIGHT, COUNT),
        "share of night transactions of the {key} in the {window}",
        "{key}{window}夜间交易占比",
    ),
    "weekend": Measure(
        _share_of(WEEKEND),
        (WEEKEND, COUNT),
        "share of weekend transactions of the {key} in the {window}",
        "{key}{window}周末交易占比",
    ),
    "refunds": Measure(_refunds, (REFUND,), "refunds of the {key} in the {window}", "{key}{window}的退款笔数"),
    "usual_hour": Measure(
        _usual_hour,
        (COSINE, SINE, COUNT),
        "likeness of the time of day to that of the {key} in the {window}",
        "交易时刻与{key}{window}惯常时刻的相似度",
    ),
    "gap_mean": Measure(
        _gap_mean, (GAP, COUNT), "mean log gap of the {key} in the {window}", "{key}{window}交易间隔对数均值"
    ),
    "gap_spread": Measure(
        _gap_spread,
        (GAP, GAP_SQUARE, COUNT),
        "spread of log gaps of the {key} in the {window}",
        "{key}{window}交易间隔对数的离散度",
    ),
    "gap_zscore": Measure(
        _gap_zscore,
        (GAP, GAP_SQUARE, COUNT),
        "spreads that the gap lies above the mean of the {key} in the {window}",
        "交易间隔高于{key}{window}均值的离散度倍数",
    ),
    "trend": Measure(
        _trend, (LOG, PLACE_LOG, COUNT), "trend of the amounts of the {key} in the {window}", "{key}{window}金额的趋势"
    ),
    "curve": Measure(
        _curve,
        (LOG, PLACE_LOG, PLACE_SQUARE_LOG, COUNT),
        "curvature of the amounts of the {key} in the {window}",
        "{key}{window}金额的弯曲度",
    ),
    "gap_trend": Measure(
        _gap_trend, (GAP, PLACE_GAP, COUNT), "trend of the gaps of the {key} in the {window}", "{key}{window}间隔的趋势"
    ),
    "distinct": Measure(
        _distinct, (), "different {partner} of the {key} in the {window}", "{key}{window}涉及的不同{partner}数"
    ),
    "distinct_share": Measure(
        _distinct_share,
        (COUNT,),
        "different {partner} a transaction of the {key} in the {window}",
        "{key}{window}每笔交易的不同{partner}数",
    ),
    "velocity": Measure(
        _velocity,
        (COUNT,),
        "share of the transactions of the {key} in 90 days that fall into the {window}",
        "{key}90天交易中{window}所占笔数比",
        against=LONGEST,
    ),
    "amount_velocity": Measure(
        _amount_velocity,
        (AMOUNT, COUNT),
        "share of the amount of the {key} in 90 days that falls into the {window}",
        "{key}90天金额中{window}所占比",
        against=LONGEST,
    ),
    "since": Measure(_since, (), "seconds since the {key}: {window}", "距{key}{window}中最早一笔的秒数"),
    "first": Measure(_first, (COUNT,), "no transaction of the {key} in the {window}", "{key}{window}无交易"),
    "age": Measure(
        _age, (), "seconds since the oldest transaction of the {key} in the {window}", "距{key}{window}最早一笔的秒数"
    ),
    "step": Measure(
        _step, (AMOUNT,), "amount over that of the first of the {window} of the {key}", "金额与{key}{window}中首笔之比"
    ),
    "labelled": Measure(
        _labelled,
        (LABELLED,),
        "transactions of the {key} with a known outcome in the {window}",
        "{key}{window}已知结果的交易笔数",
        lagged=True,
    ),
    "frauds": Measure(
        _frauds, (FRAUD,), "known frauds of the {key} in the {window}", "{key}{window}已知欺诈笔数", lagged=True
    ),
    "risk": Measure(
        _risk,
        (FRAUD, LABELLED),
        "share of known frauds of the {key} in the {window}",
        "{key}{window}已知欺诈占比",
        lagged=True,
    ),
    "last_fraud": Measure(
        _last_fraud,
        (FRAUD,),
        "seconds since the last known fraud of the {key} in the {window}",
        "距{key}{window}最近一次已知欺诈的秒数",
        lagged=True,
    ),
    "first_fraud": Measure(
        _first_fraud,
        (FRAUD,),
        "seconds since the first known fraud of the {key} in the {window}",
        "距{key}{window}首次已知欺诈的秒数",
        lagged=True,
    ),
    "good_since": Measure(
        _good_since,
        (FRAUD, LABELLED),
        "known good transactions of the {key} since its last known fraud in the {window}",
        "{key}{window}最近已知欺诈之后的正常交易笔数",
        lagged=True,
    ),
}

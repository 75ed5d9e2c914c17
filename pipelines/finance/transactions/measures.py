"""The measures: what a feature says of a window of the past. Their words stand in `words.csv`.

Written once, for tables and streams alike.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.transactions import past_events, window_sums
from pipelines.finance.transactions.quantities import (
    AMOUNT,
    COSINE,
    COUNT,
    FRAUD,
    FRAUD_LOG,
    GAP,
    GAP_SQUARE,
    LABELLED,
    LOG,
    LOG_SQUARE,
    NIGHT,
    PLACE_GAP,
    PLACE_LOG,
    PLACE_SQUARE_LOG,
    REFUND,
    SINE,
    WEEKEND,
)
from pipelines.finance.transactions.view import Asked, View

Floats = NDArray[np.float64]
LONGEST = "90d"  # velocity compares a window with this one
WORDS = Path(__file__).parent / "words.csv"


@dataclass(frozen=True)
class Measure:
    """A measure, the quantities that it sums, and what it looks at besides its windows."""

    make: Callable[[View, Asked, float], Floats]  # view, windows, currency of a step of the amounts -> (W, N)
    needs: tuple[int, ...]
    lagged: bool = False  # it looks at transactions whose label is known
    against: str = ""  # a window that is always looked at too


@cache
def measure_words() -> Mapping[str, tuple[str, str]]:
    """English and Chinese words of every measure, with places for `{key}`, `{window}` and `{partner}`."""
    with WORDS.open(encoding="utf-8", newline="") as lines:
        return {line["measure"]: (line["words_en"], line["words_zh"]) for line in csv.DictReader(lines)}


MEASURES: dict[str, Measure] = {
    "count": Measure(window_sums.count, (COUNT,)),
    "sum": Measure(window_sums.total, (AMOUNT,)),
    "mean": Measure(window_sums.mean, (AMOUNT, COUNT)),
    "spread": Measure(window_sums.spread, (LOG, LOG_SQUARE, COUNT)),
    "ratio": Measure(window_sums.ratio, (AMOUNT, COUNT)),
    "zscore": Measure(window_sums.zscore, (LOG, LOG_SQUARE, COUNT)),
    "night": Measure(window_sums.share_of(NIGHT), (NIGHT, COUNT)),
    "weekend": Measure(window_sums.share_of(WEEKEND), (WEEKEND, COUNT)),
    "refunds": Measure(window_sums.refunds, (REFUND,)),
    "usual_hour": Measure(window_sums.usual_hour, (COSINE, SINE, COUNT)),
    "gap_mean": Measure(window_sums.gap_mean, (GAP, COUNT)),
    "gap_spread": Measure(window_sums.gap_spread, (GAP, GAP_SQUARE, COUNT)),
    "gap_zscore": Measure(window_sums.gap_zscore, (GAP, GAP_SQUARE, COUNT)),
    "trend": Measure(window_sums.trend, (LOG, PLACE_LOG, COUNT)),
    "curve": Measure(window_sums.curve, (LOG, PLACE_LOG, PLACE_SQUARE_LOG, COUNT)),
    "gap_trend": Measure(window_sums.gap_trend, (GAP, PLACE_GAP, COUNT)),
    "distinct": Measure(past_events.distinct, ()),
    "distinct_share": Measure(past_events.distinct_share, (COUNT,)),
    "velocity": Measure(window_sums.velocity, (COUNT,), against=LONGEST),
    "amount_velocity": Measure(window_sums.amount_velocity, (AMOUNT, COUNT), against=LONGEST),
    "since": Measure(past_events.since, ()),
    "first": Measure(past_events.first, (COUNT,)),
    "age": Measure(past_events.age, ()),
    "step": Measure(past_events.step, (AMOUNT,)),
    "past_log": Measure(past_events.past_log, (LOG,)),
    "past_known": Measure(past_events.past_known, (FRAUD, LABELLED), lagged=True),
    "known_since": Measure(past_events.since, (), lagged=True),
    "labelled": Measure(past_events.labelled, (LABELLED,), lagged=True),
    "frauds": Measure(past_events.frauds, (FRAUD,), lagged=True),
    "risk": Measure(past_events.risk, (FRAUD, LABELLED), lagged=True),
    "last_fraud": Measure(past_events.last_fraud, (FRAUD,), lagged=True),
    "first_fraud": Measure(past_events.first_fraud, (FRAUD,), lagged=True),
    "fraud_size": Measure(past_events.fraud_size, (FRAUD_LOG, FRAUD, LOG, COUNT), lagged=True),
    "run": Measure(past_events.run, (FRAUD,), lagged=True),
    "run_age": Measure(past_events.run_age, (FRAUD,), lagged=True),
    "good_since": Measure(past_events.good_since, (FRAUD, LABELLED), lagged=True),
}

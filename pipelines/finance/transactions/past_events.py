"""Measures that look at single transactions of the past, at partners, and at what is known of labels. -> (W, N)."""

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.transactions.quantities import (
    AMOUNT,
    FRAUD,
    FRAUD_LOG,
    LABELLED,
    LOG,
    LOG_UNIT,
)
from pipelines.finance.transactions.view import Asked, View
from pipelines.finance.transactions.window_sums import over

Floats = NDArray[np.float64]


def distinct(view: View, asked: Asked, unit: float) -> Floats:
    return view.past.distinct(asked.windows, view.starts(asked), view.end()).astype(np.float64)


def distinct_share(view: View, asked: Asked, unit: float) -> Floats:
    return over(view.past.distinct(asked.windows, view.starts(asked), view.end()), view.counts(asked))


def since(view: View, asked: Asked, unit: float) -> Floats:
    """Seconds since the transaction so many before."""
    return view.since(view.back(asked))


def first(view: View, asked: Asked, unit: float) -> Floats:
    return np.asarray((view.counts(asked) == 0).astype(np.float64))


def age(view: View, asked: Asked, unit: float) -> Floats:
    """Seconds since the oldest transaction of the window."""
    start, end = view.starts(asked), view.end()
    return view.since(np.where(start < end, start, -1))


def step(view: View, asked: Asked, unit: float) -> Floats:
    """This amount over the amount so many transactions before."""
    place_WN = view.back(asked)
    then_WN = np.where(place_WN >= 0, view.value(AMOUNT, place_WN), 0)
    return over(view.looking.amount, then_WN * unit)


def labelled(view: View, asked: Asked, unit: float) -> Floats:
    return view.sums(LABELLED, asked).astype(np.float64)


def frauds(view: View, asked: Asked, unit: float) -> Floats:
    return view.sums(FRAUD, asked).astype(np.float64)


def risk(view: View, asked: Asked, unit: float) -> Floats:
    return over(view.sums(FRAUD, asked), view.sums(LABELLED, asked))


def last_fraud(view: View, asked: Asked, unit: float) -> Floats:
    return view.since(view.last_known(asked))


def first_fraud(view: View, asked: Asked, unit: float) -> Floats:
    return view.since(view.first_known(asked))


def good_since(view: View, asked: Asked, unit: float) -> Floats:
    """Known good transactions since the last known fraud."""
    end_N = view.end(lagged=True)
    last_WN = view.last_known(asked)
    prefix = view.past.prefix(LABELLED)
    return np.where(last_WN >= 0, prefix[end_N] - prefix[np.maximum(last_WN, -1) + 1], np.nan)


def run(view: View, asked: Asked, unit: float) -> Floats:
    """Known frauds since the last known good transaction."""
    first_WN, prefix = view.run(asked), view.past.prefix(FRAUD)
    found_WN = prefix[view.end(lagged=True)] - prefix[np.maximum(first_WN, 0)]
    return np.where(first_WN >= 0, found_WN, 0).astype(np.float64)


def run_age(view: View, asked: Asked, unit: float) -> Floats:
    """Seconds since the first of them."""
    return view.since(view.run(asked))


def fraud_size(view: View, asked: Asked, unit: float) -> Floats:
    """Mean logarithm of the amounts of the known frauds, less that of all transactions then."""
    frauds = over(view.sums(FRAUD_LOG, asked), view.sums(FRAUD, asked))
    return np.asarray((frauds - over(view.sums(LOG, asked), view.counts(asked))) / LOG_UNIT, dtype=np.float64)


def past_log(view: View, asked: Asked, unit: float) -> Floats:
    """Logarithm of 1 + the amount so many transactions before."""
    place_WN = view.back(asked)
    return np.where(place_WN >= 0, view.value(LOG, place_WN) / LOG_UNIT, np.nan)


def past_known(view: View, asked: Asked, unit: float) -> Floats:
    """What the transaction so many before, of those whose delay is over, turned out to be: 1 fraud, 0 good."""
    place_WN = view.back(asked)
    labelled_WN = (place_WN >= 0) & (view.value(LABELLED, place_WN) > 0)
    return np.where(labelled_WN, view.value(FRAUD, place_WN), np.nan)

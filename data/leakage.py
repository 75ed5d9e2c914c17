"""Columns that tell the target too well: they were probably filled in after the outcome."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_MIN_CLASS = 20  # rows of the rarer class, for an AUC to say anything
_LEVEL_ROWS = 50  # rows a level, for its rate to say anything


def leakage_of(frame: pd.DataFrame, target: str, skip: Collection[str] = ()) -> dict[str, float]:
    """AUC (0.5..1) of each column alone against a two-valued target; missing counts as a value of its own.

    Columns of text with nearly as many levels as rows are left out, and so is everything where the target has not
    two values or one of them is rare.
    """
    labels, values = pd.factorize(frame[target], sort=True)
    known = labels >= 0
    if len(values) != 2 or min(np.bincount(labels[known], minlength=2)) < _MIN_CLASS:
        return {}
    y_N = labels[known].astype(np.float64)
    found = {}
    for name in map(str, frame.columns):
        if name in skip or name == target:
            continue
        ranks = _ordered(frame[name][known], y_N)
        if ranks is not None:
            area = _rank_area(ranks, y_N)
            found[name] = max(area, 1 - area)
    return found


def _ordered(series: pd.Series, y_N: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Numbers as they are, with missing at the end that fits better; levels by their share of the target."""
    if pd.api.types.is_numeric_dtype(series.dtype):
        x_N = np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
        missing = np.isnan(x_N)
        if missing.any() and not missing.all():
            falls = _rank_area(x_N[~missing], y_N[~missing]) < 0.5
            more = y_N[missing].mean() > y_N[~missing].mean()
            x_N = np.where(missing, np.inf if more else -np.inf, -x_N if falls else x_N)
        return x_N
    codes, levels = pd.factorize(series.astype("str").fillna(""))
    if len(levels) * _LEVEL_ROWS > len(series):
        return None
    rates = np.bincount(codes, weights=y_N) / np.bincount(codes)
    return np.asarray(rates[codes])


def _rank_area(x_N: NDArray[np.float64], y_N: NDArray[np.float64]) -> float:
    """Area under the ROC curve by mean ranks; 0.5 where one class is absent."""
    positives = float(y_N.sum())
    if not 0 < positives < len(y_N):
        return 0.5
    ranks = pd.Series(x_N).rank().to_numpy(dtype=np.float64)
    below = float(ranks[y_N == 1].sum()) - positives * (positives + 1) / 2
    return below / (positives * (len(y_N) - positives))

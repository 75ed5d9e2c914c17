"""Bootstrap for metrics that are functions of weights: how often each picture or group was drawn.

Percentile intervals (Efron and Tibshirani 1993, chapter 13); whole groups are drawn, since pictures of one part are
not independent.

Legend: B cases, R draws.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from core.metrics.bootstrap import COVERAGE, Metric

Floats = NDArray[np.float64]


def draw_weights(groups: Sequence[str], draws: int, seed: int) -> Floats:
    """Return (R + 1, B): row 0 all ones, then how often the group of each case came in each draw.

    Where there is one group only, cases are drawn: an interval of no width would claim to be certain.

    >>> draw_weights(["a", "a", "b"], 2, 0).shape
    (3, 3)
    """
    names, code_B = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) == 1:
        names, code_B = np.arange(len(code_B)).astype(str), np.arange(len(code_B))
    rng = np.random.default_rng(seed)
    rows = [np.ones(len(code_B))]
    for _ in range(draws):
        drawn = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        rows.append(drawn[code_B].astype(np.float64))
    return np.stack(rows)


def with_interval(metric: Callable[[Floats], float], weights_RB: Floats) -> Metric:
    """Return the metric at weights of one and its 95 % interval over the draws.

    A ValueError of the metric at weights of one becomes the cause why it is missing; draws that raise one are left out.
    """
    try:
        value = metric(weights_RB[0])
    except ValueError as cause:
        return Metric(missing=str(cause))
    drawn = []
    for weight_B in weights_RB[1:]:
        try:
            drawn.append(metric(weight_B))
        except ValueError:
            continue
    if not drawn:
        return Metric(value=value, low=value, high=value)
    low, high = np.quantile(drawn, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Metric(value=value, low=min(float(low), value), high=max(float(high), value))

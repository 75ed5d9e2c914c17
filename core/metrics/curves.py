"""Curves for drawing, as columns of few points, JSON types only. They come from the same ranking as the metrics."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.metrics.binary import Counts, Floats, Ranking, count

POINTS = 200  # at most so many points a curve: more cannot be seen
_Z: Final = 1.959963984540054  # the normal's 97.5 % point
Columns = dict[str, list[float]]


def roc_curve(ranking: Ranking, points: int = POINTS) -> Columns:
    """Columns fpr, tpr and threshold, from (0, 0) to (1, 1). ValueError with one class."""
    counts = _counted(ranking)
    fpr, tpr = counts.fp_K / counts.negatives, counts.tp_K / counts.positives
    keep = _spread(fpr + tpr, points - 1)
    return {
        "fpr": [0.0, *fpr[keep].tolist()],
        "tpr": [0.0, *tpr[keep].tolist()],
        "threshold": [float(ranking.p_B[0]), *ranking.thresholds[keep].tolist()],
    }


def pr_curve(ranking: Ranking, points: int = POINTS) -> Columns:
    """Columns recall, precision and threshold, in rising recall. ValueError with one class."""
    counts = _counted(ranking)
    recall, precision = counts.tp_K / counts.positives, counts.tp_K / (counts.tp_K + counts.fp_K)
    keep = _spread(recall, points)
    return {
        "recall": recall[keep].tolist(),
        "precision": precision[keep].tolist(),
        "threshold": ranking.thresholds[keep].tolist(),
    }


def calibration_curve(ranking: Ranking, bins: int = 10) -> Columns:
    """Columns predicted, observed (with low and high, its 95 % interval) and count of bins of equal count, rising."""
    last = ranking.end_K - 1
    rows = np.concatenate([[0.0], ranking.end_K.astype(np.float64)])
    forecast = np.concatenate([[0.0], np.cumsum(ranking.p_B)[last]])
    positives = np.concatenate([[0.0], np.cumsum(ranking.y_B)[last]])
    edges = np.linspace(0.0, rows[-1], bins + 1)
    size = np.diff(edges)[::-1]
    mean = np.diff(np.interp(edges, rows, forecast))[::-1] / size
    rate = np.diff(np.interp(edges, rows, positives))[::-1] / size
    ends = [wilson(float(r), float(n)) for r, n in zip(rate, size, strict=True)]
    return {
        "predicted": mean.tolist(),
        "observed": rate.tolist(),
        "low": [low for low, _ in ends],
        "high": [high for _, high in ends],
        "count": size.tolist(),
    }


def wilson(rate: float, rows: float) -> tuple[float, float]:
    """95 % interval of a rate over `rows` cases (Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953).

    >>> [round(end, 3) for end in wilson(0.1, 100)]
    [0.055, 0.174]
    """
    if rows <= 0:
        return 0.0, 1.0
    spread = _Z * math.sqrt(rate * (1 - rate) / rows + _Z**2 / (4 * rows**2))
    middle, size = rate + _Z**2 / (2 * rows), 1 + _Z**2 / rows
    return max((middle - spread) / size, 0.0), min((middle + spread) / size, 1.0)


def histogram(y_B: Floats, x_B: Floats, bins: int = 40) -> Columns:
    """Counts of positives and negatives over equal steps of x; `edges` has one entry more than the counts."""
    edges = np.histogram_bin_edges(x_B, bins=bins)
    return {
        "edges": edges.tolist(),
        "positives": np.histogram(x_B[y_B > 0], bins=edges)[0].astype(float).tolist(),
        "negatives": np.histogram(x_B[y_B <= 0], bins=edges)[0].astype(float).tolist(),
    }


def _counted(ranking: Ranking) -> Counts:
    counts = count(ranking)
    if not (counts.positives and counts.negatives):
        raise ValueError("one class: a curve needs positives and negatives")
    return counts


def _spread(x_K: Floats, points: int) -> NDArray[np.int64]:
    """Places spread evenly along the rising x, the last always among them."""
    if len(x_K) <= points:
        return np.arange(len(x_K))
    wanted = np.searchsorted(x_K, np.linspace(x_K[0], x_K[-1], points))
    return np.unique(np.append(np.minimum(wanted, len(x_K) - 1), len(x_K) - 1))

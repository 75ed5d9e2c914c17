"""Curves for drawing: few points, JSON types only. They come from the same ranking as the metrics."""

import numpy as np
from numpy.typing import NDArray

from core.metrics.binary import Counts, Floats, Ranking, count

POINTS = 200  # at most so many points a curve: more cannot be seen


def roc_points(ranking: Ranking, points: int = POINTS) -> list[list[float]]:
    """[false-positive rate, recall, threshold] from (0, 0) to (1, 1). ValueError with one class."""
    counts = _counted(ranking)
    fpr, tpr = counts.fp_K / counts.negatives, counts.tp_K / counts.positives
    keep = _spread(fpr + tpr, points - 1)
    rows = zip(fpr[keep], tpr[keep], ranking.thresholds[keep], strict=True)
    return [[0.0, 0.0, float(ranking.p_B[0])], *([float(f), float(t), float(c)] for f, t, c in rows)]


def pr_points(ranking: Ranking, points: int = POINTS) -> list[list[float]]:
    """[recall, precision, threshold] in rising recall. ValueError with one class."""
    counts = _counted(ranking)
    recall, precision = counts.tp_K / counts.positives, counts.tp_K / (counts.tp_K + counts.fp_K)
    keep = _spread(recall, points)
    rows = zip(recall[keep], precision[keep], ranking.thresholds[keep], strict=True)
    return [[float(r), float(p), float(c)] for r, p, c in rows]


def calibration_points(ranking: Ranking, bins: int = 10) -> list[dict[str, float]]:
    """Mean forecast, rate of positives and rows of every bin of equal count, in rising forecast."""
    last = ranking.end_K - 1
    rows = np.concatenate([[0.0], ranking.end_K.astype(np.float64)])
    forecast = np.concatenate([[0.0], np.cumsum(ranking.p_B)[last]])
    positives = np.concatenate([[0.0], np.cumsum(ranking.y_B)[last]])
    edges = np.linspace(0.0, rows[-1], bins + 1)
    size = np.diff(edges)
    mean, rate = np.diff(np.interp(edges, rows, forecast)) / size, np.diff(np.interp(edges, rows, positives)) / size
    found = [
        {"forecast": float(m), "rate": float(r), "rows": float(n)} for m, r, n in zip(mean, rate, size, strict=True)
    ]
    return found[::-1]


def histogram(y_B: Floats, x_B: Floats, bins: int = 40) -> dict[str, list[float]]:
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

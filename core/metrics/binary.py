"""Metrics of a binary forecast, as pure functions on arrays.

Shapes: y_B holds 0 and 1, p_B the forecast (any real for rankings, probabilities in [0, 1] where said),
w_B weights >= 0 (a bootstrap draw is a vector of whole weights). Rows with equal forecasts form one block: nothing
here depends on the order in which they came.

`Ranking` sorts once; every metric is then a sum over its blocks, so that a thousand bootstrap draws need no sort.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
LOG_LOSS_EDGE = float(
    np.finfo(np.float64).eps
)  # probabilities are cut there, so that one certain error is not infinite


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Forecasts in falling order and where each block of equal forecasts ends (exclusive)."""

    order_B: NDArray[np.int64]  # row number of every place
    y_B: Floats  # labels in that order
    p_B: Floats  # forecasts in that order, falling
    end_K: NDArray[np.int64]  # end of every block of equal forecasts

    @property
    def thresholds(self) -> Floats:
        """The forecast of every block: "flag where p >= threshold" flags all blocks up to this one."""
        return self.p_B[self.end_K - 1]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Weight of positives and negatives at or above every block's threshold; the last entries are the totals."""

    tp_K: Floats
    fp_K: Floats

    @property
    def positives(self) -> float:
        return float(self.tp_K[-1])

    @property
    def negatives(self) -> float:
        return float(self.fp_K[-1])


@dataclass(frozen=True, kw_only=True)
class BestF1:
    """The highest F1 and the threshold that reaches it (flag where p >= threshold)."""

    value: float
    threshold: float


def rank(y_B: ArrayLike, p_B: ArrayLike) -> Ranking:
    """Sort by falling forecast. ValueError: lengths differ, no rows, labels other than 0 and 1, NaN or infinity."""
    y, p = np.asarray(y_B, dtype=np.float64), np.asarray(p_B, dtype=np.float64)
    if y.shape != p.shape or y.ndim != 1 or not len(y):
        raise ValueError(f"labels and forecasts must be vectors of one length > 0, got {y.shape} and {p.shape}")
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError(f"labels must be 0 or 1, got {np.unique(y)[:5].tolist()}")
    if not np.isfinite(p).all():
        raise ValueError(f"forecasts must be finite, got {int((~np.isfinite(p)).sum())} that are not")
    order = np.argsort(-p, kind="stable")
    p = p[order]
    end = np.append(np.flatnonzero(p[1:] != p[:-1]) + 1, len(p))
    return Ranking(order_B=order, y_B=y[order], p_B=p, end_K=end)


def count(ranking: Ranking, w_B: Floats | None = None) -> Counts:
    """Add up weights block by block; w_B is in the order of the ranking (`w[ranking.order_B]`)."""
    last = ranking.end_K - 1
    if w_B is None:
        tp = np.cumsum(ranking.y_B)[last]
        return Counts(tp_K=tp, fp_K=ranking.end_K - tp)
    tp = np.cumsum(w_B * ranking.y_B)[last]
    return Counts(tp_K=tp, fp_K=np.cumsum(w_B)[last] - tp)


def auc_of(counts: Counts) -> float:
    """Area under the ROC curve by trapezia: ties count one half (Mann and Whitney 1947)."""
    tp, fp = counts.tp_K, counts.fp_K
    area = tp[0] * fp[0] + inner(np.diff(fp), tp[1:] + tp[:-1])
    return float(area / (2 * _both(counts)))


def ks_of(counts: Counts) -> float:
    """Largest distance between the distributions of positives and negatives, in [0, 1] (Kolmogorov and Smirnov)."""
    _both(counts)
    return float(np.abs(counts.tp_K / counts.positives - counts.fp_K / counts.negatives).max())


def average_precision_of(counts: Counts) -> float:
    """Sum of precision times step of recall over the distinct thresholds, without interpolation."""
    flagged = counts.tp_K + counts.fp_K
    precision = np.divide(counts.tp_K, flagged, out=np.zeros_like(flagged), where=flagged > 0)
    return inner(np.diff(counts.tp_K, prepend=0.0), precision) / _positives(counts)


def best_f1_of(counts: Counts, threshold_K: Floats) -> BestF1:
    """The best of all thresholds; of equals the highest threshold."""
    f1 = 2 * counts.tp_K / (counts.tp_K + counts.fp_K + _positives(counts))
    best = int(np.argmax(f1))
    return BestF1(value=float(f1[best]), threshold=float(threshold_K[best]))


def recall_at_fpr_of(counts: Counts, rate: float) -> float:
    """Highest recall of the thresholds whose false-positive rate is at most `rate`; 0 where there is none."""
    _both(counts)
    allowed = counts.fp_K <= rate * counts.negatives
    return float(counts.tp_K[allowed].max(initial=0.0) / counts.positives)


def ece_of(ranking: Ranking, w_B: Floats | None = None, bins: int = 10) -> float:
    """Expected calibration error: mean over bins of equal weight of |mean forecast - rate of positives|.

    A block of equal forecasts that straddles two bins is shared out in proportion.
    """
    last = ranking.end_K - 1
    w = np.ones_like(ranking.p_B) if w_B is None else w_B
    weight = np.concatenate([[0.0], np.cumsum(w)[last]])
    gap = np.concatenate([[0.0], np.cumsum(w * (ranking.p_B - ranking.y_B))[last]])
    edges = np.linspace(0.0, weight[-1], bins + 1)
    return float(np.abs(np.diff(np.interp(edges, weight, gap))).sum() / weight[-1])


def auc(y_B: ArrayLike, p_B: ArrayLike) -> float:
    """Probability that a positive stands above a negative. ValueError with one class.

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    return auc_of(count(rank(y_B, p_B)))


def gini(y_B: ArrayLike, p_B: ArrayLike) -> float:
    """Accuracy ratio, 2 AUC - 1."""
    return 2 * auc(y_B, p_B) - 1


def ks(y_B: ArrayLike, p_B: ArrayLike) -> float:
    """See `ks_of`."""
    return ks_of(count(rank(y_B, p_B)))


def average_precision(y_B: ArrayLike, p_B: ArrayLike) -> float:
    """See `average_precision_of`."""
    return average_precision_of(count(rank(y_B, p_B)))


def best_f1(y_B: ArrayLike, p_B: ArrayLike) -> BestF1:
    """See `best_f1_of`."""
    ranking = rank(y_B, p_B)
    return best_f1_of(count(ranking), ranking.thresholds)


def recall_at_fpr(y_B: ArrayLike, p_B: ArrayLike, rate: float = 0.01) -> float:
    """See `recall_at_fpr_of`."""
    return recall_at_fpr_of(count(rank(y_B, p_B)), rate)


def brier(y_B: ArrayLike, p_B: ArrayLike) -> float:
    """Mean square of probability less outcome (Brier 1950)."""
    return float(np.mean(brier_terms(rank(y_B, p_B))))


def log_loss(y_B: ArrayLike, p_B: ArrayLike) -> float:
    """Mean negative log-likelihood in nats."""
    return float(np.mean(log_loss_terms(rank(y_B, p_B))))


def ece(y_B: ArrayLike, p_B: ArrayLike, bins: int = 10) -> float:
    """See `ece_of`."""
    return ece_of(rank(y_B, p_B), bins=bins)


def brier_terms(ranking: Ranking) -> Floats:
    """One term a row, in the order of the ranking."""
    return np.square(ranking.p_B - ranking.y_B)


def log_loss_terms(ranking: Ranking) -> Floats:
    """One term a row, in the order of the ranking. ValueError where a forecast lies outside [0, 1]."""
    if ranking.p_B[0] > 1 or ranking.p_B[-1] < 0:
        raise ValueError(f"probabilities must lie in 0..1, got {ranking.p_B[-1]:g} to {ranking.p_B[0]:g}")
    p = np.clip(ranking.p_B, LOG_LOSS_EDGE, 1 - LOG_LOSS_EDGE)
    return -np.log(np.where(ranking.y_B > 0, p, 1 - p))


def inner(a_N: Floats, b_N: Floats) -> float:
    """Inner product on one thread: BLAS would wake all cores for it, which on a busy machine takes far longer."""
    return float(np.einsum("n,n->", a_N, b_N))


def _positives(counts: Counts) -> float:
    if counts.positives <= 0:
        raise ValueError("one class: no positive among the labels")
    return counts.positives


def _both(counts: Counts) -> float:
    if counts.positives <= 0 or counts.negatives <= 0:
        raise ValueError("one class: positives and negatives are both needed")
    return counts.positives * counts.negatives

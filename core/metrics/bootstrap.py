"""Bootstrap intervals of all binary metrics at once: sort once, then every draw is a vector of weights.

Percentile intervals (Efron and Tibshirani 1993, chapter 13). With groups, whole groups are drawn, so that rows that
belong together (one customer, one part) do not make an interval too narrow.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.metrics.binary import (
    Floats,
    Ranking,
    auc_of,
    average_precision_of,
    best_f1_of,
    brier_terms,
    count,
    ece_of,
    inner,
    ks_of,
    log_loss_terms,
    rank,
    recall_at_fpr_of,
)

COVERAGE = 0.95  # share of draws inside [low, high]
MOST_DRAWS, FEWEST_DRAWS = 1000, 200
ROW_BUDGET = 12_000_000  # rows looked at in all draws together: about a second
ONE_CLASS = "one class"
COUNTS = ("n", "positives")  # known, not estimated: their interval is the value
ORDER: tuple[str, ...] = (
    *("auc", "gini", "ks", "average_precision", "brier", "log_loss", "ece", "best_f1", "best_f1_threshold"),
    *("recall_at_1pct_fpr", *COUNTS),
)
NEEDS_BOTH = frozenset(ORDER) - {"brier", "log_loss", "ece", *COUNTS}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A value with its interval, or the reason why there is none. NaN stands for absent numbers, never in JSON."""

    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    missing: str | None = None

    def to_json(self) -> dict[str, float | str | None]:
        """`{"value", "low", "high"}`, or `{"value": null, "missing": "one class"}`."""
        if self.missing is not None:
            return {"value": None, "missing": self.missing}
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """What stays the same in all draws."""

    ranking: Ranking
    threshold_K: Floats
    brier_B: Floats
    log_loss_B: Floats


def binary_metrics(
    y_B: ArrayLike, p_B: ArrayLike, *, groups: ArrayLike | None = None, draws: int | None = None, seed: int = 0
) -> dict[str, Metric]:
    """All metrics of the contract with 95 % intervals; p_B are probabilities.

    `groups` (B,) names the group of every row. `draws` defaults to 1000, fewer beyond 12,000 rows (never under 200).
    Draws with one class are left out of the ranking metrics. ValueError as `core.metrics.binary.rank`.
    """
    ranking = rank(y_B, p_B)
    terms = _Terms(
        ranking=ranking,
        threshold_K=ranking.thresholds,
        brier_B=brier_terms(ranking),
        log_loss_B=log_loss_terms(ranking),
    )
    found = _all_metrics(terms, np.ones_like(ranking.p_B))
    number = draws or int(np.clip(ROW_BUDGET // len(ranking.p_B), FEWEST_DRAWS, MOST_DRAWS))
    drawn: dict[str, list[float]] = {name: [] for name in found}
    for w_B in _weights(ranking, groups, number, np.random.default_rng(seed)):
        for name, value in _all_metrics(terms, w_B).items():
            drawn.setdefault(name, []).append(value)
    drawn |= {name: [found[name]] for name in COUNTS}
    return {name: _interval(found[name], drawn[name]) if name in found else Metric(missing=ONE_CLASS) for name in ORDER}


def _all_metrics(terms: _Terms, w_B: Floats) -> dict[str, float]:
    """Metrics under weights; those that need two classes are left out where there is one."""
    counts, total = count(terms.ranking, w_B), float(w_B.sum())
    found = {
        "brier": inner(w_B, terms.brier_B) / total,
        "log_loss": inner(w_B, terms.log_loss_B) / total,
        "ece": ece_of(terms.ranking, w_B),
        "n": total,
        "positives": counts.positives,
    }
    if counts.positives and counts.negatives:
        area, f1 = auc_of(counts), best_f1_of(counts, terms.threshold_K)
        found |= {
            "auc": area,
            "gini": 2 * area - 1,
            "ks": ks_of(counts),
            "average_precision": average_precision_of(counts),
            "best_f1": f1.value,
            "best_f1_threshold": f1.threshold,
            "recall_at_1pct_fpr": recall_at_fpr_of(counts, 0.01),
        }
    return found


def _weights(ranking: Ranking, groups: ArrayLike | None, draws: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each row is drawn, in the order of the ranking."""
    size = len(ranking.p_B)
    group_B: NDArray[np.int64] | None = None
    if groups is not None:
        names, codes = np.unique(np.asarray(groups)[ranking.order_B], return_inverse=True)
        group_B, size = codes, len(names)
    for _ in range(draws):
        drawn = np.bincount(rng.integers(0, size, size, dtype=np.int32), minlength=size).astype(np.float64)
        yield drawn if group_B is None else drawn[group_B]


def _interval(value: float, drawn: list[float]) -> Metric:
    """Percentiles of the draws, stretched to hold the value: a draw's calibration error is always biased upward.

    Where no draw could be judged, the value alone.
    """
    if not drawn:
        return Metric(value=value, low=value, high=value)
    low, high = np.quantile(drawn, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Metric(value=value, low=min(float(low), value), high=max(float(high), value))

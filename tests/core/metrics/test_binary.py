"""Every metric against scikit-learn or a plain count, with ties, weights and one class."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as oracle

from core.metrics import binary

Floats = NDArray[np.float64]
CASES = ["smooth", "ties", "two values", "reversed", "one positive"]


def made(case: str, rows: int = 500) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(len(case))
    p = rng.random(rows)
    y = (rng.random(rows) < p).astype(float)
    if case == "ties":
        p = np.round(p, 1)
    if case == "two values":
        p = np.where(p > 0.6, 0.8, 0.3)
    if case == "reversed":
        p = 1 - p
    if case == "one positive":
        y = (np.arange(rows) == 7).astype(float)
    return y, p


def sklearn_ks(y: Floats, p: Floats) -> float:
    fpr, tpr, _ = oracle.roc_curve(y, p, drop_intermediate=False)
    return float(np.abs(tpr - fpr).max())


def sklearn_recall(y: Floats, p: Floats) -> float:
    fpr, tpr, _ = oracle.roc_curve(y, p, drop_intermediate=False)
    return float(tpr[fpr <= 0.01].max())


def best_of_all_thresholds(y: Floats, p: Floats) -> float:
    return max(float(oracle.f1_score(y, p >= t, zero_division=0)) for t in np.unique(p))


ORACLES: dict[str, tuple[Callable[[Floats, Floats], float], Callable[[Floats, Floats], float]]] = {
    "auc": (binary.auc, oracle.roc_auc_score),
    "gini": (binary.gini, lambda y, p: 2 * oracle.roc_auc_score(y, p) - 1),
    "ks": (binary.ks, sklearn_ks),
    "average_precision": (binary.average_precision, oracle.average_precision_score),
    "brier": (binary.brier, oracle.brier_score_loss),
    "log_loss": (binary.log_loss, oracle.log_loss),
    "recall_at_1pct_fpr": (binary.recall_at_fpr, sklearn_recall),
    "best_f1": (lambda y, p: binary.best_f1(y, p).value, best_of_all_thresholds),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ORACLES)
def test_a_metric_agrees_with_its_oracle(name: str, case: str) -> None:
    ours, theirs = ORACLES[name]
    y, p = made(case)
    assert ours(y, p) == pytest.approx(theirs(y, p), abs=1e-12)


def test_the_threshold_of_the_best_f1_reaches_it() -> None:
    y, p = made("ties")
    best = binary.best_f1(y, p)
    assert oracle.f1_score(y, p >= best.threshold) == pytest.approx(best.value, abs=1e-12)


def test_ece_is_the_mean_gap_of_ten_bins_of_equal_count() -> None:
    y, p = made("smooth")
    order = np.argsort(p)
    gaps = [abs(p[bin_].mean() - y[bin_].mean()) for bin_ in np.array_split(order, 10)]
    assert binary.ece(y, p) == pytest.approx(np.mean(gaps), abs=1e-12)


def test_ece_of_one_value_is_its_distance_from_the_rate() -> None:
    assert binary.ece([0, 0, 0, 1, 0], [0.5] * 5) == pytest.approx(0.3)


@pytest.mark.parametrize("case", CASES)
def test_nothing_depends_on_the_order_of_rows(case: str) -> None:
    y, p = made(case)
    mix = np.random.default_rng(0).permutation(len(y))
    for ours, _ in ORACLES.values():
        assert ours(y[mix], p[mix]) == pytest.approx(ours(y, p), abs=1e-12)
    assert binary.ece(y[mix], p[mix]) == pytest.approx(binary.ece(y, p), abs=1e-12)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 3)), min_size=2, max_size=60))
def test_whole_weights_mean_repeated_rows(rows: list[tuple[bool, int, int]]) -> None:
    y, p, w = (np.asarray(column, dtype=float) for column in zip(*rows, strict=True))
    p /= 6
    again = np.repeat(np.arange(len(y)), w.astype(int))
    if len(set(y[again])) < 2:
        return
    ranking = binary.rank(y, p)
    counts = binary.count(ranking, w[ranking.order_B])
    assert binary.auc_of(counts) == pytest.approx(oracle.roc_auc_score(y[again], p[again]))
    assert binary.average_precision_of(counts) == pytest.approx(oracle.average_precision_score(y[again], p[again]))
    assert binary.ks_of(counts) == pytest.approx(sklearn_ks(y[again], p[again]))
    found = binary.best_f1_of(counts, ranking.thresholds).value
    assert found == pytest.approx(best_of_all_thresholds(y[again], p[again]))
    assert binary.ece_of(ranking, w[ranking.order_B]) == pytest.approx(binary.ece(y[again], p[again]), abs=1e-12)


@pytest.mark.parametrize("name", ["auc", "ks", "recall_at_1pct_fpr"])
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_refused_where_two_are_needed(name: str, label: int) -> None:
    with pytest.raises(ValueError, match="one class"):
        ORACLES[name][0](np.full(5, float(label)), np.linspace(0, 1, 5))


@pytest.mark.parametrize(
    ("y", "p", "words"),
    [([], [], "one length"), ([0, 1], [0.5], "one length"), ([0, 2], [0.1, 0.2], "0 or 1"),
     ([0, 1], [0.1, np.nan], "finite"), ([0, 1], [0.1, np.inf], "finite")],
)  # fmt: skip
def test_what_is_no_forecast_is_refused(y: list[float], p: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        binary.auc(y, p)


def test_log_loss_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match=r"0\.\.1"):
        binary.log_loss([0, 1], [0.2, 1.2])

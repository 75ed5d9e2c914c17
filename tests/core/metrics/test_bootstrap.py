"""Intervals: right width, whole groups, honest about what is missing."""

import json

import numpy as np
import pytest

from core.metrics import binary
from core.metrics.bootstrap import NEEDS_BOTH, binary_metrics

CONTRACT = {
    "auc", "gini", "ks", "average_precision", "brier", "log_loss", "ece", "best_f1", "best_f1_threshold",
    "recall_at_1pct_fpr", "n", "positives",
}  # fmt: skip


def made(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 6, rows)
    return (rng.random(rows) < p).astype(float), p


def test_all_metrics_of_the_contract_come_with_their_interval() -> None:
    y, p = made(2_000)
    found = binary_metrics(y, p, draws=100)
    assert set(found) == CONTRACT
    assert found["auc"].value == pytest.approx(binary.auc(y, p))
    assert found["best_f1_threshold"].value == binary.best_f1(y, p).threshold
    assert (found["n"].value, found["positives"].value) == (2_000, y.sum())
    for metric in found.values():
        assert metric.low <= metric.value <= metric.high
        assert set(metric.to_json()) == {"value", "low", "high"}


def test_the_interval_of_auc_holds_the_truth_about_as_often_as_it_says() -> None:
    truth = binary.auc(*made(400_000, 99))
    inside = 0
    for seed in range(60):
        auc = binary_metrics(*made(400, seed), draws=200, seed=seed)["auc"]
        inside += auc.low <= truth <= auc.high
    assert 51 <= inside <= 60  # 95 % of 60 is 57


def test_one_class_leaves_what_can_be_said_and_names_the_rest() -> None:
    found = binary_metrics(np.zeros(50), np.linspace(0, 0.4, 50))
    assert found["brier"].missing is None
    for name in NEEDS_BOTH:
        assert found[name].to_json() == {"value": None, "missing": "one class"}
    assert json.dumps({k: m.to_json() for k, m in found.items()}, allow_nan=False)


def test_a_single_positive_gives_finite_intervals() -> None:
    y = np.zeros(40)
    y[3] = 1
    found = binary_metrics(y, np.linspace(0, 1, 40), draws=50)
    assert json.dumps({k: m.to_json() for k, m in found.items()}, allow_nan=False)


def test_groups_that_repeat_their_rows_widen_the_interval() -> None:
    y, p = made(300)
    y, p, groups = np.repeat(y, 9), np.repeat(p, 9), np.repeat(np.arange(300), 9)
    rows, whole = binary_metrics(y, p, draws=300)["auc"], binary_metrics(y, p, draws=300, groups=groups)["auc"]
    assert (whole.high - whole.low) > 2 * (rows.high - rows.low)


def test_the_same_seed_gives_the_same_interval() -> None:
    y, p = made(500)
    assert binary_metrics(y, p, draws=50, seed=3) == binary_metrics(y, p, draws=50, seed=3)
    assert binary_metrics(y, p, draws=50, seed=3) != binary_metrics(y, p, draws=50, seed=4)

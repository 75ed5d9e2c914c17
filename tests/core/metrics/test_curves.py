"""Curves: few points, whole range, JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metrics.binary import rank
from core.metrics.curves import calibration_curve, histogram, pr_curve, roc_curve, wilson


def made(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    p = rng.random(rows)
    return (rng.random(rows) < p).astype(float), p


@pytest.mark.parametrize("rows", [3, 150, 30_000])
def test_the_roc_curve_runs_from_corner_to_corner_in_few_points(rows: int) -> None:
    y, p = made(rows)
    y[:2] = 0, 1
    curve = roc_curve(rank(y, p))
    assert len(curve["fpr"]) <= 200
    assert (curve["fpr"][0], curve["tpr"][0]) == (0.0, 0.0)
    assert (curve["fpr"][-1], curve["tpr"][-1]) == (1.0, 1.0)
    area = np.trapezoid(curve["tpr"], curve["fpr"])
    from core.metrics.binary import auc

    assert area == pytest.approx(auc(y, p), abs=0.005)
    assert json.dumps([curve, pr_curve(rank(y, p))], allow_nan=False)


def test_precision_and_recall_end_at_full_recall() -> None:
    y, p = made(5_000)
    curve = pr_curve(rank(y, p))
    assert curve["recall"][-1] == 1.0
    assert curve["precision"][-1] == pytest.approx(y.mean())


def test_calibration_bins_hold_all_rows_and_rise() -> None:
    y, p = made(1_003)
    curve = calibration_curve(rank(y, p))
    assert len(curve["count"]) == 10
    assert sum(curve["count"]) == pytest.approx(1_003)
    assert np.all(np.diff(curve["predicted"]) > 0)
    assert np.dot(curve["observed"], curve["count"]) == pytest.approx(y.sum())
    assert np.all(np.array(curve["low"]) <= curve["observed"])
    assert np.all(np.array(curve["high"]) >= curve["observed"])


def test_the_histogram_counts_every_row_once() -> None:
    y, p = made(400)
    found = histogram(y, p)
    assert sum(found["positives"]) + sum(found["negatives"]) == 400
    assert len(found["edges"]) == len(found["positives"]) + 1


def test_one_class_has_no_curve() -> None:
    with pytest.raises(ValueError, match="one class"):
        roc_curve(rank([0, 0], [0.1, 0.2]))


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_an_interval_holds_its_rate_and_stays_within_zero_and_one(rate: float, rows: int) -> None:
    low, high = wilson(rate, rows)
    assert 0 <= low <= rate + 1e-12
    assert rate - 1e-12 <= high <= 1

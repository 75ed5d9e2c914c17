"""Curves: few points, whole range, JSON."""

import json

import numpy as np
import pytest

from core.metrics.binary import rank
from core.metrics.curves import calibration_points, histogram, pr_points, roc_points


def made(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    p = rng.random(rows)
    return (rng.random(rows) < p).astype(float), p


@pytest.mark.parametrize("rows", [3, 150, 30_000])
def test_the_roc_curve_runs_from_corner_to_corner_in_few_points(rows: int) -> None:
    y, p = made(rows)
    y[:2] = 0, 1
    points = roc_points(rank(y, p))
    assert len(points) <= 200
    assert points[0][:2] == [0.0, 0.0]
    assert points[-1][:2] == [1.0, 1.0]
    area = np.trapezoid([t for _, t, _ in points], [f for f, _, _ in points])
    from core.metrics.binary import auc

    assert area == pytest.approx(auc(y, p), abs=0.005)
    assert json.dumps([points, pr_points(rank(y, p))], allow_nan=False)


def test_precision_and_recall_end_at_full_recall() -> None:
    y, p = made(5_000)
    points = pr_points(rank(y, p))
    assert points[-1][0] == 1.0
    assert points[-1][1] == pytest.approx(y.mean())


def test_calibration_bins_hold_all_rows_and_rise() -> None:
    y, p = made(1_003)
    points = calibration_points(rank(y, p))
    assert len(points) == 10
    assert sum(point["rows"] for point in points) == pytest.approx(1_003)
    assert np.all(np.diff([point["forecast"] for point in points]) > 0)
    assert sum(point["rate"] * point["rows"] for point in points) == pytest.approx(y.sum())


def test_the_histogram_counts_every_row_once() -> None:
    y, p = made(400)
    found = histogram(y, p)
    assert sum(found["positives"]) + sum(found["negatives"]) == 400
    assert len(found["edges"]) == len(found["positives"]) + 1


def test_one_class_has_no_curve() -> None:
    with pytest.raises(ValueError, match="one class"):
        roc_points(rank([0, 0], [0.1, 0.2]))

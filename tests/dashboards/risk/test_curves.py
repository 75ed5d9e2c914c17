"""Curves of an evaluation are read in either form, and what is absent is left out."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metrics.binary import rank
from core.metrics.curves import calibration_points, histogram, roc_points
from dashboards.risk import curves

Read = Callable[[dict[str, object]], object]
ROWS: dict[str, object] = {
    "roc": [[0.0, 0.0, 1.0], [0.2, 0.7, 0.4], [1.0, 1.0, 0.0]],
    "calibration": [{"forecast": 0.1, "rate": 0.12, "rows": 50.0}, {"forecast": 0.4, "rate": 0.3, "rows": 50.0}],
    "histogram": {"edges": [400, 500, 600], "positives": [9, 1], "negatives": [2, 8]},
}
COLUMNS: dict[str, object] = {
    "roc": {"fpr": [0.0, 0.2, 1.0], "tpr": [0.0, 0.7, 1.0]},
    "calibration": {"predicted": [0.1, 0.4], "observed": [0.12, 0.3], "count": [50.0, 50.0]},
    "histogram": {"edges": [400, 500, 600], "bad": [9, 1], "good": [2, 8]},
}


@pytest.mark.parametrize("read", [curves.roc, curves.calibration, curves.histogram])
def test_both_forms_give_the_same_columns(read: Read) -> None:
    assert read(ROWS) == read(COLUMNS)


@pytest.mark.parametrize("read", [curves.roc, curves.calibration, curves.histogram])
@pytest.mark.parametrize("told", [{}, {"roc": [], "calibration": [], "histogram": {}}, {"roc": 3, "histogram": "x"}])
def test_what_is_absent_is_left_out(read: Read, told: dict[str, object]) -> None:
    assert read(told) is None


def test_the_curves_of_core_are_understood() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    p_B = rng.random(500)
    y_B = (rng.random(500) < p_B).astype(float)
    ranking = rank(y_B, p_B)
    told = {"roc": roc_points(ranking), "calibration": calibration_points(ranking), "histogram": histogram(y_B, p_B)}
    roc, calibration, bars = curves.roc(told), curves.calibration(told), curves.histogram(told)
    assert roc is not None
    assert calibration is not None
    assert bars is not None
    assert (roc["fpr"][-1], roc["tpr"][-1]) == (1.0, 1.0)
    assert sum(calibration["count"]) == pytest.approx(500)
    assert sum(bars["good"]) + sum(bars["bad"]) == 500


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_an_interval_holds_its_rate_and_stays_within_zero_and_one(rate: float, rows: int) -> None:
    low, high = curves.wilson(rate, rows)
    assert 0 <= low <= rate + 1e-12
    assert rate - 1e-12 <= high <= 1

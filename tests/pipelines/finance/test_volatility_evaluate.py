"""Forecasts are judged by losses of their definitions, with intervals that hold the value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.finance.volatility_days import SeriesColumns, read_days
from pipelines.finance.volatility_evaluate import annual_volatility, block_weights, evaluate_forecasts, ewma, qlike
from tests.pipelines.finance.series_samples import market

DAYS = read_days(market(400), SeriesColumns(time="date", close="close", high="high", low="low"))
JUDGED = np.arange(100, 399)


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_qlike_is_least_at_what_came(variance: float, proxy: float) -> None:
    loss = float(qlike(np.array([variance]), np.array([proxy]))[0])
    assert loss >= -1e-12
    assert float(qlike(np.array([proxy]), np.array([proxy]))[0]) == 0
    assert loss == pytest.approx(proxy / variance - np.log(proxy / variance) - 1, rel=1e-9, abs=1e-9)


def test_qlike_of_a_day_without_movement_is_finite() -> None:
    assert np.isfinite(qlike(np.array([1.0]), np.array([0.0]))).all()


def test_ewma_is_the_recursion_over_the_days_before() -> None:
    forecast = ewma(DAYS)
    for day in (50, 51, 300):
        assert forecast[day] == pytest.approx(0.94 * forecast[day - 1] + 0.06 * DAYS.squared_N[day - 1])


def test_ewma_against_itself_has_no_skill() -> None:
    found = evaluate_forecasts(DAYS, JUDGED, ewma(DAYS)[JUDGED]).metrics
    assert found["skill"].value == 0
    assert found["qlike"].value == found["qlike_ewma"].value
    assert found["n"].value == len(JUDGED)


def test_perfect_forecasts_have_no_loss_and_wholly_skill() -> None:
    found = evaluate_forecasts(DAYS, JUDGED, DAYS.variance_N[JUDGED]).metrics
    assert found["qlike"].value == 0
    assert found["skill"].value == 1


def test_the_level_tells_forecasts_that_are_twice_too_high() -> None:
    found = evaluate_forecasts(DAYS, JUDGED, 2 * DAYS.target_N[JUDGED] + 1e-9).metrics
    assert found["level"].value == pytest.approx(0.5, rel=1e-6)


def test_intervals_hold_the_value_and_are_the_same_for_a_seed() -> None:
    one, other = (evaluate_forecasts(DAYS, JUDGED, ewma(DAYS)[JUDGED], seed=3).to_json() for _ in range(2))
    assert one == other
    for name in ("mse", "level"):
        metric = one[name]
        assert metric["low"] < metric["value"] < metric["high"]


def test_days_are_drawn_in_blocks() -> None:
    weights = block_weights(100, 5, 0)
    assert weights.shape == (6, 100)
    assert (weights[0] == 1).all()
    assert all(len(set(row[at : at + 20])) == 1 for row in weights for at in range(0, 100, 20))


def test_curves_are_thin_and_annual() -> None:
    curve = evaluate_forecasts(DAYS, JUDGED, np.ones(len(JUDGED))).curves["volatility"]
    assert len(curve["time"]) == len(curve["forecast"]) == len(curve["seen"]) <= 500
    assert curve["forecast"][0] == pytest.approx(float(annual_volatility(np.ones(1))[0]), abs=1e-3)

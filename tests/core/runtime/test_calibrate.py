"""The map from margin to probability: honest, strictly rising, and fit for few rows."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.metrics.binary import auc, ece
from core.runtime.calibrate import Calibrator, fit_calibrator


def drawn(rows: int, seed: int, *, slope: float = 1.0, shift: float = 0.0, bend: float = 0.0) -> tuple:
    """Margins and labels whose true log-odds are slope * margin + shift + bend * |margin|."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(-1.5, 1.3, rows)
    truth = 1 / (1 + np.exp(-(slope * margin + shift + bend * np.abs(margin))))
    return margin, (rng.random(rows) < truth).astype(float), truth


@pytest.mark.parametrize(("slope", "shift", "bend"), [(1, 0, 0), (0.5, 0, 0), (1, 1.5, 0), (1.2, -0.5, -0.5)])
def test_the_true_rate_is_found_again(slope: float, shift: float, bend: float) -> None:
    margin, y, _ = drawn(20_000, 1, slope=slope, shift=shift, bend=bend)
    fresh, y_fresh, truth = drawn(20_000, 2, slope=slope, shift=shift, bend=bend)
    probability = fit_calibrator(margin, y)(fresh)
    assert ece(y_fresh, probability) < 0.012
    assert np.abs(probability - truth).mean() < 0.012


@pytest.mark.parametrize("rows", [30, 60, 207, 5_000])
@pytest.mark.parametrize("method", ["auto", "line", "bent"])
def test_no_two_cases_change_places(rows: int, method: str) -> None:
    margin, y, _ = drawn(rows, 3, bend=0.4)
    calibrator = fit_calibrator(margin, y, method=method)  # type: ignore[arg-type]
    grid = np.linspace(-9, 9, 5_001)
    assert (np.diff(calibrator(grid)) > 0).all()
    assert auc(y, calibrator(margin)) == auc(y, margin)


def test_a_line_is_kept_where_bending_does_not_pay() -> None:
    margin, y, _ = drawn(10_000, 4, slope=0.8)
    assert len(fit_calibrator(margin, y).knots) == 2
    margin, y, _ = drawn(20_000, 5, slope=1.0, bend=-0.9)
    assert len(fit_calibrator(margin, y).knots) > 2


def test_another_prior_in_the_rows_moves_the_probabilities_there() -> None:
    margin, y, _ = drawn(4_000, 6, shift=2.0)
    calibrator = fit_calibrator(margin, y)
    assert calibrator(margin).mean() == pytest.approx(y.mean(), abs=0.005)


def test_two_hundred_rows_beat_none() -> None:
    fresh, y_fresh, _ = drawn(20_000, 7, slope=0.5, shift=1.0)
    raw = 1 / (1 + np.exp(-fresh))
    errors = [ece(y_fresh, fit_calibrator(*drawn(200, s, slope=0.5, shift=1.0)[:2])(fresh)) for s in range(8)]
    assert np.mean(errors) < 0.5 * ece(y_fresh, raw)


def test_separable_rows_stay_inside_the_open_interval() -> None:
    margin = np.concatenate([np.full(20, -3.0), np.full(20, 3.0)])
    calibrator = fit_calibrator(margin, (margin > 0).astype(float))
    probability = calibrator(np.asarray([-1e6, -3.0, 0.0, 3.0, 1e6]))
    assert ((probability > 0) & (probability < 1)).all()


def test_margins_that_are_all_equal_give_their_rate() -> None:
    y = np.asarray([0.0] * 90 + [1.0] * 10)
    assert fit_calibrator(np.full(100, 0.3), y)(np.asarray([0.3]))[0] == pytest.approx(0.1, abs=0.02)


def test_the_standard_error_is_what_repeated_draws_show() -> None:
    at = np.asarray([-3.0, -1.0, 1.0])
    found = np.stack([fit_calibrator(*drawn(2_000, s)[:2], method="line").log_odds(at) for s in range(150)])
    margin, y, _ = drawn(2_000, 999)
    told = fit_calibrator(margin, y, method="line").standard_error(margin, at)
    np.testing.assert_allclose(told, found.std(axis=0), rtol=0.25)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0.05, 5), st.floats(0.01, 5)), min_size=1, max_size=8),
    st.floats(-5, 5),
    st.floats(-5, 5),
)
def test_the_inverse_leads_back(steps: list[tuple[float, float]], first_knot: float, first_value: float) -> None:
    knots = np.cumsum([first_knot, *(k for k, _ in steps)])
    values = np.cumsum([first_value, *(v for _, v in steps)])
    calibrator = Calibrator(knots=tuple(knots), values=tuple(values))
    margin = np.linspace(knots[0] - 4, knots[-1] + 4, 37)
    np.testing.assert_allclose(calibrator.margin(calibrator.log_odds(margin)), margin, rtol=1e-7, atol=1e-7)
    assert Calibrator.from_json(json.loads(json.dumps(calibrator.to_json()))) == calibrator


@pytest.mark.parametrize(
    ("margin", "y", "words"),
    [([0.0, 1.0], [0, 0], "both classes"), ([], [], "both classes"), ([0.0], [0, 1], "one length"),
     ([np.nan, 1.0], [0, 1], "finite"), ([0.0, 1.0], [0, 2], "0 or 1")],
)  # fmt: skip
def test_rows_that_cannot_calibrate_are_refused(margin: list[float], y: list[int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        fit_calibrator(margin, y)


@pytest.mark.parametrize("raw", [{}, {"knots": [1], "values": [1]}, {"knots": [0, 1], "values": [1, 0]}, {"knots": 1}])
def test_a_spoilt_calibration_is_refused(raw: dict) -> None:
    with pytest.raises(InputError, match="calibration needs"):
        Calibrator.from_json(raw)

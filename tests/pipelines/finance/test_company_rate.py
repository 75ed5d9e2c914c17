"""The base rate: found without labels, and carried over exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.runtime.engine import logistic
from pipelines.finance.company_rate import BaseRate, before_shift, estimate_rate, log_odds
from pipelines.finance.zones import Costs


def drawn(rate: float, rows: int, seed: int) -> np.ndarray:
    """Log-odds, calibrated for one half, of rows with another share of bad ones: two normals one apart."""
    rng = np.random.default_rng(seed)
    bad = rng.random(rows) < rate
    x = rng.normal(np.where(bad, 1.0, -1.0), 1.0)
    return 2 * x  # log density ratio of the two normals


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5, 0.9])
def test_the_share_of_bad_rows_is_found_without_their_labels(rate: float) -> None:
    found = estimate_rate(drawn(rate, 20_000, 1), 0.5)
    assert found.low < rate < found.high
    assert abs(found.rate - rate) < 0.02


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.integers(0, 5))
def test_the_estimate_does_not_depend_on_the_rate_that_the_log_odds_assume(a: float, b: float, seed: int) -> None:
    z = drawn(0.3, 300, seed)
    assert estimate_rate(z + log_odds(a), a).rate == pytest.approx(estimate_rate(z + log_odds(b), b).rate, abs=1e-5)


def test_the_interval_covers_about_nineteen_of_twenty() -> None:
    hits = [(found := estimate_rate(drawn(0.1, 400, seed), 0.5)).low <= 0.1 <= found.high for seed in range(200)]
    assert 0.90 <= np.mean(hits) <= 0.99


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_rows_of_one_kind_end_at_the_edge(rate: float) -> None:
    found = estimate_rate(np.full(500, 9.0 if rate else -9.0), 0.5)
    assert abs(found.rate - rate) < 0.01
    assert found.low <= found.rate <= found.high


def test_costs_before_the_shift_cut_where_costs_after_it_do() -> None:
    shift = BaseRate(assumed=0.03, validation=0.12, source="as given").shift
    costs = Costs(missed=5, false=1)
    missed, false = before_shift(costs, shift)
    plain = Costs(missed=missed, false=false).threshold
    assert logistic(np.asarray([log_odds(plain) + shift]))[0] == pytest.approx(costs.threshold)

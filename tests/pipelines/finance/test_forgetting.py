"""What an update forgot: a share of what was known, whatever the base rate, and a gate that noise does not move."""

import numpy as np
import pytest
from scipy.special import expit

from core.errors import GateError, InputError
from pipelines.finance.forgetting import Forgetting, at_rate, compare

ROWS = 4_000
TWICE = 0.365  # spread of an error in log-odds that forgets a tenth: twice the limit of .05


def world(rows: int = ROWS, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """True log-odds and labels."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-2, 1.2, rows)
    return z, (rng.random(rows) < expit(z)).astype(float)


def found(before: np.ndarray, after: np.ndarray, y: np.ndarray, allowed: float = 0.05) -> Forgetting:
    return compare(before, after, y, allowed=allowed, decline_at=(0.2, 0.2), seed=0)


def test_a_model_that_stays_as_it_was_forgot_nothing() -> None:
    z, y = world()
    came = found(z, z, y)
    assert (came.forgotten.value, came.forgotten.low, came.forgotten.high) == (0, 0, 0)
    assert came.verdict == "kept"
    came.check("loans@1")


def test_a_model_that_knows_only_the_base_rate_forgot_all() -> None:
    z, y = world()
    came = found(z, np.zeros_like(z), y)
    assert came.forgotten.value == pytest.approx(1, abs=1e-9)
    assert came.after.auc == 0.5
    with pytest.raises(GateError, match=r"4000 reference rows .* forgot 100\.0% of what loans@1 knew") as caught:
        came.check("loans@1")
    assert caught.value.code == "FORGOTTEN"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shift", [-2.0, 0.7])
def test_another_base_rate_is_not_forgetting_but_shows_in_the_served_loss(shift: float) -> None:
    z, y = world()
    came = found(z, z + shift, y)
    assert came.forgotten.value == pytest.approx(0, abs=1e-9)
    assert came.after.log_loss > came.before.log_loss + 0.01
    assert came.verdict == "kept"


def test_a_lost_slope_is_forgetting_though_the_ranking_stays() -> None:
    z, y = world()
    came = found(z, 4 * z, y)
    assert came.after.auc == came.before.auc
    assert came.verdict == "forgot"


def test_at_rate_makes_the_mean_probability_the_share_of_bad_ones() -> None:
    z, y = world()
    moved = at_rate(z + 5, y)
    assert expit(moved).mean() == pytest.approx(y.mean(), abs=1e-12)
    assert np.ptp(moved - z) < 1e-12


def test_too_few_rows_keep_the_gate_shut_and_say_how_many_would_open_it() -> None:
    z, y = world(300, 1)
    noisy = z + np.random.default_rng(0).normal(0, 0.3, 300)
    came = found(z, noisy, y)
    assert came.verdict == "unclear"
    with pytest.raises(GateError, match=r"so few rows cannot tell .* give about \d+ rows by --reference") as caught:
        came.check("loans@1")
    assert caught.value.code == "UNCLEAR"


def test_noise_neither_refuses_what_is_harmless_nor_passes_twice_the_limit() -> None:
    """20 draws of 4,000 rows: both models err alike (true share 0), or one is worse by twice the limit."""
    harmless, harmful = [], []
    for seed in range(20):
        z, y = world(seed=seed)
        noise = np.random.default_rng((seed, 1)).normal(0, 0.25, (2, len(z)))
        harmless.append(found(z + noise[0], z + noise[1], y).verdict)
        harmful.append(found(z, z + TWICE * noise[1] / 0.25, y).verdict)
    assert harmless.count("kept") >= 16
    assert harmless.count("forgot") <= 1
    assert harmful.count("kept") <= 3


def test_the_harmful_noise_of_the_test_above_forgets_twice_the_limit() -> None:
    z, y = world(400_000)
    noise = np.random.default_rng(1).normal(0, TWICE, len(z))
    loss = [np.logaddexp(0, m) - y * m for m in (z, at_rate(z + noise, y))]
    rate = y.mean()
    known = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate)) - loss[0].mean()
    assert (loss[1] - loss[0]).mean() / known == pytest.approx(0.1, abs=0.015)


def test_a_limit_of_zero_asks_for_a_proven_gain() -> None:
    z, y = world()
    worse = z + np.random.default_rng(2).normal(0, 1, len(z))
    assert found(worse, z, y, allowed=0.0).verdict == "kept"
    assert found(z, worse, y, allowed=0.0).verdict == "forgot"


def test_same_rows_and_seed_give_the_same_interval() -> None:
    z, y = world()
    assert found(z, 0.9 * z, y).to_json() == found(z, 0.9 * z, y).to_json()


@pytest.mark.parametrize(
    ("before", "labels", "words"),
    [
        (np.linspace(-1, 1, 50), np.zeros(50), "one class only"),
        (np.linspace(1, -1, 50), np.repeat([0.0, 1.0], 25), "knows nothing about the 50 reference rows"),
    ],
)
def test_rows_by_which_nothing_could_be_forgotten_are_refused(
    before: np.ndarray, labels: np.ndarray, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        found(before, before, labels)

"""Early exits: easy rows leave, hard ones stay, and nothing is lost beyond the tolerance."""

import numpy as np
import pytest

from core.errors import InputError
from core.metrics.binary import log_loss
from core.runtime.cascade import Combination
from core.runtime.engine import logistic
from pipelines.finance.exits import ExitRows, StageDraft, calibrate_stages, exit_costs, set_bands
from pipelines.finance.scorecard import Zones

ZONES = Zones(approve_below=0.14, threshold=0.17, decline_above=0.2)
DRAFTS = (
    StageDraft(part="trees", weights=(1.0,), operations=100),
    StageDraft(part="network", weights=(0.0, 1.0), operations=300),
    StageDraft(part="network", output="deep", weights=(0.0, 0.0, 1.0), operations=600),
)


def rows(size: int = 20_000, seed: int = 0) -> ExitRows:
    """Three readings of one truth, each less noisy than the one before."""
    rng = np.random.default_rng(seed)
    z_B = rng.normal(-2, 2, size)
    y_B = (rng.random(size) < logistic(z_B)).astype(float)
    return ExitRows(margin_SB=np.stack([z_B + rng.normal(0, s, size) for s in (0.5, 0.3, 0.1)]), y_B=y_B)


def loss(combination: Combination, seen: ExitRows) -> float:
    return log_loss(seen.y_B, logistic(combination.decide(seen.margin_SB).log_odds_B))


def shares(combination: Combination, seen: ExitRows) -> list[float]:
    return (np.bincount(combination.decide(seen.margin_SB).exit_B, minlength=3) / len(seen.y_B)).tolist()


@pytest.fixture(scope="module")
def patient() -> Combination:
    return calibrate_stages(DRAFTS, rows())


def test_every_exit_is_calibrated(patient: Combination) -> None:
    fresh = rows(seed=1)
    combination = set_bands(patient, rows(), ZONES, 0.005)
    left = combination.decide(fresh.margin_SB)
    for stage in range(3):
        here = left.exit_B == stage
        p_N = logistic(left.log_odds_B[here])
        error = 4 * np.sqrt((p_N * (1 - p_N)).sum()) / here.sum()
        assert p_N.mean() == pytest.approx(fresh.y_B[here].mean(), abs=error)


@pytest.mark.parametrize("tolerance", [5e-4, 2e-3, 1e-2])
def test_the_loss_stays_within_the_tolerance_here_and_nearly_elsewhere(patient: Combination, tolerance: float) -> None:
    seen, fresh = rows(), rows(seed=1)
    combination = set_bands(patient, seen, ZONES, tolerance)
    assert shares(combination, seen)[0] > 0.05
    assert loss(combination, seen) - loss(patient, seen) <= tolerance
    assert loss(combination, fresh) - loss(patient, fresh) <= 2 * tolerance


def test_more_tolerance_saves_more(patient: Combination) -> None:
    tolerances = (0.0, 1e-4, 5e-4, 2e-3, 1e-2)
    costs = exit_costs(patient, rows(), rows(seed=1), ZONES, tolerances)
    saved = [cost.saved for cost in costs]
    assert saved == sorted(saved)
    assert saved[0] == 0
    assert costs[0].leaving == (0, 0, 1)
    assert saved[-1] > 0.3
    assert costs[-1].saved == pytest.approx(1 - np.dot(costs[-1].leaving, [100, 400, 1000]) / 1000)
    assert [cost.tolerance for cost in costs] == list(tolerances)


def test_no_decision_changes_and_no_doubtful_row_leaves(patient: Combination) -> None:
    seen = rows()
    combination = set_bands(patient, seen, ZONES, 0.01)
    left, last = combination.decide(seen.margin_SB), patient.decide(seen.margin_SB)
    early = left.exit_B < 2
    p_N = logistic(left.log_odds_B[early])
    assert np.array_equal(ZONES.place(p_N), ZONES.place(logistic(last.log_odds_B[early])))
    assert ((p_N < 0.115) | (p_N > 0.233)).all()  # as far again from the zone as the zone is wide
    assert exit_costs(patient, seen, seen, ZONES, [0.01])[0].decisions == 0


def test_few_rows_let_fewer_leave_than_many_do(patient: Combination) -> None:
    zones, few = Zones(approve_below=0.97, threshold=0.98, decline_above=0.99), rows(200)  # here only the loss decides
    from_few = set_bands(calibrate_stages(DRAFTS, few), few, zones)
    assert shares(from_few, rows())[0] < 0.8 * shares(set_bands(patient, rows(), zones), rows())[0]


def test_a_zone_without_an_approving_side_keeps_that_side(patient: Combination) -> None:
    zones = Zones(approve_below=0.0, threshold=0.1, decline_above=0.2)
    stages = set_bands(patient, rows(), zones, 0.01).stages
    assert all(stage.low is None for stage in stages)
    everything = Zones(approve_below=0.0, threshold=0.0, decline_above=0.0)
    assert all(stage.low is None for stage in set_bands(patient, rows(), everything, 0.01).stages)


def test_equal_margins_leave_together() -> None:
    seen = rows()
    coarse = ExitRows(margin_SB=np.round(seen.margin_SB), y_B=seen.y_B)
    combination = set_bands(calibrate_stages(DRAFTS, coarse), coarse, ZONES, 0.01)
    left = combination.decide(coarse.margin_SB)
    for margin in np.unique(coarse.margin_SB[0]):
        same = coarse.margin_SB[0] == margin
        assert len({number == 0 for number in left.exit_B[same].tolist()}) == 1


def test_one_class_cannot_be_calibrated() -> None:
    with pytest.raises(InputError, match="both classes"):
        calibrate_stages(DRAFTS, ExitRows(margin_SB=np.zeros((3, 5)), y_B=np.zeros(5)))

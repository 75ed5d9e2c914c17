"""Zones from costs, from a rate, and from what the data can tell."""

import numpy as np
import pytest

from core.errors import InputError
from core.runtime.calibrate import fit_calibrator
from pipelines.finance.zones import Costs, ValidationRows, choose_zones, describe


def made(rows: int, noise: float = 0.0, models: int = 5) -> tuple:
    rng = np.random.default_rng(2)
    margin = rng.normal(-2, 1.2, rows)
    y = (rng.random(rows) < 1 / (1 + np.exp(-margin))).astype(float)
    folds = margin + noise * rng.normal(size=(models, rows))
    return fit_calibrator(margin, y), ValidationRows(margin_B=margin, fold_margin_MB=folds)


@pytest.mark.parametrize(("missed", "false"), [(5, 1), (1, 1), (50, 1)])
def test_the_threshold_is_where_the_costs_break_even(missed: float, false: float) -> None:
    zones = choose_zones(*made(5_000), Costs(missed=missed, false=false))
    assert zones.threshold == pytest.approx(false / (missed + false))
    p = zones.threshold
    assert p * missed == pytest.approx((1 - p) * false)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.4])
def test_a_target_rate_declines_its_share_of_the_validation_rows(rate: float) -> None:
    calibrator, rows = made(5_000)
    zones = choose_zones(calibrator, rows, Costs(), rate)
    assert (calibrator(rows.margin_B) > zones.threshold).mean() == pytest.approx(rate, abs=0.001)


def test_fewer_rows_and_quarrelling_models_widen_the_review_zone() -> None:
    def width(rows: int, noise: float) -> float:
        zones = choose_zones(*made(rows, noise), Costs())
        return zones.decline_above - zones.approve_below

    assert width(200, 0.0) > 2 * width(5_000, 0.0)
    assert width(5_000, 0.3) > 2 * width(5_000, 0.0)


def test_without_models_of_a_cross_validation_the_calibration_alone_is_heard() -> None:
    zones = choose_zones(*made(1_000, models=0), Costs())
    assert zones.approve_below < zones.threshold < zones.decline_above


def test_a_cheap_review_takes_the_cases_for_which_it_is_the_cheapest_way() -> None:
    costs = Costs(missed=5, false=1, review=0.25)
    zones = choose_zones(*made(5_000), costs)
    assert zones.approve_below == pytest.approx(0.05)
    assert zones.decline_above == pytest.approx(0.75)


def test_a_review_dearer_than_any_mistake_changes_nothing() -> None:
    assert choose_zones(*made(5_000), Costs(review=9)) == choose_zones(*made(5_000), Costs())


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 7.0])
def test_a_rate_that_is_no_share_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        choose_zones(*made(200), Costs(), rate)


@pytest.mark.parametrize(
    ("missed", "false", "review"), [(0, 1, None), (1, -1, None), (1, 1, -1), (float("nan"), 1, None)]
)
def test_costs_without_sense_are_refused(missed: float, false: float, review: float | None) -> None:
    with pytest.raises(InputError, match="cost"):
        Costs(missed=missed, false=false, review=review)


def test_the_rule_is_told_in_a_sentence() -> None:
    zones = choose_zones(*made(500), Costs())
    assert "costs of 5:1 break even" in describe(zones, Costs(), None)
    assert "riskiest 0.1" in describe(zones, Costs(), 0.1)

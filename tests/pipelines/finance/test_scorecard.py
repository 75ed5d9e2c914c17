"""Points and zones."""

import numpy as np
import pytest

from core.errors import InputError
from pipelines.finance.scorecard import DECISIONS, Policy, Scale, Zones


def test_base_odds_give_the_base_score_and_doubled_odds_twenty_more() -> None:
    odds = np.asarray([50.0, 100.0, 25.0, 1.0])
    points = Scale().points(1 / (1 + odds))
    np.testing.assert_allclose(points, [600, 620, 580, 600 - 20 * np.log2(50)], atol=0.005)


def test_more_risk_never_has_more_points() -> None:
    points = Scale(base_score=500, base_odds=10, points_to_double=40).points(np.linspace(1e-9, 1 - 1e-9, 999))
    assert (np.diff(points) <= 0).all()


def test_zones_divide_the_line_and_nothing_unknown_is_approved() -> None:
    zones = Zones(approve_below=0.1, threshold=0.2, decline_above=0.3)
    places = zones.place([0.0, 0.0999, 0.1, 0.2, 0.3, 0.3001, 1.0, np.nan])
    words = [DECISIONS[i] for i in places]
    assert words == ["approve", "approve", "review", "review", "review", "decline", "decline", "review"]


@pytest.mark.parametrize(
    ("low", "middle", "high"), [(0.3, 0.2, 0.4), (0.1, 0.5, 0.4), (-0.1, 0.1, 0.2), (0.1, 0.2, 1.5)]
)
def test_zones_that_do_not_rise_are_refused(low: float, middle: float, high: float) -> None:
    with pytest.raises(InputError, match="zones must rise"):
        Zones(approve_below=low, threshold=middle, decline_above=high)


@pytest.mark.parametrize(("odds", "double"), [(0, 20), (50, 0), (-1, 20)])
def test_a_scale_without_sense_is_refused(odds: float, double: float) -> None:
    with pytest.raises(InputError, match="above 0"):
        Scale(base_odds=odds, points_to_double=double)


def test_a_policy_survives_its_bundle_and_tells_what_lacks() -> None:
    zones = Zones(approve_below=0.1, threshold=0.2, decline_above=0.3)
    policy = Policy(scale=Scale(), zones=zones, rule="why")
    raw = policy.to_json()
    assert Policy.from_json(raw) == policy
    del raw["threshold"]
    with pytest.raises(InputError, match="threshold"):
        Policy.from_json(raw)

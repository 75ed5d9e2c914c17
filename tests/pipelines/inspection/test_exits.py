"""Where easy pictures leave."""

import numpy as np
import pytest

from pipelines.inspection.exits import Costs, choose_line, combine
from pipelines.inspection.thresholds import Zones

ZONES = Zones(threshold=0.3, review_above=0.2, reject_above=0.6, why="test")
COSTS = Costs(missed=5.0, false=1.0)


def price(first: np.ndarray, second: np.ndarray, yes: np.ndarray, line: float | None) -> float:
    """The slow reference: what escapes and overkills cost when pictures below the line pass."""
    stop, total = np.log(0.3 / 0.7), 0.0
    for a, b, bad in zip(first, second, yes, strict=True):
        flagged = b >= stop and (line is None or a >= line)
        total += COSTS.missed * (bad and not flagged) + COSTS.false * (flagged and not bad)
    return total


@pytest.mark.parametrize("seed", range(10))
def test_a_line_costs_nothing_on_validation_and_lets_only_what_passes_leave(seed: int) -> None:
    rng = np.random.default_rng(seed)
    yes = rng.random(200) < 0.3
    first, second = (rng.normal(0, 1.5, 200) + power * (2.0 * yes - 1) for power in (1.0, 2.0))
    line = choose_line(first, second, yes, ZONES, COSTS)
    if line is not None:
        assert line <= np.log(0.2 / 0.8)
        assert price(first, second, yes, line) <= price(first, second, yes, None)


def test_clear_pictures_leave() -> None:
    yes = np.arange(40) % 2 == 0
    margin = np.where(yes, 4.0, -4.0) + np.linspace(-0.5, 0.5, 40)
    line = choose_line(margin, margin, yes, ZONES, COSTS)
    assert line is not None
    assert (margin[~yes] < line).all()
    assert (margin[yes] > line).all()


@pytest.mark.parametrize("yes", [np.ones(5, bool), np.zeros(5, bool)])
def test_without_both_kinds_nobody_leaves(yes: np.ndarray) -> None:
    assert choose_line(np.arange(5.0), np.arange(5.0), yes, ZONES, COSTS) is None


def test_a_defect_that_looks_clear_keeps_the_line_below_it() -> None:
    yes = np.array([False, True, False, False, True])
    first = np.array([-6.0, -5.0, -4.0, -3.0, 3.0])
    second = np.array([-3.0, 3.0, -3.0, -3.0, 3.0])
    line = choose_line(first, second, yes, ZONES, COSTS)
    assert line is not None
    assert -6 < line < -5


def test_both_stages_count_their_work() -> None:
    whole = combine(None, None, (100.0, 50.0))
    assert whole.operations(np.array([0, 1])) == 125.0
    left = whole.decide(np.array([[1.0, -2.0], [0.5, 0.25]]))
    assert left.log_odds_B.tolist() == [0.75, -0.875]

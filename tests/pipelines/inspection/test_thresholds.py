"""Zones from costs and rates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.metrics.pixels import tally
from pipelines.inspection.thresholds import Zones, choose_region_threshold, choose_zones


def zones_of(yes, p, *, missed=1.0, false=1.0, target_rate=None):  # type: ignore[no-untyped-def]
    groups = [str(place) for place in range(len(yes))]
    flags = np.array(yes, bool)
    return choose_zones(flags, np.array(p, float), groups, missed=missed, false=false, target_rate=target_rate, seed=0)


def test_kinds_that_are_apart_are_parted_in_the_middle() -> None:
    zones = zones_of([0] * 20 + [1] * 20, [0.1] * 20 + [0.9] * 20)
    assert zones.threshold == pytest.approx(0.5)
    assert (zones.verdict(0.05), zones.verdict(0.95)) == ("pass", "reject")


def test_a_dear_escape_lowers_the_line() -> None:
    rng = np.random.default_rng(0)
    yes = rng.random(300) < 0.4
    p = np.clip(rng.normal(0.35 + 0.3 * yes, 0.15), 0.001, 0.999)
    cheap, dear = zones_of(yes, p), zones_of(yes, p, missed=20.0)
    assert dear.threshold < cheap.threshold
    assert (p[yes] < dear.threshold).mean() < (p[yes] < cheap.threshold).mean()


def test_the_line_lies_half_way_to_that_of_the_costs_alone() -> None:
    zones = zones_of([0] * 20 + [1] * 20, [0.1] * 20 + [0.9] * 20, missed=9.0)
    assert zones.threshold == pytest.approx(0.25)  # odds 1/3: between 1 and 1/9
    assert zones.review_above <= zones.threshold <= zones.reject_above


def test_a_target_rate_bounds_the_good_parts_that_are_flagged() -> None:
    rng = np.random.default_rng(0)
    yes = rng.random(400) < 0.3
    p = np.clip(rng.normal(0.35 + 0.3 * yes, 0.15), 0.001, 0.999)
    zones = zones_of(yes, p, target_rate=0.1)
    assert 0.05 < (p[~yes] >= zones.threshold).mean() < 0.13


def test_uncertainty_about_the_line_opens_a_review_zone() -> None:
    rng = np.random.default_rng(0)
    yes = rng.random(40) < 0.5
    p = np.clip(rng.normal(0.4 + 0.2 * yes, 0.2), 0.001, 0.999)
    zones = zones_of(yes, p)
    assert zones.review_above < zones.threshold < zones.reject_above
    assert zones.verdict(zones.threshold) == "review"


def test_without_a_good_picture_nothing_passes() -> None:
    assert zones_of([1, 1, 1], [0.2, 0.01, 0.9]).verdict(0.0) == "reject"


def test_without_a_defective_picture_a_rate_of_good_ones_decides() -> None:
    p = np.linspace(0.01, 0.5, 200)
    assert 0.45 < zones_of([0] * 200, p).threshold < 0.52


def test_zones_survive_json() -> None:
    zones = Zones(threshold=0.4, review_above=0.3, reject_above=0.6, why="x")
    assert Zones.from_json(zones.to_json()) == zones


def test_zones_out_of_order_are_refused() -> None:
    with pytest.raises(InputError, match="review_above <= threshold"):
        Zones(threshold=0.4, review_above=0.5, reject_above=0.6, why="x")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 0.999)), min_size=2, max_size=30), st.floats(0.1, 50))
def test_zones_are_always_in_order(rows: list[tuple[bool, float]], missed: float) -> None:
    zones = zones_of([yes for yes, _ in rows], [p for _, p in rows], missed=missed)
    assert 0 <= zones.review_above <= zones.threshold <= zones.reject_above <= 1


def test_the_region_threshold_is_the_one_of_best_pixel_f1() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((60, 60), bool)
    mask[20:30, 20:40] = True
    p = np.clip(rng.normal(0.2 + 0.4 * mask, 0.1), 0.01, 0.99)
    line = choose_region_threshold([tally(p, mask, 0.5)])
    f1 = [2 * (mask & (p >= t)).sum() / (mask.sum() + (p >= t).sum()) for t in np.linspace(0.05, 0.95, 181)]
    mine = 2 * (mask & (p >= line)).sum() / (mask.sum() + (p >= line).sum())
    assert mine >= max(f1) - 0.01
    assert choose_region_threshold([]) == 0.5

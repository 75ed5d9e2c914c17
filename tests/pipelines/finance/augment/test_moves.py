"""Labels go where their events go: on grids and at irregular times, through every pattern that moves steps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.finance.augment.augmentor import TimeSeriesAugmentor
from pipelines.finance.augment.constraints import Constraint, Constraints
from pipelines.finance.augment.moves import Piece, move
from pipelines.finance.augment.patterns import PATTERNS
from pipelines.finance.augment.series import Interval, Series

MOVING = [name for name, pattern in PATTERNS.items() if pattern.points == "move"]
FREE = Constraints(kinds=((),))
HIGH = 10.0


def planted(steps: int, start: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat series with a block of height 10, and its labels of steps."""
    x, points = np.zeros((1, steps, 1)), np.zeros((1, steps), dtype=int)
    x[0, start : start + length] = HIGH
    points[0, start : start + length] = 3
    return x, points


@pytest.mark.parametrize("name", MOVING)
@given(seed=st.integers(0, 10_000), steps=st.integers(8, 40), length=st.integers(1, 4), data=st.data())
@settings(max_examples=60, deadline=None)
def test_labels_of_steps_stand_where_the_planted_block_stands(
    name: str, seed: int, steps: int, length: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, steps - length))
    x, points = planted(steps, start, length)
    made = TimeSeriesAugmentor([name], (0.5, 2.0), random_state=seed).fit(x).augment(x, points=points)
    assert made.points is not None
    values, labels = made.x[0, :, 0], made.points[0]
    assert np.all(values[labels == 3] >= HIGH / 2), "a label stands where the block is not"
    assert np.all(values[labels == 0] <= HIGH / 2), "the block stands where no label is"
    if name != "window_slice":  # nothing is cut off
        assert (labels == 3).any(), "the event was lost"


@pytest.mark.parametrize("name", MOVING)
@given(seed=st.integers(0, 10_000), data=st.data())
@settings(max_examples=60, deadline=None)
def test_intervals_hold_the_planted_block_and_nothing_else(name: str, seed: int, data: st.DataObject) -> None:
    steps, length = 40, data.draw(st.integers(3, 12))
    start = data.draw(st.integers(0, steps - length))
    x, _ = planted(steps, start, length)
    held = [[Interval(start=start - 0.5, end=start + length - 0.5, label=3)]]  # where lines cross half the height
    made = TimeSeriesAugmentor([name], (0.5, 2.0), random_state=seed).fit(x).augment(x, intervals=held)
    assert made.intervals is not None
    at, value = np.arange(steps), made.x[0, :, 0]
    inside = np.zeros(steps, bool)
    for interval in made.intervals[0]:
        assert interval.label == 3
        inside |= (at >= interval.start) & (at <= interval.end)
    clear = np.abs(value - HIGH / 2) > 1e-6
    assert np.array_equal(inside[clear], value[clear] > HIGH / 2)


@pytest.mark.parametrize("name", MOVING)
@given(seed=st.integers(0, 10_000), data=st.data())
@settings(max_examples=60, deadline=None)
def test_labels_and_intervals_follow_events_at_irregular_times(name: str, seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    steps, length = 20, data.draw(st.integers(1, 5))
    start = data.draw(st.integers(0, steps - length))
    x, points = planted(steps, start, length)
    times = np.cumsum(rng.exponential(3.0, (1, steps)) + 0.01, axis=1)
    held = [[Interval(start=times[0, start], end=times[0, start + length - 1], label=3)]]
    augmentor = TimeSeriesAugmentor([name], random_state=seed).fit(x, times=times)
    made = augmentor.augment(x, times=times, points=points, intervals=held)
    assert made.points is not None
    assert made.times is not None
    assert made.intervals is not None
    seen = np.isfinite(made.times[0])
    assert np.all(np.diff(made.times[0, seen]) >= 0)
    assert np.array_equal(made.x[0, :, 0] == HIGH, made.points[0] == 3)
    for step in np.flatnonzero(made.points[0] == 3):
        assert any(one.start - 1e-9 <= made.times[0, step] <= one.end + 1e-9 for one in made.intervals[0])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_continuous_labels_of_steps_stay_the_function_of_the_values_that_they_were(seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(3, 24, 1))
    points = 2.0 * x[:, :, 0] + 1.0
    made = TimeSeriesAugmentor(["time_warp", "permutation"], random_state=seed).fit(x).augment(x, points=points)
    assert made.points is not None
    assert made.points == pytest.approx(2.0 * made.x[:, :, 0] + 1.0)


@given(seed=st.integers(0, 10_000), period=st.sampled_from([2, 7, 24]), name=st.sampled_from(MOVING))
@settings(max_examples=80, deadline=None)
def test_a_calendar_lets_steps_move_by_whole_periods_only(seed: int, period: int, name: str) -> None:
    steps = 60
    phase = np.arange(steps, dtype=float) % period
    x = np.stack([np.random.default_rng(seed).normal(size=steps), phase], axis=1)[None]
    constraints = {1: Constraint(kind="calendar", period=period)}
    made = TimeSeriesAugmentor([name], (1.0, 3.0), constraints=constraints, random_state=seed).fit(x).augment(x)
    assert np.array_equal(made.x[0, :, 1], phase)


@given(seed=st.integers(0, 10_000), name=st.sampled_from(MOVING))
@settings(max_examples=80, deadline=None)
def test_events_keep_their_hour_under_a_calendar_of_a_day(seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0, 30 * 24, (1, 25)), axis=1)
    x = (times % 24)[:, :, None]
    constraints = {0: Constraint(kind="calendar", period=24)}
    augmentor = TimeSeriesAugmentor([name], (1.0, 3.0), constraints=constraints, random_state=seed)
    made = augmentor.fit(x, times=times).augment(x, times=times)
    assert made.times is not None
    seen = made.mask[0, :, 0]
    gap = np.abs(made.times[0, seen] % 24 - made.x[0, seen, 0])
    assert np.minimum(gap, 24 - gap).max(initial=0.0) < 1e-6


def test_a_stretch_that_goes_nowhere_is_dropped_and_room_is_left_at_the_front() -> None:
    series = Series(x_TC=np.arange(4.0)[:, None], time_T=np.array([0.0, 1.0, 2.0, 4.0]))
    kept = np.array([0.5, 1.0])
    made = move(series, (Piece(src_K=kept, out_K=kept),), FREE)
    assert made.x_TC[:, 0] == pytest.approx([np.nan, np.nan, 2, 3], nan_ok=True)
    assert made.time_T == pytest.approx([np.nan, np.nan, 2, 4], nan_ok=True)


def test_a_warp_to_itself_changes_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(9, 2))
    whole = np.array([0.0, 1.0])
    same = move(Series(x_TC=x), (Piece(src_K=whole, out_K=whole),), Constraints(kinds=((), ())))
    assert same.x_TC == pytest.approx(x)


def test_beside_a_missing_value_the_nearer_step_speaks() -> None:
    x = np.array([0.0, np.nan, 4.0, 6.0])[:, None]
    piece = Piece(src_K=np.array([0.3, 1.0]), out_K=np.array([0.0, 1.0]))
    made = move(Series(x_TC=x), (piece,), FREE).x_TC[:, 0]
    assert np.isnan(made[0])
    assert np.isfinite(made[1:]).all()

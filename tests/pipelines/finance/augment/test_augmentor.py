"""`TimeSeriesAugmentor` by scikit-learn's conventions: labels kept, seeds obeyed, bad input refused in one line."""

import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from core.errors import InputError
from pipelines.finance.augment.augmentor import TimeSeriesAugmentor
from pipelines.finance.augment.patterns import PATTERNS
from pipelines.finance.augment.series import Interval

N, T, C = 12, 20, 2
ALL = tuple(PATTERNS)


def waves(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.array([0, 1] * (N // 2))
    at = np.arange(T)[None, :, None]
    return np.sin(at * (0.3 + 0.4 * y[:, None, None])) + 0.1 * rng.normal(size=(N, T, C)), y


def one(name: str, **options) -> TimeSeriesAugmentor:  # type: ignore[no-untyped-def]
    return TimeSeriesAugmentor([name], **{"random_state": 0, "anchored": PATTERNS[name].anchored, **options})


# every check applies: (N, T) is read as one channel, and 3-D input is accepted where a check tries it
@parametrize_with_checks([
    TimeSeriesAugmentor(random_state=0),
    TimeSeriesAugmentor(["mixup", "barycentre"], random_state=0),
    TimeSeriesAugmentor(["spike", "dropout", "window_slice"], per_series=None, random_state=0),
])  # fmt: skip
def test_it_passes_the_checks_of_scikit_learn(estimator, check) -> None:  # type: ignore[no-untyped-def]
    check(estimator)


@pytest.mark.parametrize("name", ALL)
def test_every_pattern_changes_values_keeps_shape_and_class(name: str) -> None:
    x, y = waves()
    made = one(name).fit(x, y).augment(x, y, copies=3)
    assert made.x.shape == (3 * N, T, C)
    assert made.y is not None
    assert np.array_equal(made.y, np.tile(y, 3))
    assert np.array_equal(made.source, np.tile(np.arange(N), 3))
    assert made.patterns == ((name,),) * (3 * N)
    assert not np.array_equal(made.x, x[made.source])
    assert np.array_equal(made.mask, np.isfinite(made.x))
    assert np.isfinite(made.x).all() or name == "dropout"


@pytest.mark.parametrize("name", ALL)
def test_a_stronger_magnitude_changes_more(name: str) -> None:
    x, y = waves()

    def change(magnitude: float) -> float:
        augmentor = one(name, magnitude_range=(magnitude, magnitude)).fit(x, y)
        made = augmentor.augment(x, y, copies=20)
        gap = np.where(made.mask, made.x - x[made.source], 1.0)  # a hidden value counts as one
        return float(np.mean(gap**2))

    if name == "permutation":  # an order has no strength
        assert change(0.3) == change(1.5)
    else:
        assert change(0.3) < change(1.5)


@pytest.mark.parametrize("name", ALL)
def test_missing_values_are_not_made_up(name: str) -> None:
    x, y = waves()
    mask = np.ones((N, T), bool)
    mask[:, :5] = False
    augmentor = one(name).fit(x, y, mask=mask)
    made = augmentor.augment(x, y, mask=mask)
    if PATTERNS[name].points == "move":  # a gap goes where its steps go
        assert (~made.mask).any()
    else:
        assert not made.mask[:, :5].any()


@pytest.mark.parametrize("name", [name for name in ALL if name != "frequency_mask"])
def test_events_of_unequal_number_keep_their_order_and_padding_in_front(name: str) -> None:
    x, y = waves()
    times = np.cumsum(np.random.default_rng(1).exponential(2.0, (N, T)), axis=1)
    times[::2, :4], x[::2, :4] = np.nan, np.nan
    augmentor = one(name, anchored=True).fit(x, y, times=times)
    made = augmentor.augment(x, y, times=times, copies=2)
    assert made.times is not None
    assert np.array_equal(made.times[:, -1], np.tile(times[:, -1], 2))
    assert not (np.isnan(made.times[:, 1:]) & np.isfinite(made.times[:, :-1])).any()
    assert np.all(np.nan_to_num(np.diff(made.times, axis=1)) >= 0)
    assert not np.isfinite(made.x[np.isnan(made.times)]).any()


def test_the_same_seed_gives_the_same_series_and_another_seed_others() -> None:
    x, y = waves()
    one, same, other = (TimeSeriesAugmentor(ALL[:6], random_state=seed).fit(x, y).augment(x, y).x for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_clone_has_the_same_parameters_and_a_pipeline_takes_it() -> None:
    x, y = waves()
    first = TimeSeriesAugmentor(["mixup"], (0.5, 0.9), constraints={0: "fixed"}, random_state=1)
    assert clone(first).get_params() == first.get_params()
    made = make_pipeline(StandardScaler(), TimeSeriesAugmentor(random_state=0)).fit_transform(x[:, :, 0], y)
    assert made.shape == (N, T)


def test_a_row_gives_the_same_answer_in_whatever_company() -> None:
    x, y = waves()
    augmentor = TimeSeriesAugmentor(["mixup", "jitter"], random_state=0).fit(x, y)
    assert np.array_equal(augmentor.transform(x)[3:4], augmentor.transform(x[3:4]))


def test_mixup_averages_continuous_targets_and_their_series_alike() -> None:
    level = np.linspace(0.5, 9.7, N)
    x = np.tile(level[:, None, None], (1, T, 1))
    for name in ("mixup", "barycentre"):
        made = one(name).fit(x, level).augment(x, level)
        assert made.y == pytest.approx(made.x[:, 0, 0])
        assert not np.allclose(made.y, level)


def test_mixing_stays_within_the_class() -> None:
    x = np.zeros((10, 6, 1))
    x[5:] = 100.0
    x += np.random.default_rng(0).normal(size=x.shape)
    y = np.array(["calm"] * 5 + ["wild"] * 5)
    for name in ("mixup", "barycentre"):
        made = one(name).fit(x, y).augment(x, y, copies=3)
        assert made.y is not None
        assert np.abs(made.x[made.y == "calm"]).max() < 10
        assert np.abs(made.x[made.y == "wild"] - 100).max() < 10


@pytest.mark.parametrize("name", ["splice", "graft"])
def test_a_spliced_series_is_one_past_and_another_end_with_the_labels_of_both(name: str) -> None:
    x = np.tile(np.arange(10.0)[:, None, None], (1, 12, 1))  # the value names the series
    points = np.tile(np.arange(1, 11)[:, None], (1, 12))
    times = np.cumsum(np.random.default_rng(0).exponential(1.0, (10, 12)), axis=1)
    held = [[Interval(start=row[0], end=row[-1], label=at + 1)] for at, row in enumerate(times)]
    y = np.array([0, 1] * 5)
    augmentor = one(name, anchored=True).fit(x, y, times=times, points=points, intervals=held)
    made = augmentor.augment(x, y, times=times, points=points, intervals=held)
    assert made.times is not None
    assert made.intervals is not None
    assert np.array_equal(made.points, made.x[:, :, 0] + 1)
    for row in range(10):
        first, last = made.x[row, 0, 0], made.x[row, -1, 0]
        assert last == row
        assert first != row
        assert (first % 2 == row % 2) or name == "graft"
        joint = int(np.argmax(made.x[row, :, 0] == row))
        peer_gap = times[int(first), joint] - times[int(first), joint - 1]
        assert made.times[row, joint] - made.times[row, joint - 1] == pytest.approx(peer_gap)
        assert [own.label for own in made.intervals[row]] == [first + 1, last + 1]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("rows", "steps"), [(1, 9), (5, 1), (5, 2), (1, 1)])
def test_single_series_and_single_steps_are_taken(name: str, rows: int, steps: int) -> None:
    x = np.random.default_rng(0).normal(size=(rows, steps, 2))
    y = np.arange(rows) % 2
    for magnitude in (0.1, 5.0):
        made = (
            one(name, magnitude_range=(magnitude, magnitude)).fit(x, y).augment(x, y, points=np.zeros(x.shape[:2], int))
        )
        assert made.x.shape == x.shape
        assert np.isfinite(made.x).all() or name == "dropout"
    if steps == 1 and name in ("splice", "graft", "permutation"):
        assert np.array_equal(made.x, x)


@pytest.mark.parametrize("name", ALL)
def test_a_series_of_nothing_but_missing_values_stays_so(name: str) -> None:
    x, y = waves()
    x[3] = np.nan
    made = one(name).fit(x, y).augment(x, y)
    if name not in ("splice", "graft"):  # these take a past that was seen
        assert not made.mask[3].any()
    assert made.mask[[0, 1, 2]].any()


def test_a_probability_of_a_half_repeats_about_half_of_the_series() -> None:
    x, y = waves()
    made = TimeSeriesAugmentor(["jitter"], probability=0.5, random_state=0).fit(x, y).augment(x, y, copies=20)
    same = np.array([not done for done in made.patterns])
    assert 0.35 < same.mean() < 0.65
    assert np.array_equal(made.x[same], x[made.source[same]])


@pytest.mark.parametrize("name", ["mixup", "barycentre"])
def test_what_is_labelled_in_a_peer_is_labelled_in_the_mixture(name: str) -> None:
    rng = np.random.default_rng(2)
    x = np.zeros((2, 30, 1))
    x[0, 8:12], x[1, 9:13] = 5.0, 5.0
    x += 0.01 * rng.normal(size=x.shape)
    points = (x[:, :, 0] > 2).astype(int)
    held = [[Interval(start=8, end=11)], [Interval(start=9, end=12)]]
    augmentor = one(name).fit(x, points=points, intervals=held)
    made = augmentor.augment(x, points=points, intervals=held)
    assert made.points is not None
    assert made.intervals is not None
    assert np.all(made.points[made.x[:, :, 0] > 2] == 1)
    assert [len(own) for own in made.intervals] == [2, 2]
    assert all(7 <= one.start <= one.end <= 13 for own in made.intervals for one in own)


def test_what_a_pattern_puts_in_is_marked_where_asked() -> None:
    x = np.zeros((6, 30, 1)) + 0.01 * np.random.default_rng(0).normal(size=(6, 30, 1))
    points = np.zeros((6, 30), int)
    augmentor = TimeSeriesAugmentor(["spike"], injected_label=7, random_state=0).fit(x)
    made = augmentor.augment(x, points=points)
    assert made.points is not None
    assert np.array_equal(made.points == 7, np.abs(made.x[:, :, 0] - x[:, :, 0]) > 0)
    silent = TimeSeriesAugmentor(["spike"], random_state=0).fit(x).augment(x, points=points)
    assert silent.points is not None
    assert not silent.points.any()


def test_names_of_classes_come_back_as_they_went_in() -> None:
    x, y = waves()
    named = np.where(y == 1, "fraud", "good")
    made = TimeSeriesAugmentor(random_state=0).fit(x, named).augment(x, named)
    assert made.y is not None
    assert made.y.tolist() == named.tolist()


@pytest.mark.parametrize(
    ("options", "data", "words"),
    [
        ({"patterns": ["noise"]}, {}, "no pattern 'noise'; there are seasonal|no pattern 'noise'"),
        ({"patterns": []}, {}, "at least one name"),
        ({"patterns": "jitter"}, {}, "must be a list"),
        ({"magnitude_range": (0, 1)}, {}, "0 < low <= high"),
        ({"per_series": 0}, {}, "per_series must be at least 1"),
        ({"constraints": {5: "share"}}, {}, "names channel 5; the channels are 0..1"),
        ({"constraints": {0: "positive"}}, {}, "a constraint is one of non_negative"),
        ({"constraints": {0: "non_negative"}}, {}, "was declared non_negative, but holds"),
        ({"constraints": {"time": "share"}}, {}, "can be declared a calendar only"),
        ({"patterns": ["barycentre"], "constraints": {"time": "calendar"}}, {}, "cannot keep the constraint"),
        ({"patterns": ["graft"]}, {}, "needs labels that are about the last step"),
        ({"probability": 2}, {}, "probability must lie in 0..1"),
        ({"patterns": ["frequency_mask"]}, {"times": np.tile(np.arange(T), (N, 1))}, "needs even steps"),
        ({}, {"times": np.tile(np.arange(T)[::-1], (N, 1))}, "fall at step 1; sort the events"),
        ({}, {"times": np.arange(T)}, re.escape("times must be (N, T)")),
        ({}, {"mask": np.ones((N, T + 1), bool)}, "the mask must be"),
        ({}, {"points": np.zeros((N, 3))}, "one label a step"),
        ({}, {"intervals": [[]]}, "one list a series"),
        ({"channels": ["amount"]}, {}, "channels names 1 channels, the series have 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_way_out(options: dict, data: dict, words: str) -> None:
    x, y = waves()
    with pytest.raises(InputError, match=words):
        TimeSeriesAugmentor(**options).fit(x, y, **data)


def test_series_of_other_channels_or_classes_are_refused() -> None:
    x, y = waves()
    augmentor = TimeSeriesAugmentor(random_state=0).fit(x, y)
    with pytest.raises(InputError, match="1 channels, fitted were 2"):
        augmentor.augment(x[:, :, :1], y)
    with pytest.raises(InputError, match="class 9 that was not fitted"):
        augmentor.augment(x, np.where(y == 1, 9, 0))
    with pytest.raises(InputError, match="copies must be at least 1"):
        augmentor.augment(x, y, copies=0)

"""A policy adds rows to a training set: of which classes, how many, and what holds of them."""

import numpy as np
import pytest

from core.errors import InputError
from pipelines.finance.augment.policy import NOOP, DataRules, Policy, augmented_rows


def rows(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Thirty series of events: times of one card, non-negative amounts; five are of class 1."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(1.0, (30, 12)), axis=1)
    x = np.stack([times, rng.exponential(5.0, (30, 12))], axis=2)
    return x, np.array([1] * 5 + [0] * 25)


def test_no_augmentation_adds_nothing() -> None:
    x, y = rows()
    made, labels = augmented_rows(x, y, NOOP, seed=0)
    assert made.shape == (0, 12, 2)
    assert labels.shape == (0,)


def test_only_smaller_classes_get_copies_unless_all_are_equal() -> None:
    x, y = rows()
    policy = Policy(patterns=("jitter",), copies=3)
    assert augmented_rows(x, y, policy, seed=0)[1].tolist() == [1] * 15
    assert len(augmented_rows(x, y, policy, seed=0, copies=2)[1]) == 10
    assert sorted(augmented_rows(x[:10], y[:10], policy, seed=0)[1]) == [0] * 15 + [1] * 15


def test_the_same_seed_adds_the_same_rows() -> None:
    x, y = rows()
    policy = Policy(patterns=("mixup", "splice", "graft"), copies=2, border=1.0)
    rules = DataRules(anchored=True)
    first, again, other = (augmented_rows(x, y, policy, seed=seed, rules=rules)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_times_are_taken_out_of_their_channel_and_put_back() -> None:
    x, y = rows()
    rules = DataRules(constraints={0: "non_negative"}, time_channel=0, anchored=True)
    policy = Policy(patterns=("time_warp", "graft", "jitter"), copies=8, per_series=3)
    made, _ = augmented_rows(x, y, policy, seed=0, rules=rules)
    assert np.all(np.nan_to_num(np.diff(made[:, :, 0], axis=1)) >= 0)
    assert np.array_equal(made[:, -1, 0], np.tile(x[:5, -1, 0], 8))
    assert np.nanmin(made[:, :, 1]) >= 0
    assert not np.array_equal(made[:5, :, 0], x[:5, :, 0])


def test_copies_near_the_border_are_of_the_nearest_of_the_largest_class() -> None:
    x = np.zeros((24, 6, 1))
    x[:4], x[4:8], x[8:] = 1.0, 2.0, 50.0
    y = np.array([1] * 4 + [0] * 20)
    made, labels = augmented_rows(x, y, Policy(patterns=("jitter",), copies=1, border=1.0), seed=0)
    assert labels.tolist() == [1] * 4 + [0] * 4
    assert made[4:].mean() == pytest.approx(2.0, abs=0.5)


def test_a_policy_comes_back_from_json_and_nonsense_does_not() -> None:
    policy = Policy(patterns=("splice", "trend"), magnitude_low=0.4, copies=7, border=0.5, probability=0.5)
    assert Policy.from_json(policy.to_json()) == policy
    for found in ({"patterns": "splice"}, {"copies": 3}, {"patterns": [], "size": 3}, {"patterns": [], "copies": "a"}):
        with pytest.raises(InputError, match="a policy h"):
            Policy.from_json(found)
    for broken in ({"magnitude_low": 2.0}, {"copies": 0}, {"probability": 0.0}, {"patterns": ("noise",)}):
        with pytest.raises(InputError):
            Policy(**broken)  # type: ignore[arg-type]

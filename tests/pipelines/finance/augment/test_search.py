"""The search: no augmentation wins unless something beats it on fresh seeds; budgets hold; a cut-off run goes on."""

from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from pipelines.finance.augment.judge import Labelled, TreeJudge, summary_features
from pipelines.finance.augment.policy import NOOP, Policy
from pipelines.finance.augment.search import FRESH, SearchOptions, search_policy

OPTIONS = SearchOptions(patterns=("jitter", "mixup", "spike"), trials=10, seeds=(0, 1), copies=(1, 4))


class Told:
    """A judge whose forecasts sharpen with what a policy is worth; it remembers what it was asked."""

    fingerprint = "told"

    def __init__(self, worth: dict[str, float], luck: float = 0.0, stop_after: int | None = None) -> None:
        rng = np.random.default_rng(0)
        self.labels = (rng.random(600) < 0.2).astype(np.int64)
        self.noise = rng.normal(size=600)
        self.worth, self.luck, self.stop_after = worth, luck, stop_after
        self.asked: list[tuple[Policy, int]] = []

    def forecast(self, policy: Policy, seed: int) -> np.ndarray:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked.append((policy, seed))
        rng = np.random.default_rng([seed, len(policy.name), policy.copies])
        better = sum(self.worth.get(name, 0.0) for name in policy.patterns)
        lucky = self.luck if seed < FRESH and policy != NOOP else 0.0
        return 1.0 * self.labels * (1 + better + lucky) + self.noise + 0.05 * rng.normal(size=600)


def test_a_pattern_that_helps_is_found_and_comes_with_its_evidence(tmp_path: Path) -> None:
    found = search_policy(Told({"mixup": 1.5, "spike": -0.8}), tmp_path, OPTIONS)
    assert "mixup" in found.policy.patterns
    assert len(found.trials) == 10
    assert found.trials[0].policy == NOOP
    assert [trial.seeds for trial in found.trials] == [(0, 1)] * 10
    best = max(found.confirmations, key=lambda trial: trial.gain)
    assert best.policy == found.policy
    assert best.seeds == (FRESH, FRESH + 1, FRESH + 2)
    assert best.low > 0
    assert found.to_json()["trials"][3]["gain"]["low"] <= found.to_json()["trials"][3]["gain"]["high"]


def test_no_augmentation_is_returned_when_nothing_helps(tmp_path: Path) -> None:
    found = search_policy(Told(dict.fromkeys(OPTIONS.patterns, -0.3)), tmp_path, OPTIONS)
    assert found.policy == NOOP
    assert "no augmentation" in found.words


def test_luck_of_the_seeds_that_chose_does_not_pass_on_fresh_ones(tmp_path: Path) -> None:
    found = search_policy(Told(dict.fromkeys(OPTIONS.patterns, -0.1), luck=1.0), tmp_path, OPTIONS)
    assert max(trial.gain for trial in found.trials) > 0.1
    assert found.confirmations
    assert found.policy == NOOP


@pytest.mark.parametrize("cut", [1, 12, 23])
def test_a_search_that_was_cut_off_goes_on_and_ends_as_one_that_was_not(tmp_path: Path, cut: int) -> None:
    worth = {"mixup": 0.5, "spike": -0.5}
    everything = Told(worth)
    whole = search_policy(everything, tmp_path / "whole", OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        search_policy(Told(worth, stop_after=cut), tmp_path / "cut", OPTIONS)
    rest = Told(worth)
    assert search_policy(rest, tmp_path / "cut", OPTIONS).to_json() == whole.to_json()
    assert len(rest.asked) == len(everything.asked) - cut, "what was done is not done again"


def test_a_finished_search_answers_at_once_and_a_larger_budget_goes_on(tmp_path: Path) -> None:
    first = search_policy(Told({"mixup": 1.0}), tmp_path, OPTIONS)
    again = Told({"mixup": 1.0})
    assert search_policy(again, tmp_path, OPTIONS).to_json() == first.to_json()
    assert not again.asked
    more = SearchOptions(patterns=OPTIONS.patterns, trials=12, seeds=(0, 1), copies=(1, 4))
    assert len(search_policy(Told({"mixup": 1.0}), tmp_path, more).trials) == 12


def test_a_folder_of_another_search_is_refused(tmp_path: Path) -> None:
    search_policy(Told({}), tmp_path, SearchOptions(patterns=("jitter",), trials=1))
    with pytest.raises(InputError, match="other options or data; name another folder"):
        search_policy(Told({}), tmp_path, SearchOptions(patterns=("spike",), trials=1))


def test_a_folder_of_other_data_is_refused(tmp_path: Path) -> None:
    options = SearchOptions(patterns=("jitter",), trials=1, seeds=(0,))
    first, other = (TreeJudge(fit=series(at, 60, 0.3), valid=series(9, 60, 0.3), features=summary_features)
                    for at in (0, 1))  # fmt: skip
    search_policy(first, tmp_path, options)
    search_policy(first, tmp_path, options)
    with pytest.raises(InputError, match="other options or data"):
        search_policy(other, tmp_path, options)


def test_no_trial_begins_after_the_seconds_are_spent(tmp_path: Path) -> None:
    ticks = iter(np.arange(0.0, 1000.0, 5.0))
    options = SearchOptions(patterns=("jitter",), trials=50, seconds=42.0)
    found = search_policy(Told({}), tmp_path, options, clock=lambda: float(next(ticks)))
    assert 1 < len(found.trials) < 6


def test_progress_rises_to_one_and_names_the_best(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    search_policy(Told({"mixup": 1.0}), tmp_path, OPTIONS, lambda share, words: told.append((share, words)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert "trial 1 of 10: no augmentation" in told[0][1]
    assert any("best +" in words for _, words in told)


@pytest.mark.parametrize("broken", [{"trials": 0}, {"seconds": 0}, {"seeds": ()}, {"copies": (0, 3)},
                                    {"patterns": ("noise",)}, {"patterns": ()}])  # fmt: skip
def test_budgets_and_patterns_that_cannot_be_are_refused(broken: dict) -> None:
    with pytest.raises(InputError):
        SearchOptions(**broken)


def series(seed: int, rows: int, share: float) -> Labelled:
    """Waves; those of class 1 have one hump more, at a random place."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < share).astype(np.int64)
    x = rng.normal(size=(rows, 24, 1))
    for row, start in zip(np.flatnonzero(y), rng.integers(0, 19, int(y.sum())), strict=True):
        x[row, start : start + 5, 0] += 2.5
    return Labelled(x_NTC=x, y_N=y)


def test_trees_judge_a_policy_on_features_of_real_and_new_series() -> None:
    judge = TreeJudge(fit=series(0, 400, 0.1), valid=series(1, 400, 0.1), features=summary_features)
    plain, policy = judge.forecast(NOOP, 0), Policy(patterns=("time_warp",), copies=5)
    assert plain.shape == (400,)
    assert np.array_equal(judge.forecast(policy, 0), judge.forecast(policy, 0))
    assert not np.array_equal(judge.forecast(policy, 0), plain)


def test_three_classes_are_judged_by_the_mean_over_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 240)
    x = rng.normal(size=(240, 16, 1)) + y[:, None, None]
    fit, valid = Labelled(x_NTC=x[:120], y_N=y[:120]), Labelled(x_NTC=x[120:], y_N=y[120:])
    judge = TreeJudge(fit=fit, valid=valid, features=summary_features)
    found = search_policy(judge, tmp_path, SearchOptions(patterns=("jitter",), trials=2, seeds=(0,)))
    assert 0.5 < found.trials[0].metrics[0] <= 1.0


def test_a_class_without_series_is_refused() -> None:
    fit, none = series(0, 50, 0.2), Labelled(x_NTC=np.zeros((9, 24, 1)), y_N=np.zeros(9, np.int64))
    with pytest.raises(InputError, match="class 1 has 0 series to validate on, at least 1"):
        TreeJudge(fit=fit, valid=none, features=summary_features)
    with pytest.raises(InputError, match="at least two classes"):
        TreeJudge(fit=none, valid=none, features=summary_features)


def test_summary_features_leave_missing_values_out() -> None:
    x = np.random.default_rng(0).normal(size=(5, 10, 2))
    x[0, :4, 0], x[1, :, 1] = np.nan, np.nan
    found = summary_features(x)
    assert found.shape == (5, 24)
    assert np.isfinite(found[2:]).all()
    assert found[0, 0] == pytest.approx(x[0, 4:, 0].mean())
    assert found[0, 9] == pytest.approx(0.4)
    assert np.isnan(found[1, 12])

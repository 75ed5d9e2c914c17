"""What augmentation is worth when positives are few, beside plain resampling, class weights and SMOTE.

1 %, 5 % and 20 % of the training positives are kept, drawn anew for each seed; the model is LightGBM, its rounds chosen
on val. Every method has its strength chosen on val by the first draw: copies, weights, SMOTE's share, and the policy by
the search. Test rows are judged once. Run: pytest tests/benchmarks/test_augment.py -m bench -s (SMOTE needs the
peers' folder on the path, as make bench sets it).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.metrics.binary import average_precision, average_precision_of, count, rank
from pipelines.finance.augment.judge import Labelled, TreeJudge, fit_trees
from pipelines.finance.augment.policy import DataRules, Policy, augmented_rows
from pipelines.finance.augment.search import SearchOptions, search_policy
from tests.benchmarks.card_sequences import features, read_cards

pytestmark = [pytest.mark.bench, pytest.mark.realdata, pytest.mark.timeout(7200)]
SHARES, DRAWS = (0.01, 0.05, 0.20), 200
COPIES, WEIGHTS = (4, 16, 64), (0.5, 1.0)  # powers of the ratio of classes
CARD_PATTERNS = ("splice", "graft", "window_slice", "magnitude_warp", "trend", "spike", "dropout", "jitter")
MOST_ADDED = 8_000  # rows
NEGATIVES, VALID_NEGATIVES = 40_000, 15_000


@dataclass(frozen=True)
class Task:
    """Training series with few positives, validation and test; features of a series by one function."""

    fit: Labelled
    valid: Labelled
    test_x: np.ndarray  # features
    test_y: np.ndarray
    features: Callable[[np.ndarray], np.ndarray]
    rules: DataRules
    patterns: tuple[str, ...]

    def few(self, share: float, seed: int) -> "Task":
        positives = np.flatnonzero(self.fit.y_N == 1)
        kept = np.random.default_rng(seed).choice(positives, max(3, round(share * len(positives))), replace=False)
        rows = np.concatenate([np.flatnonzero(self.fit.y_N == 0), np.sort(kept)])
        return replace(self, fit=Labelled(x_NTC=self.fit.x_NTC[rows], y_N=self.fit.y_N[rows]))


@dataclass(frozen=True)
class Answer:
    """How good it is on val (average precision), and what forecasts test when that is asked for."""

    valid: float
    forecast: Callable[[], np.ndarray]


def answer(task: Task, x: np.ndarray, y: np.ndarray, seed: int, fill: float | None = None, **options: float) -> Answer:
    """Fit on a table of features, choose the rounds on val, forecast test."""
    valid_x, test_x = task.features(task.valid.x_NTC), task.test_x
    if fill is not None:
        valid_x, test_x = np.nan_to_num(valid_x, nan=fill), np.nan_to_num(test_x, nan=fill)
    p, booster = fit_trees(x, y, valid_x, task.valid.y_N, seed, options)
    return Answer(average_precision(task.valid.y_N, p), lambda: np.asarray(booster.predict(test_x)))


def plain(task: Task, strength: None, seed: int) -> Answer:
    return answer(task, task.features(task.fit.x_NTC), task.fit.y_N, seed)


def weighted(task: Task, strength: float, seed: int) -> Answer:
    ratio = float(np.sum(task.fit.y_N == 0) / np.sum(task.fit.y_N == 1))
    return answer(task, task.features(task.fit.x_NTC), task.fit.y_N, seed, scale_pos_weight=ratio**strength)


def resampled(task: Task, strength: int, seed: int) -> Answer:
    x, y = task.features(task.fit.x_NTC), task.fit.y_N
    added = min(strength * int(y.sum()), int(np.sum(y == 0)))
    drawn = np.random.default_rng(seed).choice(np.flatnonzero(y == 1), added)
    return answer(task, np.concatenate([x, x[drawn]]), np.concatenate([y, y[drawn]]), seed)


def smote(task: Task, strength: int, seed: int) -> Answer:
    over_sampling = pytest.importorskip("imblearn.over_sampling", reason="SMOTE: run by make bench")
    x, y = np.nan_to_num(task.features(task.fit.x_NTC), nan=-1.0), task.fit.y_N
    ratio = min(1.0, (strength + 1) * y.sum() / np.sum(y == 0))
    near = min(5, int(y.sum()) - 1)
    if ratio <= y.sum() / np.sum(y == 0):
        return answer(task, x, y, seed, fill=-1.0)
    made = over_sampling.SMOTE(sampling_strategy=ratio, k_neighbors=near, random_state=seed).fit_resample(x, y)
    return answer(task, made[0], made[1], seed, fill=-1.0)


def augmented(task: Task, strength: Policy, seed: int) -> Answer:
    x_new, y_new = augmented_rows(task.fit.x_NTC, task.fit.y_N, strength, seed, rules=task.rules)
    table, y = task.features(task.fit.x_NTC), task.fit.y_N
    if len(x_new):
        table, y = np.concatenate([table, task.features(x_new)]), np.concatenate([y, y_new])
    return answer(task, table, y, seed)


METHODS = {"plain": (plain, (None,)), "class weights": (weighted, WEIGHTS), "resampling": (resampled, COPIES),
           "SMOTE": (smote, COPIES)}  # fmt: skip


def test_card_transactions(realdata: Path, tmp_path: Path) -> None:
    task = card_task(realdata / "data/finance/card_transactions")
    options = SearchOptions(
        patterns=task.patterns, trials=12, seeds=(0,), confirmed=3, fresh_seeds=2, copies=(2, 40), border=False
    )
    compare(task, options, tmp_path, seeds=range(3))


def test_ulb_sample(realdata: Path, tmp_path: Path) -> None:
    task = ulb_task(realdata / "data/finance/ulb_sample/ulb_sample.csv.gz")
    options = SearchOptions(patterns=task.patterns, trials=16, seeds=(0, 1), copies=(2, 16), confirmed=2)
    compare(task, options, tmp_path, seeds=range(10))


def compare(task: Task, options: SearchOptions, folder: Path, seeds: range) -> None:
    print(f"\n{len(task.test_y)} test rows, {int(task.test_y.sum())} positives; seeds {list(seeds)}")
    for share in SHARES:
        first = task.few(share, 0)
        started = time.perf_counter()
        judge = TreeJudge(fit=first.fit, valid=first.valid, features=first.features, rules=first.rules)
        most = int(np.clip(MOST_ADDED // first.fit.y_N.sum(), options.copies[0], options.copies[1]))
        found = search_policy(judge, folder / f"{share}", replace(options, copies=(options.copies[0], most)))
        print(f"\n{share:.0%}: {int(first.fit.y_N.sum())} positives; search {time.perf_counter() - started:.0f} s")
        print(f"  {found.words}", flush=True)
        for trial in sorted(found.confirmations, key=lambda one: -one.gain):
            print(f"    val {trial.gain:+.4f} [{trial.low:+.4f}, {trial.high:+.4f}] {trial.policy.name}")
        chosen = {name: best_strength(first, how, strengths) for name, (how, strengths) in METHODS.items()}
        ways = {name: (METHODS[name][0], chosen[name]) for name in METHODS} | {"augmented": (augmented, found.policy)}
        answers = {
            name: [how(task.few(share, seed), strength, seed).forecast() for seed in seeds]
            for name, (how, strength) in ways.items()
        }
        table(task.test_y, answers, chosen)


def best_strength(task: Task, how: Callable, strengths: tuple) -> object:
    """The strength of the best average precision on val, first draw."""
    return strengths[0] if len(strengths) == 1 else max(strengths, key=lambda one: how(task, one, 0).valid)


def table(y: np.ndarray, answers: dict[str, list[np.ndarray]], chosen: dict[str, object]) -> None:
    """Mean average precision over seeds, and augmentation less each other: paired over draws of rows and seeds."""
    rankings = {name: [rank(y, one) for one in found] for name, found in answers.items()}
    rng, groups = np.random.default_rng(0), [np.flatnonzero(y == 0), np.flatnonzero(y == 1)]
    drawn: dict[str, list[float]] = {name: [] for name in answers}
    for _ in range(DRAWS):
        w = np.zeros(len(y))
        for rows in groups:
            w[rows] = np.bincount(rng.integers(0, len(rows), len(rows)), minlength=len(rows))
        picked = rng.integers(0, len(rankings["plain"]), len(rankings["plain"]))
        for name, ranks in rankings.items():
            values = [average_precision_of(count(ranks[k], w[ranks[k].order_B])) for k in np.unique(picked)]
            drawn[name].append(float(np.average(values, weights=np.bincount(picked)[np.unique(picked)])))
    for name, found in answers.items():
        values = [average_precision(y, one) for one in found]
        low, high = np.quantile(drawn[name], [0.025, 0.975])
        gap = np.array(drawn["augmented"]) - drawn[name]
        mean_gap = np.mean([average_precision(y, one) for one in answers["augmented"]]) - np.mean(values)
        words = "" if name == "augmented" else "   augmented less it {:+.4f} [{:+.4f}, {:+.4f}]".format(
            mean_gap, *np.quantile(gap, [0.025, 0.975]))  # fmt: skip
        print(
            f"  {name:14s} {np.mean(values):.4f} [{low:.4f}, {high:.4f}]{words}   {chosen.get(name) or ''}", flush=True
        )
    assert all(np.isfinite(one).all() for found in answers.values() for one in found)


def card_task(folder: Path) -> Task:
    """Sequences of 16 events; negatives of train and val drawn once, test whole. Risks use all labels as known then."""
    cards, rng = read_cards(folder), np.random.default_rng(0)
    parts = {}
    for split, most in (("train", NEGATIVES), ("val", VALID_NEGATIVES)):
        rows = np.flatnonzero(cards.split == split)
        negatives = rng.choice(rows[cards.fraud[rows] == 0], most, replace=False)
        rows = np.sort(np.concatenate([negatives, rows[cards.fraud[rows] == 1]]))
        parts[split] = Labelled(x_NTC=cards.sequences(rows), y_N=cards.fraud[rows].astype(np.int64))
    test = np.flatnonzero(cards.split == "test")
    chunks = [features(cards.sequences(rows)) for rows in np.array_split(test, 8)]
    constraints = {0: "non_negative", 1: "share", 2: ["non_negative", "whole"], 3: "share"}
    return Task(
        fit=parts["train"],
        valid=parts["val"],
        test_x=np.concatenate(chunks),
        test_y=cards.fraud[test],
        features=remembering(features),
        rules=DataRules(constraints=constraints, time_channel=0, anchored=True),
        patterns=CARD_PATTERNS,
    )  # fmt: skip


def ulb_task(path: Path) -> Task:
    """Rows as series of one step: 30 channels, patterns that need no time."""
    frame = pd.read_csv(path)
    x = frame.drop(columns=["Class", "split", "Time"]).to_numpy(float)[:, None, :]
    y, split = frame["Class"].to_numpy(np.int64), frame["split"].to_numpy()
    test = split == "test"
    return Task(
        fit=Labelled(x_NTC=x[split == "train"], y_N=y[split == "train"]),
        valid=Labelled(x_NTC=x[split == "val"], y_N=y[split == "val"]),
        test_x=x[test, 0],
        test_y=y[test].astype(float),
        features=lambda x_NTC: x_NTC[:, 0],
        rules=DataRules(constraints={28: "non_negative"}),
        patterns=("jitter", "scaling", "mixup", "barycentre", "dropout"),
    )


def remembering(make: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """The same function, that keeps the features of the last few tables that it was given again."""
    kept: list[tuple[np.ndarray, np.ndarray]] = []

    def remembered(x: np.ndarray) -> np.ndarray:
        for known, found in kept:
            if known is x:
                return found
        kept.append((x, make(x)))
        del kept[:-4]
        return kept[-1][1]

    return remembered

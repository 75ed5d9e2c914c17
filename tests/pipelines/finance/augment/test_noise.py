"""Labels that were turned round are found, ranked and explained; nothing is dropped."""

import numpy as np
import pytest

from core.errors import InputError
from pipelines.finance.augment.noise import NoiseOptions, confident_joint, find_noise


def turned(rate: float, rows: int = 800, classes: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Well-separated classes, and which labels were turned to the next class."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, classes, rows)
    x = rng.normal(size=(rows, 4))
    x[:, 0] += 4.0 * true
    x[:, 1] -= 3.0 * true
    wrong = rng.random(rows) < rate
    return x, np.where(wrong, (true + 1) % classes, true), wrong


@pytest.mark.parametrize("classes", [2, 3])
def test_turned_labels_are_found_and_others_left(classes: int) -> None:
    x, y, wrong = turned(0.1, classes=classes)
    report = find_noise(x, y)
    assert wrong[report.drop_B].mean() > 0.85
    assert report.drop_B[wrong].mean() > 0.8
    first = report.suspects[: int(wrong.sum()) // 2]
    assert wrong[first].mean() > 0.95, "the most suspect come first"
    likely = report.classes[report.likely_B[report.drop_B & wrong]]
    assert np.mean(likely == (y[report.drop_B & wrong] - 1) % classes) > 0.9


def test_clean_and_separate_labels_are_left_alone() -> None:
    x, y, _ = turned(0.0)
    x[:, 0] += 20.0 * y
    assert find_noise(x, y).drop_B.sum() == 0


def test_the_joint_adds_up_to_the_labels_given_and_tells_the_share_turned() -> None:
    x, y, wrong = turned(0.1)
    report = find_noise(x, y)
    assert report.joint_GG.sum(axis=1) == pytest.approx(np.bincount(y))
    off = report.joint_GG.sum() - np.trace(report.joint_GG)
    assert off / len(y) == pytest.approx(wrong.mean(), abs=0.03)


def test_the_confident_joint_of_an_example_worked_by_hand() -> None:
    p_b = np.array([0.1, 0.2, 0.9, 0.8, 0.9, 0.3])  # thresholds: a (.9 + .8 + .1) / 3 = .6, b (.8 + .9 + .3) / 3 = .67
    given = np.array([0, 0, 0, 1, 1, 1])
    joint = confident_joint(np.stack([1 - p_b, p_b], axis=1), given)
    assert joint.likely_B.tolist() == [0, 0, 1, 1, 1, 0]
    assert joint.count_GG.tolist() == [[2, 1], [1, 2]]
    assert joint.error_B.tolist() == [False, False, True, False, False, True]


def test_the_rules_differ_in_what_they_would_drop_and_the_words_say_why() -> None:
    x, y, _ = turned(0.1)
    x[7] = 30.0  # an odd row
    reports = {rule: find_noise(x, y, NoiseOptions(rule=rule)) for rule in ("label", "both", "either")}
    drops = {rule: report.drop_B for rule, report in reports.items()}
    assert np.all(drops["both"] <= drops["label"])
    assert np.all(drops["label"] <= drops["either"])
    assert drops["either"][7]
    report = reports["label"]
    assert "odder than" in report.why(7)
    assert "looks like" in report.why(int(report.suspects[0]))
    calm = int(np.flatnonzero(~report.label_error_B & (report.anomaly_B < 0.5))[0])
    assert report.why(calm) == ""


def test_missing_values_and_named_classes_are_taken_as_they_are() -> None:
    x, y, wrong = turned(0.1)
    x[::7, 3] = np.nan
    x[:, 2] = np.nan
    named = np.where(y == 1, "bad", "good")
    report = find_noise(x, named)
    assert wrong[report.drop_B].mean() > 0.8
    assert "labelled " in report.why(int(report.suspects[0]))


def test_the_same_seed_gives_the_same_report() -> None:
    x, y, _ = turned(0.1, rows=300)
    one, same = find_noise(x, y), find_noise(x, y)
    assert np.array_equal(one.confidence_B, same.confidence_B)
    assert np.array_equal(one.anomaly_B, same.anomaly_B)


def test_progress_names_the_folds_and_ends_at_one() -> None:
    x, y, _ = turned(0.1, rows=200)
    told: list[tuple[float, str]] = []
    find_noise(x, y, NoiseOptions(folds=3), lambda share, words: told.append((share, words)))
    assert [words for _, words in told][:3] == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]
    assert told[-1][0] == 1.0


@pytest.mark.parametrize(
    ("options", "labels", "words"),
    [
        ({"rule": "all"}, None, "the rule is one of label, both, either"),
        ({"folds": 1}, None, "folds must be at least 2"),
        ({"odd": 1.0}, None, "odd in"),
        ({}, np.zeros(40), "at least two classes"),
        ({}, np.array([1] * 3 + [0] * 37), "class 1 has 3 rows; 5 folds need at least 10"),
        ({}, np.zeros(39), "with a label a row"),
    ],
)
def test_what_cannot_be_judged_is_refused(options: dict, labels: np.ndarray | None, words: str) -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(InputError, match=words):
        find_noise(x, np.arange(40) % 2 if labels is None else labels, NoiseOptions(**options))

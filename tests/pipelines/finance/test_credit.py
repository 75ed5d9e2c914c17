"""Training: honest rows, same bytes, and clear words where it cannot be done."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import GateError, InputError
from core.metrics.binary import auc
from core.runtime.engine import Engine
from data.finance.credit_tables import make_credit
from pipelines.finance.boosting import TrainingRows, make_folds
from pipelines.finance.credit import CreditOptions, train_credit
from pipelines.finance.evaluate import evaluate_table
from pipelines.finance.labels import LabelRule
from pipelines.finance.rows import held_out

SMALL = CreditOptions(target="bad")


def silent(share: float, words: str) -> None:
    pass


def table(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    bad = (rng.random(rows) < 1 / (1 + np.exp(-2 * x))).astype(int)
    return pd.DataFrame({"x": x, "kind": rng.choice(["a", "b", "c"], rows), "day": np.arange(rows) % 90, "bad": bad})


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_bundle_says_where_it_comes_from(trained) -> None:
    manifest = trained.engine.bundle.manifest
    assert manifest.kind == "credit"
    assert manifest.about["labels"] == {"bad": "1", "good": "0"}
    assert manifest.about["rows"]["training"]["used"] == len(trained.train)
    assert manifest.about["rows"]["validation"]["bad"] == trained.valid["default_12m"].sum()
    assert manifest.metrics["validation"]["auc"]["value"] > 0.7
    assert 0 < manifest.decision["approve_below"] < manifest.decision["decline_above"] < 1
    assert "split" not in [column["name"] for column in manifest.spec["columns"]]


def test_golden_rows_are_nobody(trained) -> None:
    golden = trained.engine.bundle.golden()
    names = [column["name"] for column in trained.engine.bundle.manifest.spec["columns"]]
    numbers = [name for name in names if pd.api.types.is_numeric_dtype(trained.train[name])]
    real = set(map(tuple, trained.train[numbers].round(6).to_numpy()))
    made = np.asarray(golden.inputs["table"])[:, [names.index(name) for name in numbers]]
    assert not real & set(map(tuple, made.round(6)))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    frame = table()
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        train_credit(frame, None, replace(SMALL, seed=seed), tmp_path / name, silent)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert files(tmp_path / "a") != files(tmp_path / "c")


def test_the_bytes_do_not_depend_on_the_number_of_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_credit(table(), None, SMALL, tmp_path / "a", silent)
    monkeypatch.setattr("pipelines.finance.boosting.ROWS_A_THREAD", 100)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    train_credit(table(), None, SMALL, tmp_path / "b", silent)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_rows_without_a_label_and_bad_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    frame = table().astype({"bad": "float64"})
    frame.loc[:9, "bad"] = np.nan
    frame.loc[20:22, "x"] = np.inf
    bundle = train_credit(frame, table(200, 1), SMALL, tmp_path / "b", silent)
    rows = bundle.manifest.about["rows"]["training"]
    assert (rows["used"], rows["without_label"], rows["refused"]) == (387, 10, 3)


@pytest.mark.parametrize("words", [("yes", "no"), (2, 1), (True, False), ("违约", "正常")])
def test_labels_of_any_kind_give_the_model_of_zero_and_one(words: tuple[object, object], tmp_path: Path) -> None:
    frame = table()
    plain = train_credit(frame, None, SMALL, tmp_path / "plain", silent)
    named = frame.assign(bad=[words[0] if bad else words[1] for bad in frame["bad"]])
    other = train_credit(named, None, SMALL, tmp_path / "named", silent)
    assert plain.path("trees").read_bytes() == other.path("trees").read_bytes()
    found = [evaluate_table(t, Engine.open(b), draws=20) for t, b in ((frame, plain), (named, other))]
    assert found[0].metrics["auc"] == found[1].metrics["auc"]


@pytest.mark.parametrize("rows", [60, 207])
def test_few_rows_are_enough_for_a_model_with_probabilities(rows: int, tmp_path: Path) -> None:
    bundle = train_credit(table(615), table(rows, 1), SMALL, tmp_path / "b", silent)
    fresh = table(3_000, 2)
    found = evaluate_table(fresh, Engine.open(bundle), draws=20).metrics
    assert found["auc"].value > 0.8
    assert found["ece"].value < 0.15


def test_validation_rows_of_another_prior_set_the_probabilities(tmp_path: Path) -> None:
    train, valid = table(2_000), table(3_000, 1)
    keep = (valid["bad"] == 0) | (np.random.default_rng(0).random(len(valid)) < 0.2)
    valid = valid[keep].reset_index(drop=True)
    engine = Engine.open(train_credit(train, valid, SMALL, tmp_path / "b", silent))
    fresh = evaluate_table(valid, engine, draws=20)
    curve = fresh.curves["calibration"]
    assert curve["predicted"][-1] < 0.7
    forecast = np.dot(curve["predicted"], curve["count"]) / len(valid)
    assert forecast == pytest.approx(valid["bad"].mean(), abs=0.01)


def test_the_latest_days_validate_where_time_is_named() -> None:
    options = replace(SMALL, time="day")
    early, late = held_out(table(), LabelRule(bad="1", good="0"), options)
    assert early["day"].max() < late["day"].min()
    assert len(late) == pytest.approx(80, abs=8)


def test_groups_are_not_split_between_training_and_validation() -> None:
    options = replace(SMALL, group="day")
    one, other = held_out(table(), LabelRule(bad="1", good="0"), options)
    assert not set(one["day"]) & set(other["day"])


def test_folds_keep_groups_whole_and_both_classes() -> None:
    frame = table(500)
    rows = TrainingRows(
        x_BF=np.zeros((500, 1)), y_B=frame["bad"].to_numpy(float), group_B=frame["day"].to_numpy().astype(str)
    )
    folds = make_folds(rows, 0)
    assert len(folds) == 5
    assert sorted(np.concatenate([out for _, out in folds])) == list(range(500))
    for fitted, out in folds:
        assert not set(rows.group_B[fitted]) & set(rows.group_B[out])


def test_time_and_group_columns_are_no_features(tmp_path: Path) -> None:
    frame = table().assign(who=lambda t: t["day"] // 3)
    bundle = train_credit(frame, None, replace(SMALL, time="day", group="who"), tmp_path / "b", silent)
    assert [column["name"] for column in bundle.manifest.spec["columns"]] == ["x", "kind"]


def test_a_missed_floor_leaves_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="auc"):
        train_credit(table(), None, replace(SMALL, floors={"auc": 0.999}), tmp_path / "b", silent)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="bad"), "no target column 'bad'; it has x, kind, day"),
        (lambda t: t.assign(bad=0), "only the value '0'"),
        (lambda t: t.assign(bad=t["day"]), "90 values"),
        (lambda t: t.assign(bad=[1] * 3 + [0] * (len(t) - 3)), "at least 10 rows of each class|both classes"),
        (lambda t: t[["bad"]], "no column that can be a feature"),
    ],
)
def test_what_cannot_be_learned_is_told_in_one_line(change, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        train_credit(change(table()), None, SMALL, tmp_path / "b", silent)


def test_validation_rows_of_one_class_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="validation rows; both classes"):
        train_credit(table(), table(50).assign(bad=0), SMALL, tmp_path / "b", silent)
    with pytest.raises(InputError, match="validation rows have no target"):
        train_credit(table(), table(50).drop(columns="bad"), SMALL, tmp_path / "c", silent)


@pytest.mark.parametrize(
    "wrong",
    [{"preset": "slow"}, {"target_rate": 1.5}, {"cost_missed": 0}, {"base_odds": 0}, {"floors": {"nonsense": 1}}],
)
def test_options_without_sense_are_refused_at_once(wrong: dict) -> None:
    with pytest.raises(InputError):
        replace(SMALL, **wrong)


def test_the_full_preset_tries_several_shapes(tmp_path: Path) -> None:
    seen: list[str] = []
    bundle = train_credit(table(), None, replace(SMALL, preset="full"), tmp_path / "b", lambda s, w: seen.append(w))
    assert sum("cross-validation" in words for words in seen) == 4
    assert json.dumps(bundle.manifest.about, allow_nan=False)


def test_generated_applications_are_learned_and_calibrated(trained) -> None:
    found = evaluate_table(make_credit(6_000, 2), trained.engine, draws=50).metrics
    assert found["auc"].low > 0.7
    assert found["ece"].value < 0.03


def test_the_trees_beat_the_best_single_column(trained) -> None:
    y = trained.test["default_12m"]
    best = max(
        abs(auc(y, trained.test[c].fillna(trained.test[c].median())) - 0.5)
        for c in trained.test.select_dtypes("number").columns
        if c != "default_12m"
    )
    assert evaluate_table(trained.test, trained.engine, draws=20).metrics["auc"].value > 0.5 + best

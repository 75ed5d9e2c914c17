"""An updated credit model: what stays the base's, what comes from new rows, what the gate says, what is recorded."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from core.errors import GateError, InputError
from core.runtime.bundle import Bundle
from core.runtime.engine import Engine
from data.spec import FeatureSpec
from pipelines.finance.credit import CreditOptions, train_credit, update_credit
from pipelines.finance.evaluate import evaluate_table
from pipelines.finance.reference import MOST_ROWS, TRAINING, Reference, read_reference, set_aside
from pipelines.finance.score import score_table
from pipelines.finance.update import Base, find_news

OPTIONS = CreditOptions(target="bad", id_column="id", seed=4, name="loans")
KINDS = np.asarray(["rent", "own", "7"])


def silent(share: float, words: str) -> None:
    assert 0 <= share <= 1
    assert words


def made(rows: int, seed: int, *, late: bool = False) -> pd.DataFrame:
    """Risk by a and kind; late c is of a range that was not there before, in which it matters, and more are bad."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, rows))
    kind = rng.integers(0, 3, rows)
    z = 1.3 * a + 0.9 * (kind == 2) - 1.4 + (0.4 + 1.2 * c if late else 0)
    c += 5 if late else 0
    frame = pd.DataFrame({"id": [f"n{at}" for at in range(rows)], "a": a, "b": b, "c": c, "kind": KINDS[kind]})
    frame.loc[rng.random(rows) < 0.05, "b"] = np.nan
    return frame.assign(bad=(rng.random(rows) < expit(z)).astype(int))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept") / "reference.parquet"


@pytest.fixture(scope="module")
def base(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Base:
    options = replace(OPTIONS, cost_missed=8.0, base_score=500.0)
    bundle = train_credit(
        made(5_000, 0), made(4_000, 1), options, tmp_path_factory.mktemp("base") / "bundle", silent, kept
    )
    return Base(engine=Engine.open(bundle, device="cpu", threads=1), kind="credit", name="loans", version=3)


@pytest.fixture(scope="module")
def reference(base: Base, kept: Path) -> Reference:
    rows = read_reference(kept, base.spec)
    return Reference(frame=rows, source="set aside", kept=rows)


@pytest.fixture(scope="module")
def late() -> tuple[pd.DataFrame, pd.DataFrame]:
    return made(4_000, 2, late=True), made(2_000, 3, late=True)


@pytest.fixture(scope="module")
def updated(
    base: Base,
    reference: Reference,
    late: tuple[pd.DataFrame, pd.DataFrame],
    tmp_path_factory: pytest.TempPathFactory,
) -> Bundle:
    folder = tmp_path_factory.mktemp("updated")
    return update_credit(base, reference, *late, OPTIONS, folder / "bundle", silent, folder / "reference.parquet")


def test_it_learns_the_new_period_and_forgets_little_of_the_old(base: Base, updated: Bundle) -> None:
    engine = Engine.open(updated, device="cpu", threads=1)
    old, new = made(6_000, 5), made(6_000, 6, late=True)
    before, after = ([evaluate_table(rows, e, draws=20).metrics for rows in (old, new)] for e in (base.engine, engine))
    assert after[1]["auc"].value > before[1]["auc"].value + 0.02
    assert after[1]["log_loss"].value < before[1]["log_loss"].value - 0.01
    assert after[0]["auc"].value > before[0]["auc"].value - 0.02


def test_columns_labels_and_scale_stay_and_the_calibration_follows_the_new_rows(
    base: Base, updated: Bundle, late: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    manifest = updated.manifest
    assert manifest.spec == base.engine.bundle.manifest.spec
    assert manifest.about["labels"] == base.about["labels"]
    assert manifest.decision["base_score"] == 500.0
    engine = Engine.open(updated, device="cpu", threads=1)
    scored = score_table(late[1], engine, ids=late[1]["id"].tolist())
    assert scored.frame["probability"].mean() == pytest.approx(late[1]["bad"].mean(), abs=0.003)


def test_the_record_says_whence_it_comes_what_it_gained_and_what_it_forgot(base: Base, updated: Bundle) -> None:
    update = updated.manifest.about["update"]
    assert update["base"]["name"] == "loans"
    assert update["base"]["version"] == 3
    assert update["base"]["manifest_sha256"] == base.engine.bundle.manifest_sha256
    assert update["number"] == 1
    assert update["validation"]["rows"] == 2_000
    assert update["validation"]["after"]["auc"] > update["validation"]["before"]["auc"]
    assert update["reference"]["rows"] == 4_000
    assert update["reference"]["source"] == "set aside"
    assert update["reference"]["forgotten"]["value"] <= update["reference"]["allowed"] == 0.05
    assert update["trees"]["left_out_log_loss_after"] < update["trees"]["left_out_log_loss_before"]
    assert updated.manifest.about["rounds"] == base.about["rounds"] + update["trees"]["rounds_added"]


def test_flipped_labels_are_refused_and_nothing_is_written(
    base: Base, reference: Reference, late: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    flipped = [rows.assign(bad=1 - rows["bad"]) for rows in late]
    with pytest.raises(GateError, match=r"4000 reference rows .* before, .* after .*allowed are 5\.0%") as caught:
        update_credit(base, reference, *flipped, OPTIONS, tmp_path / "bundle", silent, tmp_path / "kept.parquet")
    assert caught.value.code == "FORGOTTEN"
    assert list(tmp_path.iterdir()) == []


def test_a_floor_is_asked_of_the_new_validation_rows(
    base: Base, reference: Reference, late: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    with pytest.raises(GateError, match=r"auc .* under 0\.99"):
        update_credit(base, reference, *late, replace(OPTIONS, floors={"auc": 0.99}), tmp_path / "bundle", silent)


def test_same_rows_and_seed_give_the_same_bytes(
    base: Base, reference: Reference, late: tuple[pd.DataFrame, pd.DataFrame], updated: Bundle, tmp_path: Path
) -> None:
    again = update_credit(base, reference, *late, OPTIONS, tmp_path / "bundle", silent)
    assert again.manifest_sha256 == updated.manifest_sha256


def test_a_second_update_goes_on_from_the_first_and_is_held_to_both_periods(
    updated: Bundle, late: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    engine = Engine.open(updated, device="cpu", threads=1)
    first = Base(engine=engine, kind="credit", name="loans", version=4)
    rows = read_reference(updated.folder.parent / "reference.parquet", first.spec)
    assert rows[TRAINING].value_counts().to_dict() == {0: MOST_ROWS // 2, 1: 2_000}
    again = update_credit(first, Reference(frame=rows, source="set aside", kept=rows), *late, OPTIONS,
                          tmp_path / "bundle", silent)  # fmt: skip
    assert again.manifest.about["update"]["number"] == 2
    assert again.manifest.about["update"]["reference"]["rows"] == MOST_ROWS // 2 + 2_000


def test_unseen_categories_count_as_missing_and_new_columns_are_listed(base: Base) -> None:
    rows = made(100, 7).assign(hobby="chess", part=1)
    rows.loc[:9, "kind"] = "barge"
    news = find_news(rows, base.spec, ("part",))
    assert news.to_json() == {"unseen_categories": {"kind": 10}, "new_columns": ["hobby"]}


def test_a_missing_column_is_named(
    base: Base, reference: Reference, late: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="lacks 1 of the model's 4 columns: kind"):
        update_credit(base, reference, late[0].drop(columns="kind"), late[1], OPTIONS, tmp_path / "bundle", silent)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": "a"}, "loans@3 tells 'bad', and --target is 'a'"),
        ({"preset": "full"}, "was trained with the preset fast"),
    ],
)
def test_another_target_or_preset_is_refused(base: Base, change: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        base.settle(replace(OPTIONS, **change))


def test_a_model_of_another_kind_is_refused(base: Base) -> None:
    with pytest.raises(InputError, match="is a model of kind credit, and this is the training of company"):
        replace(base, kind="company")


def test_reference_rows_hold_what_the_model_reads_and_no_id(kept: Path, base: Base) -> None:
    rows = read_reference(kept, base.spec)
    assert list(rows.columns) == ["a", "b", "c", "kind", "bad", TRAINING]
    assert kept.stat().st_mode & 0o777 == 0o600
    pd.testing.assert_frame_equal(
        rows.drop(columns=TRAINING), made(4_000, 1).drop(columns="id"), check_dtype=False, check_column_type=False
    )


def test_what_is_set_aside_is_bounded_and_each_training_has_an_equal_part() -> None:
    spec = FeatureSpec(columns=(), target="bad")
    rows = pd.DataFrame({"bad": np.arange(9_000) % 7 == 0})
    first = set_aside(rows, spec, seed=0)
    second = set_aside(rows, spec, seed=0, earlier=first)
    third = set_aside(rows.iloc[:1_000], spec, seed=0, earlier=second)
    assert [len(part) for part in (first, second, third)] == [5_000, 5_000, 2 * 1_666 + 1_000]
    assert third[TRAINING].value_counts().to_dict() == {0: 1_666, 1: 1_666, 2: 1_000}
    pd.testing.assert_frame_equal(first, set_aside(rows, spec, seed=0))
    assert not first["bad"].equals(set_aside(rows, spec, seed=1)["bad"])


@pytest.mark.parametrize("limit", [-0.1, 1.5, float("nan")])
def test_a_limit_that_is_no_share_is_refused(limit: float) -> None:
    with pytest.raises(InputError, match="--forget-limit is a share"):
        Reference(frame=pd.DataFrame(), source="", limit=limit)


def test_reference_rows_of_one_class_are_refused(
    base: Base, late: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    good = made(500, 8).assign(bad=0)
    with pytest.raises(InputError, match="only '0' among the reference rows"):
        update_credit(base, Reference(frame=good, source="x"), *late, OPTIONS, tmp_path / "bundle", silent)

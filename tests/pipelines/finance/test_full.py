"""The preset full: trees and networks stacked into one bundle, early exits, reasons, resumption, unlabelled rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from core.batch import Batch
from core.metrics.binary import auc
from core.runtime.bundle import Bundle
from core.runtime.engine import Engine
from data.spec import FeatureSpec
from pipelines.finance import full
from pipelines.finance.credit import CreditOptions, train_credit
from pipelines.finance.evaluate import evaluate_table
from pipelines.finance.features import extract, to_batch
from pipelines.finance.network_options import NetworkOptions
from pipelines.finance.score import score_table
from pipelines.finance.stack import Stack

pytestmark = pytest.mark.slow
SMALL = NetworkOptions(token=8, frequencies=8, width=64, members=4, depth=1, most_epochs=20)
OPTIONS = CreditOptions(target="bad", preset="full", seed=3, exit_tolerance=0.01, network=SMALL)
NUMBERS = 6


class Stopped(BaseException):
    """Stands for the end of the process."""


def made(rows: int, seed: int) -> pd.DataFrame:
    """Two sums of the columns must have the same sign: networks learn that from few rows, trees do not. Gaps, words."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, NUMBERS))
    kind = rng.integers(0, 3, rows)
    one, other = x @ np.asarray([1, 1, -1, 1, 0, -1]), x @ np.asarray([1, -1, 1, 1, 1, 0])
    z = 3 * np.tanh(0.75 * one) * np.tanh(0.75 * other) + 0.8 * (kind == 2) - 0.3
    frame = pd.DataFrame({f"x{at}": x[:, at] for at in range(NUMBERS)})
    frame.loc[rng.random(rows) < 0.05, "x1"] = np.nan
    frame["kind"] = pd.Series(np.asarray(["rent", "own", "other"])[kind], dtype="str")
    frame["bad"] = (rng.random(rows) < expit(z)).astype(int)
    return frame


def silent(share: float, words: str) -> None:
    assert 0 <= share <= 1
    assert words


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return train_credit(made(1_000, 0), made(500, 1), OPTIONS, tmp_path_factory.mktemp("full") / "bundle", silent)


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> Engine:
    return Engine.open(bundle, device="cpu", threads=1)


def values(engine: Engine, frame: pd.DataFrame) -> np.ndarray:
    return extract(frame, FeatureSpec.from_json(engine.bundle.manifest.spec)).values


def test_networks_that_help_are_part_of_the_bundle(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert set(manifest.parts) == {"trees", "network"}
    stack = manifest.about["stack"]
    assert stack["listens"]
    assert stack["networks"] > 0.3
    assert manifest.about["network"]["networks"] == 5
    assert manifest.about["network"]["history"] is None
    experts = manifest.about["network"]["experts"]
    assert len(experts["used"]) == 5
    assert 0.5 < experts["load_entropy_mean"] <= 1
    assert experts["max_violation_worst"] >= 0 <= experts["dead_share_worst"] < 1
    assert manifest.about["network"]["left_out_log_loss"] < manifest.about["cross_validated_log_loss"]


def test_the_stack_ranks_new_rows_better_than_its_trees(engine: Engine) -> None:
    new = made(3_000, 2)
    stacked = engine.predict(to_batch(values(engine, new))).probability
    trees = engine.runners["trees"].run({"table": values(engine, new)})["margin"]
    assert auc(new["bad"].to_numpy(), stacked) > auc(new["bad"].to_numpy(), np.asarray(trees, np.float64)) + 0.005


def test_easy_rows_leave_at_the_trees_and_the_others_go_on(engine: Engine) -> None:
    prediction = engine.predict(to_batch(values(engine, made(2_000, 3))))
    left = np.bincount(prediction.outputs["exit"].astype(int), minlength=2)
    assert left.min() > 50
    odds, early = prediction.outputs["margin"].astype(float), prediction.outputs["exit"] == 0
    assert engine.combination is not None
    assert engine.combination.stages[0].leaves(odds[early]).all()
    assert np.median(np.abs(odds[early])) > np.median(np.abs(odds[~early]))


def test_contributions_add_up_to_the_margin_where_a_row_left(engine: Engine) -> None:
    x = values(engine, made(40, 4))
    contributions = engine.contributions(Batch(inputs={"table": x}))
    assert contributions.shape == (40, NUMBERS + 2)
    odds = engine.predict(to_batch(x)).outputs["margin"].astype(float)
    exits = engine.predict(to_batch(x)).outputs["exit"]
    sums = contributions.sum(axis=1)
    for stage in np.unique(exits):
        rows = exits == stage
        # the calibration is strictly rising: the same order within a stage
        np.testing.assert_array_equal(np.argsort(sums[rows]), np.argsort(odds[rows]))


def test_the_strongest_reason_is_the_strongest_effect(engine: Engine) -> None:
    plain = made(1, 5).assign(**{f"x{at}": 0.0 for at in range(NUMBERS)}, kind="other")
    scored = score_table(plain.drop(columns="bad"), engine, ids=["a"], reasons=7, reasons_for="all")
    said = [str(scored.frame.loc[0, f"reason_{k}"]) for k in range(1, 8)]
    assert any(reason.startswith("KIND: kind is other (+") for reason in said)


def test_the_evaluation_says_where_rows_left(engine: Engine) -> None:
    document = evaluate_table(made(1_000, 6), engine, draws=50).to_json()
    assert document["auc"]["value"] > 0.75
    exits = document["exits"]
    assert [stage["part"] for stage in exits["stages"]] == ["trees", "network"]
    assert sum(stage["rows"] for stage in exits["stages"]) == 1_000
    assert exits["operations"]["saved"] > 0.05


@pytest.mark.slow
def test_a_run_that_was_cut_off_ends_with_the_same_bundle(bundle: Bundle, tmp_path: Path) -> None:
    options = replace(OPTIONS, resume=tmp_path / "run")

    def stop(share: float, words: str) -> None:
        if words.startswith("networks") and share > 0.4:
            raise Stopped

    with pytest.raises(Stopped):
        train_credit(made(1_000, 0), made(500, 1), options, tmp_path / "cut", stop)
    assert not (tmp_path / "cut").exists()
    again = train_credit(made(1_000, 0), made(500, 1), options, tmp_path / "again", silent)
    assert again.manifest.files == bundle.manifest.files
    assert again.manifest_sha256 == bundle.manifest_sha256


def test_rows_without_a_label_are_learned_from_where_they_are_many(tmp_path: Path) -> None:
    few = made(900, 7).astype({"bad": "float64"})
    few.loc[200:, "bad"] = np.nan
    said: list[str] = []
    trained = train_credit(few, made(300, 8), OPTIONS, tmp_path / "bundle", lambda share, words: said.append(words))
    assert trained.manifest.about["network"]["rows_without_label"] == 700
    assert trained.manifest.about["rows"]["training"]["without_label"] == 700
    assert any(words.startswith("learning from 700 rows without a label") for words in said)


def test_months_in_numbered_columns_are_read_as_a_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def months(rows: int, seed: int) -> pd.DataFrame:
        x = np.random.default_rng(seed).normal(size=(rows, 4)).cumsum(axis=1)
        frame = pd.DataFrame({f"bill_{at}": x[:, at] for at in range(4)})
        return frame.assign(bad=(x[:, 3] > x[:, 0]).astype(int))

    small = NetworkOptions(token=4, frequencies=4, width=32, members=2, depth=1, hidden=16, most_epochs=6, history=True)
    options = replace(OPTIONS, network=small)
    unheard = Stack(bias=0.0, trees=1.0, networks=0.0, gain=0.0, gain_error=0.0)  # so that nothing need be exported
    monkeypatch.setattr(full, "fit_stack", lambda *margins: unheard)
    trained = train_credit(months(300, 0), months(200, 1), options, tmp_path / "bundle", silent)
    about = trained.manifest.about["network"]
    assert about["history"] == [[f"bill_{at}" for at in range(4)]]
    assert about["operations"] > 5 * 2 * 4 * 32 * 32  # a projection of the series alone

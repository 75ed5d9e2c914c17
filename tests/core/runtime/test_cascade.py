"""Cascades: packed stages answer as a walk row by row does, and a broken combination never loads."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.batch import Array, Batch
from core.errors import AssayError, InputError
from core.runtime import cascade
from core.runtime.bundle import Bundle, Golden, open_bundle
from core.runtime.calibrate import Calibrator
from core.runtime.cascade import Combination, PartRuns, Stage, TableNetwork
from core.runtime.engine import Engine

Build = Callable[..., Bundle]
Table = NDArray[np.float64]
BENT = Calibrator(knots=(-1.0, 0.0, 2.0), values=(-1.5, 0.1, 1.4))
STEEP = Calibrator(knots=(0.0, 1.0), values=(0.2, 1.5))
TREES = Stage(
    part="trees", output="margin", weights=(1.0,), bias=0.25, calibrator=BENT, low=-1.0, high=1.2, operations=80
)
NET = Stage(part="net", output="margin", weights=(0.6, 0.5), bias=-0.1, calibrator=STEEP, operations=920)
TWO = Combination(stages=(TREES, NET))
DEEP = Combination(
    stages=(
        TREES,
        replace(NET, low=None, high=0.5),
        Stage(part="net", output="deep", weights=(0.1, 0.0, 0.8), bias=0.0, calibrator=BENT),
    )
)


def row_by_row(combination: Combination, margin_SB: Table) -> tuple[list[int], list[float], list[float]]:
    """The slow reference: plain numbers, one row at a time."""
    found = []
    for row in range(margin_SB.shape[1]):
        for number, stage in enumerate(combination.stages):
            total = stage.bias
            for j in range(number + 1):
                total += stage.weights[j] * margin_SB[j, row]
            z = float(stage.calibrator.log_odds([total])[0])
            below, above = stage.low is not None and z < stage.low, stage.high is not None and z > stage.high
            if below or above or number == len(combination.stages) - 1:
                found.append((number, z, float(total)))
                break
    exits, log_odds, combined = (list(column) for column in zip(*found, strict=True))
    return exits, log_odds, combined


@pytest.fixture
def full(build: Build, trees_text: bytes, graph_of: Any, weight: NDArray[np.float32]) -> Callable[..., Bundle]:
    """Writes a bundle of trees and a linear network."""
    parts = {"trees": ("lightgbm", trees_text), "net": ("onnx", graph_of(weight).SerializeToString())}
    return lambda folder="full", **changes: build(folder, **({"parts": parts, "combination": TWO} | changes))


@pytest.mark.parametrize("combination", [TWO, DEEP, TWO.without_exits()])
def test_packed_stages_answer_as_a_walk_row_by_row(combination: Combination) -> None:
    margin_SB = np.random.default_rng(0).normal(0, 2, (len(combination.stages), 500))
    left = combination.decide(margin_SB)
    exits, log_odds, combined = row_by_row(combination, margin_SB)
    assert left.exit_B.tolist() == exits
    assert left.log_odds_B.tolist() == log_odds
    assert left.combined_B.tolist() == combined
    assert len(set(exits)) == (1 if combination == TWO.without_exits() else len(combination.stages))


def test_only_rows_that_remain_are_asked_for() -> None:
    margin_SB = np.random.default_rng(1).normal(0, 2, (3, 300))
    asked: list[list[int]] = []

    def margin_of(stage: int, rows: NDArray[np.int64]) -> Table:
        asked.append(rows.tolist())
        return np.asarray(margin_SB[stage, rows])

    left = DEEP.walk(300, margin_of)
    assert asked == [[row for row in range(300) if left.exit_B[row] >= stage] for stage in range(3)]


def test_a_batch_without_rows_and_one_that_leaves_whole_end_early() -> None:
    assert TWO.decide(np.empty((2, 0))).exit_B.shape == (0,)
    assert (TWO.decide(np.stack([np.full(4, 9.0), np.full(4, np.nan)])).exit_B == 0).all()


def test_operations_count_the_stages_that_a_row_went_through() -> None:
    assert TWO.operations(np.array([0, 0, 0, 1])) == 80 + 920 / 4
    assert TWO.operations(np.array([], dtype=np.int64)) == 0


def test_the_engine_answers_as_the_reference_on_the_parts(
    full: Build, trees_text: bytes, weight: NDArray[np.float32], table: Table
) -> None:
    import lightgbm

    trees = lightgbm.Booster(model_str=trees_text.decode()).predict(table, raw_score=True)
    exits, log_odds, _ = row_by_row(TWO, np.stack([trees, (table @ weight.astype(float))[:, 0]]))
    came = Engine.open(full(), threads=1).predict(Batch(inputs={"table": table}))
    assert set(came.outputs) == {"margin", "exit"}
    assert came.outputs["exit"].tolist() == exits
    assert came.outputs["exit"].dtype == np.int64
    assert 0 < np.mean(exits) < 1
    np.testing.assert_allclose(came.outputs["margin"], log_odds, atol=1e-5)
    np.testing.assert_allclose(came.probability, 1 / (1 + np.exp(-np.asarray(log_odds))), atol=1e-5)


def test_rows_alone_take_the_ways_of_their_batch(full: Build, table: Table) -> None:
    engine = Engine.open(full(), threads=1)
    whole = engine.predict(Batch(inputs={"table": table}))
    for row in range(60):
        alone = engine.predict(Batch(inputs={"table": table[row : row + 1]}))
        assert alone.outputs["exit"][0] == whole.outputs["exit"][row]
        assert alone.probability[0] == pytest.approx(whole.probability[row], abs=1e-6)


def test_a_patient_engine_lets_no_row_leave_early(full: Build, table: Table) -> None:
    engine = Engine.open(full(), threads=1)
    assert (engine.patient().predict(Batch(inputs={"table": table})).outputs["exit"] == 1).all()
    assert engine.combination == TWO


def test_an_empty_batch_gets_empty_answers(full: Build) -> None:
    came = Engine.open(full()).predict(Batch(inputs={"table": np.empty((0, 4))}))
    assert came.probability.shape == came.outputs["margin"].shape == came.outputs["exit"].shape == (0,)


def test_golden_vectors_hold_the_exits_too(full: Build, table: Table) -> None:
    came = Engine.open(full("a"), threads=1).predict(Batch(inputs={"table": table[:20]}))
    outputs: dict[str, Any] = came.outputs | {"probability": came.probability}
    good = Golden(inputs={"table": table[:20]}, outputs=outputs, tolerance=1e-5)
    Engine.open(full("b", golden=good))
    moved = replace(good, outputs=outputs | {"exit": 1 - came.outputs["exit"]})
    with pytest.raises(InputError, match="golden answers exit"):
        Engine.open(full("c", golden=moved))


def test_a_combination_is_format_two_and_anything_else_stays_format_one(full: Build, build: Build) -> None:
    bundle, plain = full(), build()
    assert bundle.manifest.format == 2
    assert open_bundle(bundle.folder).manifest.combination == TWO
    assert plain.manifest.format == 1
    assert "combination" not in json.loads((plain.folder / "manifest.json").read_bytes())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"combination": Combination(stages=(TREES, replace(NET, part="other")))}, "stages of the parts trees, net"),
        ({"combination": Combination(stages=(replace(TREES, low=None, high=None),))}, "stages of the parts trees, net"),
        ({"calibration": BENT.to_json()}, "no calibration beside"),
    ],
)
def test_a_combination_fits_its_bundle(full: Build, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        full(**changes)
    assert caught.value.code == "BAD_BUNDLE"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(more=1), "one entry, stages"),
        (lambda c: c.update(stages={}), "one entry, stages"),
        (lambda c: c.update(stages=[]), "1 to 16 stages"),
        (lambda c: c["stages"].reverse(), "1 weights in stage 0|2 weights"),
        (lambda c: c["stages"][1].update(low=0.0), "no band in the last"),
        (lambda c: c["stages"][1].update(part="trees"), "name different outputs"),
        (lambda c: c["stages"][0].pop("bias"), "the entries bias"),
        (lambda c: c["stages"][0].update(part=3), "names of part"),
        (lambda c: c["stages"][0].update(weights=1.0), "weights as a list"),
        (lambda c: c["stages"][0].update(weights=["1"]), "finite numbers"),
        (lambda c: c["stages"][0].update(weights=[True]), "finite numbers"),
        (lambda c: c["stages"][0].update(weights=[-1.0]), "weights of 0 or more"),
        (lambda c: c["stages"][0].update(weights=[0.0]), "weights of 0 or more"),
        (lambda c: c["stages"][0].update(weights=[]), "weights of 0 or more"),
        (lambda c: c["stages"][0].update(low=2.0), "band whose low end"),
        (lambda c: c["stages"][0].update(bias=float("nan")), "finite numbers"),
        (lambda c: c["stages"][0].update(operations=-1), "operations of 0"),
        (lambda c: c["stages"][0].update(calibrator={"knots": [0]}), "knots and values"),
        (lambda c: c["stages"][0]["calibrator"].update(knots=[0, 0, 1]), "rising knots"),
        (lambda c: c.update(stages=[7]), "the entries bias"),
    ],
)
def test_what_is_no_combination_is_refused(change: Callable[[dict[str, Any]], object], words: str) -> None:
    raw = json.loads(json.dumps(TWO.to_json()))
    assert Combination.from_json(raw) == TWO
    change(raw)
    with pytest.raises(InputError, match=words) as caught:
        Combination.from_json(raw)
    assert caught.value.code == "BAD_BUNDLE"


class Fake:
    """Keeps the tables that it was asked for; `hidden` (B, 2), `margin` and `deep` (B,)."""

    def __init__(self, *needs: str, spoiled: bool = False) -> None:
        self.needs, self.spoiled = needs, spoiled
        self.seen: list[dict[str, Array]] = []

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        self.seen.append(inputs)
        first = np.asarray(next(iter(inputs.values())), dtype=np.float64)
        margin = first.sum(axis=1) * (np.nan if self.spoiled else 1)
        return {"margin": margin, "deep": 2 * margin, "hidden": np.stack([margin, margin], axis=1)}


def test_a_part_of_two_outputs_runs_once(table: Table) -> None:
    runners = {"trees": Fake("table"), "net": Fake("table")}
    left = DEEP.walk(len(table), PartRuns(DEEP.stages, runners, {"table": table}).margin)
    total = table.sum(axis=1)
    assert left.exit_B.tolist() == row_by_row(DEEP, np.stack([total, total, 2 * total]))[0]
    assert [len(runner.seen) for runner in runners.values()] == [1, 1]
    np.testing.assert_array_equal(runners["net"].seen[0]["table"], table[left.exit_B > 0])


def test_a_later_part_takes_what_an_earlier_one_gave(table: Table) -> None:
    stages = (*DEEP.stages[:2], replace(DEEP.stages[2], part="second"))
    runners = {"trees": Fake("table"), "net": Fake("table"), "second": Fake("hidden")}
    left = Combination(stages=stages).walk(len(table), PartRuns(stages, runners, {"table": table}).margin)
    came = runners["second"].seen[0]
    assert set(came) == {"hidden"}
    np.testing.assert_array_equal(came["hidden"][:, 0], table[left.exit_B == 2].sum(axis=1))


def test_what_the_first_part_tells_is_told_by_the_last_part_that_a_row_came_to(table: Table) -> None:
    runners = {"trees": Fake("table"), "net": Fake("table")}
    runs = PartRuns(TWO.stages, runners, {"table": table})
    left = TWO.walk(len(table), runs.margin)
    answers = runs.answers()
    assert set(answers) == {"deep", "hidden"}  # the margins are the stages' own
    assert 0 < (left.exit_B == 0).sum() < len(table)
    np.testing.assert_allclose(answers["deep"], 2 * table.sum(axis=1))


def test_a_part_that_gives_no_sound_margin_judges_nothing(table: Table) -> None:
    runners = {"trees": Fake("table"), "net": Fake("table", spoiled=True)}
    with pytest.raises(AssayError, match="part net gave") as caught:
        TWO.walk(len(table), PartRuns(TWO.stages, runners, {"table": table}).margin)
    assert caught.value.code == "MODEL_FAILED"
    odd = Combination(stages=(replace(TREES, output="none", low=None, high=None),))
    with pytest.raises(InputError, match="outputs that part trees gives"):
        odd.walk(len(table), PartRuns(odd.stages, runners, {"table": table}).margin)
    wide = Combination(stages=(replace(TREES, output="hidden", low=None, high=None),))
    with pytest.raises(AssayError, match="answers hidden"):
        wide.walk(len(table), PartRuns(wide.stages, runners, {"table": table}).margin)


def test_huge_numbers_and_gaps_reach_a_network_in_its_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cascade, "ROWS_A_RUN", 2)
    inner = Fake("table", "given")
    table = np.array([[1e300, 1.0], [-1e300, 2.0], [np.nan, 3.0]])
    came = TableNetwork(inner).run({"table": table})
    assert [len(seen["table"]) for seen in inner.seen] == [2, 1]
    assert len(came["margin"]) == 3
    top = np.finfo(np.float32).max
    np.testing.assert_array_equal(np.concatenate([s["table"] for s in inner.seen])[:, 0], [top, -top, np.nan])
    assert all((seen["given"] == 1).all() for seen in inner.seen)


@pytest.mark.parametrize("threads", [1, 3])
def test_slices_side_by_side_keep_their_order(threads: int, monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    monkeypatch.setattr(cascade, "ROWS_A_RUN", 7)
    came = TableNetwork(Fake("table"), threads=threads).run({"table": table})
    np.testing.assert_allclose(came["margin"], table.sum(axis=1), rtol=1e-5)
    assert TableNetwork(Fake("table"), threads=threads).run({"table": table[:0]})["margin"].shape == (0,)


def test_one_huge_value_does_not_stop_the_rows_beside_it(full: Build, table: Table, tmp_path: Path) -> None:
    rows = table[:5].copy()
    rows[2, 3] = 1e300
    came = Engine.open(full(), threads=1).predict(Batch(inputs={"table": rows}))
    usual = Engine.open(full("again"), threads=1).predict(Batch(inputs={"table": table[:5]}))
    others = [0, 1, 3, 4]
    np.testing.assert_allclose(came.probability[others], usual.probability[others], atol=1e-6)

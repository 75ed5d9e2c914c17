"""Attribution: exact where it can be, and always summing to what is explained."""

from collections.abc import Callable
from itertools import combinations
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from core.batch import Batch
from core.errors import InputError
from core.runtime import attribute
from core.runtime.attribute import EXACT, MASKED, UNEXPLAINED, masked_contributions
from core.runtime.bundle import Bundle
from core.runtime.calibrate import Calibrator
from core.runtime.cascade import Combination, Stage
from core.runtime.engine import Engine

Build = Callable[..., Bundle]
Table = NDArray[np.float64]
Value = Callable[[Table, NDArray[np.bool_]], Table]
STEEP = Calibrator(knots=(0.0, 1.0), values=(0.2, 1.5))


def shapley(value: Value, row: Table) -> list[float]:
    """The slow reference: all subsets (Shapley 1953)."""
    features = len(row)

    def shown(subset: tuple[int, ...]) -> float:
        given = np.isin(np.arange(features), subset)[None]
        return float(value(np.where(given, row, np.nan), given)[0])

    found = []
    for f in range(features):
        others = [g for g in range(features) if g != f]
        total = 0.0
        for size in range(features):
            weight = factorial(size) * factorial(features - size - 1) / factorial(features)
            for subset in combinations(others, size):
                total += weight * (shown((*subset, f)) - shown(subset))
        found.append(total)
    return found


def pairs(x_NF: Table, given_NF: NDArray[np.bool_]) -> Table:
    """Effects alone and in pairs; what is hidden or missing counts as 0.3."""
    x = np.where(given_NF & ~np.isnan(x_NF), x_NF, 0.3)
    return np.asarray(np.sin(x).sum(axis=1) + x[:, 0] * x[:, 1] - 2 * x[:, 1] * x[:, 3] + 0.7)


def product(x_NF: Table, given_NF: NDArray[np.bool_]) -> Table:
    """All features act together, and a missing value is not what a hidden one is."""
    x = np.where(np.isnan(x_NF), 2.0, x_NF)
    return np.asarray(np.where(given_NF, x, 0.5).prod(axis=1))


@pytest.fixture
def rows() -> Table:
    table = np.random.default_rng(0).normal(size=(40, 4)).round(1)  # with values that rows share
    table[3, 1] = table[5, 1] = table[7, 0] = np.nan
    return table


def test_effects_alone_and_in_pairs_are_shapley_values(rows: Table) -> None:
    found = masked_contributions(pairs, rows)
    for row in range(len(rows)):
        np.testing.assert_allclose(found[row, :-1], shapley(pairs, rows[row]), atol=1e-12)


@pytest.mark.parametrize("value", [pairs, product])
def test_contributions_and_base_sum_to_the_margin(value: Value, rows: Table) -> None:
    found = masked_contributions(value, rows)
    np.testing.assert_allclose(found.sum(axis=1), value(rows, np.ones(rows.shape, bool)), atol=1e-12)
    assert len(set(found[:, -1].tolist())) == 1
    assert found[0, -1] == value(np.full((1, 4), np.nan), np.zeros((1, 4), bool))[0]


def test_a_function_that_hears_nothing_contributes_nothing() -> None:
    found = masked_contributions(lambda x, _: np.full(len(x), 2.0), np.zeros((3, 4)))
    assert found.tolist() == [[0, 0, 0, 0, 2]] * 3


def test_what_only_all_together_do_is_dealt_out_evenly() -> None:
    found = masked_contributions(lambda _, given: 3.0 * (given.sum(axis=1) % 4 == 0), np.zeros((1, 4)))
    np.testing.assert_allclose(found, [[0, 0, 0, 0, 3]])
    found = masked_contributions(lambda _, given: 3.0 * (given.sum(axis=1) % 3 == 1), np.zeros((1, 4)))
    np.testing.assert_allclose(found, [[0.75, 0.75, 0.75, 0.75, 0]])


def test_slices_give_what_the_whole_gives(rows: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = masked_contributions(product, rows)
    monkeypatch.setattr(attribute, "CELLS_A_SLICE", 3 * 16)
    assert np.array_equal(masked_contributions(product, rows), whole)
    assert masked_contributions(product, rows[:0]).shape == (0, 5)


def test_a_row_costs_two_evaluations_a_feature_and_two_more(rows: Table) -> None:
    asked: list[int] = []

    def counted(x_NF: Table, given_NF: NDArray[np.bool_]) -> Table:
        asked.append(len(x_NF))
        return product(x_NF, given_NF)

    masked_contributions(counted, rows[:1])
    assert sum(asked) == 2 * 4 + 2
    asked.clear()
    masked_contributions(counted, rows)
    assert sum(asked) < 40 * (2 * 4 + 1)  # values that rows share are asked once


def squares(weight: NDArray[np.float32]) -> bytes:
    """margin = shown values squared @ weight; gaps count as 0.5, hidden values as 0."""
    nodes = [
        helper.make_node("IsNaN", ["table"], ["gap"]),
        helper.make_node("Where", ["gap", "half", "table"], ["full"]),
        helper.make_node("Mul", ["full", "full"], ["square"]),
        helper.make_node("Mul", ["square", "given"], ["shown"]),
        helper.make_node("MatMul", ["shown", "w"], ["margin"]),
    ]
    takes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", len(weight)]) for name in ("table", "given")]
    gives = [helper.make_tensor_value_info("margin", TensorProto.FLOAT, ["B"])]
    fixed = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.float32(0.5), "half")]
    graph = helper.make_graph(nodes, "squares", takes, gives, fixed)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(onnx.ModelProto.SerializeToString(model))


@pytest.fixture
def engine(build: Build, trees_text: bytes) -> Engine:
    stages = (
        Stage(part="trees", output="margin", weights=(2.0,), bias=0.5, calibrator=STEEP, low=-3.0, high=3.0),
        Stage(part="net", output="margin", weights=(0.6, 0.4), bias=-0.2, calibrator=STEEP),
    )
    network = squares(np.array([1.0, -0.5, 0.25, 2.0], np.float32))
    parts = {"trees": ("lightgbm", trees_text), "net": ("onnx", network)}
    return Engine.open(build(parts=parts, combination=Combination(stages=stages)), threads=1)


def test_a_cascade_explains_the_stage_where_a_row_left(
    engine: Engine, build: Build, trees_text: bytes, table: Table
) -> None:
    trees = Engine.open(build("alone", parts={"trees": ("lightgbm", trees_text)}), threads=1)
    rows = table[:100].copy()
    rows[3, 2] = np.nan
    batch = Batch(inputs={"table": rows})
    exact, found = trees.contributions(batch), engine.contributions(batch)
    prediction = engine.predict(batch)
    early = prediction.outputs["exit"] == 0
    assert 5 < early.sum() < 95
    np.testing.assert_allclose(found.sum(axis=1), STEEP.margin(prediction.outputs["margin"]), atol=1e-5)
    np.testing.assert_allclose(found[early, :-1], 2.0 * exact[early, :-1], atol=1e-12)
    network = 0.4 * np.array([1.0, -0.5, 0.25, 2.0]) * np.where(np.isnan(rows), 0.5, rows) ** 2
    np.testing.assert_allclose(found[~early, :-1], 0.6 * exact[~early, :-1] + network[~early], atol=1e-5)
    np.testing.assert_allclose(found[~early, -1], 0.6 * exact[~early, -1] - 0.2, atol=1e-6)


def test_rows_alone_are_explained_as_in_their_batch_and_none_gives_none(engine: Engine, table: Table) -> None:
    found = engine.contributions(Batch(inputs={"table": table[:20]}))
    alone = [engine.contributions(Batch(inputs={"table": table[row : row + 1]})) for row in range(20)]
    np.testing.assert_allclose(np.concatenate(alone), found, atol=1e-6)
    assert engine.contributions(Batch(inputs={"table": table[:0]})).shape == (0, 5)


def test_an_engine_says_how_it_explains(engine: Engine, written: dict[str, Path], build: Build, table: Table) -> None:
    assert engine.attribution == MASKED
    assert Engine.open(written["trees"]).attribution == EXACT
    assert Engine.open(written["net"]).attribution == UNEXPLAINED
    network = {"net": ("onnx", squares(np.ones(4, np.float32)))}
    only: Any = Stage(part="net", output="margin", weights=(1.0,), bias=0.0, calibrator=STEEP)
    bundle = build("net", parts=network, combination=Combination(stages=(only,)))
    with pytest.raises(InputError, match="no part that explains itself"):
        Engine.open(bundle).contributions(Batch(inputs={"table": table}))

"""`assay evaluate` of a cascade: a table of its exits, and the same numbers as JSON."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from apps import cli
from pipelines.finance import credit
from pipelines.finance.exits import StageDraft
from pipelines.finance.judging import TOLERANCES


def network() -> bytes:
    """margin = 2 x, of a table of one column without gaps."""
    nodes = [
        helper.make_node("IsNaN", ["table"], ["gap"]),
        helper.make_node("Where", ["gap", "zero", "table"], ["full"]),
        helper.make_node("MatMul", ["full", "two"], ["margin"]),
    ]
    takes = helper.make_tensor_value_info("table", TensorProto.FLOAT, ["B", 1])
    gives = helper.make_tensor_value_info("margin", TensorProto.FLOAT, ["B"])
    fixed = [numpy_helper.from_array(np.array([2], np.float32), "two"), numpy_helper.from_array(np.float32(0), "zero")]
    graph = helper.make_graph(nodes, "twice", [takes], [gives], fixed)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(onnx.ModelProto.SerializeToString(model))


def stacked(*given: Any) -> credit.FittedModel:
    """Trees, and the network beside them."""
    trees = credit.fit_trees(*given)
    stages = (
        StageDraft(part="trees", weights=(1.0,), operations=100),
        StageDraft(part="network", weights=(0.98, 0.02), operations=900),
    )
    return replace(trees, parts={**trees.parts, "network": ("onnx", network())}, stages=stages)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSAY_DEVICE", "cpu")
    monkeypatch.setitem(credit.FITTERS, "fast", stacked)
    rng = np.random.default_rng(0)
    x = rng.normal(size=4_000)
    bad = (rng.random(4_000) < 1 / (1 + np.exp(-2 * x))).astype(int)
    pd.DataFrame({"x": x, "bad": bad}).to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_a_cascade_is_trained_evaluated_and_shown(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", "credit", "--data", str(table), "--target", "bad", "--name", "two"]) == 0
    capsys.readouterr()
    assert cli.run(["evaluate", "two", "--data", str(table), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    exits = document["exits"]
    assert sum(stage["rows"] for stage in exits["stages"]) == 4_000
    assert exits["stages"][0]["rows"] > 0
    assert exits["operations"]["without"] == 1_000
    assert cli.run(["evaluate", "two", "--data", str(table)]) == 0
    said = capsys.readouterr()
    assert f"0 trees\t{exits['stages'][0]['rows']}\t" in said.out
    assert "early exits saved" in said.err
    assert cli.run(["models", "show", "two", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["attribution"] == "trees exact; network by masking"
    assert shown["manifest"]["format"] == 2
    assert [cost["tolerance"] for cost in shown["metrics"]["exits"]] == list(TOLERANCES)
    out = table.with_name("scored.csv")
    assert cli.run(["score", "two", "--data", str(table), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["attribution"] == "trees exact; network by masking"
    assert cli.run(["models", "card", "two", "--out", str(table.with_name("card.html"))]) == 0
    assert "Where rows leave" in table.with_name("card.html").read_text()

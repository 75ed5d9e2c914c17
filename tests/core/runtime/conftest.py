"""Small real models for the tests of bundles and the engine."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from core.runtime.bundle import Bundle, Golden, write_bundle

ROWS, FEATURES = 400, 4


def linear_graph(weight: NDArray[np.float32], *, domain: str = "", batch: str | int = "B") -> onnx.ModelProto:
    """margin = table @ weight, and the table again as `echo`."""
    nodes = [
        helper.make_node("MatMul", ["table", "w"], ["product"]),
        helper.make_node("Squeeze", ["product", "axis"], ["margin"]),
        helper.make_node("Identity", ["table"], ["echo"]),
    ]
    width = len(weight)
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("table", TensorProto.FLOAT, [batch, width])],
        [
            helper.make_tensor_value_info("margin", TensorProto.FLOAT, [batch]),
            helper.make_tensor_value_info("echo", TensorProto.FLOAT, [batch, width]),
        ],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.array([1], np.int64), "axis")],
    )
    sets = [helper.make_opsetid("", 18)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=sets, ir_version=10)


@pytest.fixture(scope="session")
def weight() -> NDArray[np.float32]:
    return np.array([[0.5], [-1.0], [2.0], [0.25]], np.float32)


@pytest.fixture(scope="session")
def table() -> NDArray[np.float64]:
    return np.random.default_rng(2).normal(size=(ROWS, FEATURES))


@pytest.fixture(scope="session")
def trees_text(table: NDArray[np.float64]) -> bytes:
    """A LightGBM text model that has learned something."""
    import lightgbm

    y = (table[:, 0] + table[:, 1] ** 2 > 0.8).astype(float)
    data = lightgbm.Dataset(table, y)
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 7}, data, 20)
    return booster.model_to_string().encode()


@pytest.fixture(scope="session")
def written(
    tmp_path_factory: pytest.TempPathFactory,
    trees_text: bytes,
    weight: NDArray[np.float32],
    table: NDArray[np.float64],
) -> dict[str, Path]:
    """Two bundles, written once: trees, with a missing value among the golden rows, and a graph."""
    from core.runtime.trees import TreeRunner

    home = tmp_path_factory.mktemp("bundles")
    (home / "trees.txt").write_bytes(trees_text)
    rows = table.copy()  # as many as reach every leaf
    rows[1, 2] = np.nan
    golden = Golden(inputs={"table": rows}, outputs=TreeRunner(home / "trees.txt", threads=1).run({"table": rows}))
    wanted = {"margin": (rows[:1] @ weight.astype(float))[:, 0]}
    graph = linear_graph(weight).SerializeToString()
    plain = {"spec": {"columns": ["甲"]}, "decision": {}, "calibration": None, "metrics": {}, "about": {"seed": 0}}
    write_bundle(home / "a", kind="credit", name="a", parts={"trees": ("lightgbm", trees_text)}, golden=golden, **plain)
    golden = Golden(inputs={"table": rows[:1]}, outputs=wanted, tolerance=1e-5)
    write_bundle(home / "b", kind="credit", name="b", parts={"net": ("onnx", graph)}, golden=golden, **plain)
    return {"trees": home / "a", "net": home / "b"}


@pytest.fixture
def copy_of(tmp_path: Path, written: dict[str, Path]) -> Callable[[str], Path]:
    """Copies a written bundle, for a test that damages it."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(written[name], tmp_path / name))

    return copy


@pytest.fixture
def build(tmp_path: Path, weight: NDArray[np.float32]) -> Callable[..., Bundle]:
    """Writes a bundle of a linear graph, with what the test changes."""

    def make(folder: str = "bundle", **changes: object) -> Bundle:
        entries: dict[str, object] = {
            "kind": "credit",
            "name": "x",
            "parts": {"net": ("onnx", linear_graph(weight).SerializeToString())},
            "spec": {},
            "decision": {},
            "calibration": None,
            "metrics": {},
            "golden": None,
            "about": {},
        }
        return write_bundle(tmp_path / folder, **(entries | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def graph_of() -> Callable[..., onnx.ModelProto]:
    return linear_graph

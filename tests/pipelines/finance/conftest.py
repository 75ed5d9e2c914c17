"""A small credit model on generated applications, trained once a run, and a cascade of it and a linear network."""

from dataclasses import dataclass, replace

import numpy as np
import onnx
import pandas as pd
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from core.runtime.bundle import write_bundle
from core.runtime.engine import Engine
from data.finance.credit_tables import make_credit
from data.spec import FeatureSpec
from pipelines.finance.credit import CreditOptions, train_credit
from pipelines.finance.exits import StageDraft
from pipelines.finance.judging import FittedModel, Judged, judge
from pipelines.finance.labels import LabelRule
from pipelines.finance.rows import Labelled, labelled

OPTIONS = CreditOptions(target="default_12m", id_column="application_id", time="application_date", ignore=("split",))


@dataclass(frozen=True, kw_only=True)
class Trained:
    engine: Engine
    train: pd.DataFrame
    valid: pd.DataFrame
    test: pd.DataFrame


def silent(share: float, words: str) -> None:
    assert 0 <= share <= 1
    assert words


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    table = make_credit(6_000, 1)
    train, valid, test = (table[table["split"] == part].reset_index(drop=True) for part in ("train", "val", "test"))
    bundle = train_credit(train, valid, OPTIONS, tmp_path_factory.mktemp("credit") / "bundle", silent)
    return Trained(engine=Engine.open(bundle, threads=1), train=train, valid=valid, test=test)


def signs(weight: NDArray[np.float32]) -> bytes:
    """margin = (sign of every shown value, 0 for gaps) @ weight: takes gaps."""
    nodes = [
        helper.make_node("IsNaN", ["table"], ["gap"]),
        helper.make_node("Sign", ["table"], ["sign"]),
        helper.make_node("Where", ["gap", "zero", "sign"], ["plain"]),
        helper.make_node("Mul", ["plain", "given"], ["shown"]),
        helper.make_node("MatMul", ["shown", "w"], ["margin"]),
    ]
    width = len(weight)
    takes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", width]) for name in ("table", "given")]
    gives = [helper.make_tensor_value_info("margin", TensorProto.FLOAT, ["B"])]
    fixed = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.float32(0), "zero")]
    made = helper.make_graph(nodes, "signs", takes, gives, fixed)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(onnx.ModelProto.SerializeToString(model))


@pytest.fixture(scope="session")
def spec(trained: Trained) -> FeatureSpec:
    return FeatureSpec.from_json(trained.engine.bundle.manifest.spec)


@pytest.fixture(scope="session")
def rows(trained: Trained, spec: FeatureSpec) -> Labelled:
    return labelled(trained.valid, spec, LabelRule(bad="1", good="0"), None, "validation")


@pytest.fixture(scope="session")
def fitted(trained: Trained, spec: FeatureSpec, rows: Labelled) -> FittedModel:
    weight = np.linspace(-0.2, 0.2, len(spec.columns)).astype(np.float32)
    trees = trained.engine.bundle.path("trees").read_bytes()
    return FittedModel(
        parts={"trees": ("lightgbm", trees), "network": ("onnx", signs(weight))},
        stages=(
            StageDraft(part="trees", weights=(1.0,), operations=100),
            StageDraft(part="network", weights=(0.9, 0.2), bias=-0.1, operations=900),
        ),
        fold_margin_MB=np.empty((0, len(rows.y_B))),
        about={},
    )


@pytest.fixture(scope="session")
def judged(fitted: FittedModel, rows: Labelled, spec: FeatureSpec) -> Judged:
    return judge(fitted, rows, spec, replace(OPTIONS, exit_tolerance=0.05))


@pytest.fixture(scope="session")
def cascade(fitted: FittedModel, judged: Judged, spec: FeatureSpec, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    bundle = write_bundle(
        tmp_path_factory.mktemp("cascade") / "bundle",
        kind="credit",
        name="full",
        parts=fitted.parts,
        spec=spec.to_json(),
        decision=judged.policy.to_json(),
        calibration=judged.calibration,
        metrics={"validation": {}},
        golden=judged.golden,
        about={"labels": {"bad": "1", "good": "0"}},
        combination=judged.combination,
    )
    return Engine.open(bundle, threads=1)

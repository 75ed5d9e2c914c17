"""A gateway's house with real models that are small enough to be made in a moment."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import lightgbm  # noqa: F401 - loaded before its threads can be limited
import numpy as np
import onnx
import pandas as pd
from fastapi.testclient import TestClient
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from threadpoolctl import threadpool_limits

from apps.settings import Settings
from apps.store.database import open_database
from apps.store.models import register
from core.runtime.bundle import write_bundle
from pipelines.finance.company import train_company
from pipelines.finance.company_plan import CompanyOptions
from pipelines.finance.credit import CreditOptions, train_credit
from tests.pipelines.finance.company_samples import KEYS, make_companies


def spot_finder() -> bytes:
    """An ONNX graph that sees dark spots: (B, 3, H, W) of mean 0 to margin, defect map and label logits."""

    def constant(name: str, value: object, kind: type = np.float32) -> onnx.TensorProto:
        return numpy_helper.from_array(np.array(value, kind), name)

    nodes = [
        helper.make_node("ReduceMean", ["image", "channel"], ["grey"], keepdims=1),
        helper.make_node("Mul", ["grey", "slope"], ["steep"]),
        helper.make_node("Sub", ["steep", "offset"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["defect_map"]),
        helper.make_node("ReduceMax", ["logit", "all"], ["margin"], keepdims=0),
        helper.make_node("ReduceMean", ["grey", "plane"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["label_logits"]),
    ]
    constants = [
        constant("channel", [1], np.int64),
        constant("all", [1, 2, 3], np.int64),
        constant("plane", [2, 3], np.int64),
        constant("slope", -8.0),
        constant("offset", 12.0),
        constant("zero", 0.0),
    ]
    ends = {
        "image": ["B", 3, "H", "W"],
        "margin": ["B"],
        "defect_map": ["B", 1, "H", "W"],
        "label_logits": ["B", 1],
    }
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends.items()]
    graph = helper.make_graph(nodes, "spots", values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def register_tiles(settings: Settings, name: str = "tiles") -> None:
    folder = settings.home / "draft"
    write_bundle(
        folder,
        kind="inspection",
        name=name,
        parts={"network": ("onnx", spot_finder())},
        spec={},
        decision={
            "labels": ["spot"],
            "size_px": 64,
            "threshold": 0.5,
            "review_above": 0.3,
            "reject_above": 0.7,
            "region_threshold": 0.5,
            "why": "made by hand",
        },
        calibration=None,
        metrics={"image_auroc": {"value": 0.99}},
        golden=None,
        about={},
    )
    register(open_database(settings), settings, folder, name)


def loans(rows: int, seed: int = 7) -> pd.DataFrame:
    """Applications whose risk grows with debt and late payments."""
    rng = np.random.default_rng(seed)
    debt, late = rng.uniform(0, 1, rows), rng.poisson(1.0, rows)
    margin = -3.0 + 3.0 * debt + 0.9 * late
    return pd.DataFrame(
        {
            "loan_id": [f"L-{number}" for number in range(rows)],
            "income": rng.lognormal(10, 0.5, rows).round(2),
            "debt_ratio": debt.round(4),
            "late_payments": late,
            "city": rng.choice(["Aachen", "Bern", "Cork"], rows),
            "default": (rng.uniform(0, 1, rows) < 1 / (1 + np.exp(-margin))).astype(int),
        }
    )


def train_loans(folder: Path) -> None:
    """Train a credit model on generated applications and write its bundle."""
    options = CreditOptions(target="default", id_column="loan_id", name="loans")
    with threadpool_limits(limits=1):  # spinning threads on a busy machine make seconds of it
        train_credit(loans(1200), loans(500, seed=8), options, folder, lambda share, words: None)


POLICY = """name,kind,version,valid_from,priority,condition,action,floor,if_missing,en,zh
deep_in_debt,knock_out,1,2020-01-01,1,total_liabilities > 0.8 * total_assets,decline,,ignore,"Debt of {total_liabilities:,.0f}","负债{total_liabilities:,.0f}"
going_concern,policy,1,2020-01-01,2,text_going_concern_doubt == 1,decline,,ignore,The report doubts that the company goes on,报告对持续经营存疑
"""  # noqa: E501


def train_firms(folder: Path) -> None:
    """Train a company model with hard rules on generated statements and write its bundle to `folder`/bundle."""
    folder.mkdir(parents=True)
    policy = folder / "policy.csv"
    policy.write_text(POLICY, encoding="utf-8")
    options = CompanyOptions(**KEYS, policy=policy, name="firms")
    with threadpool_limits(limits=1):
        train_company(
            make_companies(0, 120), make_companies(1, 80), options, folder / "bundle", lambda share, words: None
        )


def picture(spot: bool = False, *, size: tuple[int, int] = (96, 64), kind: str = "PNG") -> bytes:
    """A noisy grey picture, width x height, with or without a black spot."""
    width, height = size
    pixels = np.random.default_rng(0).normal(150, 12, (height, width)).clip(60, 255)
    if spot:
        pixels[20:34, 40:60] = 0
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, format=kind)
    return stream.getvalue()


@dataclass
class House:
    """A gateway behind a test client, and what a test needs to look behind it."""

    client: TestClient
    settings: Settings
    key: str
    log: io.StringIO = field(default_factory=io.StringIO)

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.key}

    def log_entries(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def uploads(self) -> list[Path]:
        folder = self.settings.home / "uploads"
        return list(folder.iterdir()) if folder.exists() else []

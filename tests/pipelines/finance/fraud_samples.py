"""A small fraud model and made-up transactions to judge with it."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from core.runtime.bundle import write_bundle
from data.spec import infer_spec
from pipelines.finance.scorecard import Policy, Scale, Zones
from pipelines.finance.transactions.batch import measure_table
from pipelines.finance.transactions.events import Events, read_events
from pipelines.finance.transactions.plan import TransactionPlan
from tests.pipelines.finance.transactions.streams import make_frame

OTHERS = ("channel", "distance_km")
PLAN: dict[str, Any] = {"time": "time", "amount": "amount", "id_column": "id", "entity": "card"}


def fraud_plan(**changes: Any) -> TransactionPlan:
    return TransactionPlan(**(PLAN | {"counterparts": ("shop",), "target": "fraud"} | changes))


def fraud_frame(rows: int, seed: int = 0, *, late: float = 0.0, cards: int = 20, days: float = 60) -> pd.DataFrame:
    """Transactions in the order in which they came, some late; large ones at a distance are the frauds."""
    rng = np.random.default_rng(seed)
    frame = make_frame(rng, rows, cards=cards, shops=9, days=days, late=late).drop(columns="arrived")
    frame["time"] = frame["time"].dt.strftime("%Y-%m-%d %H:%M:%S")
    frame["id"] = [f"T{seed}-{row:06d}" for row in range(rows)]
    frame["channel"] = rng.choice(["chip", "online", "swipe"], rows)
    frame["distance_km"] = rng.exponential(20, rows).round(1)
    odds = 0.02 + 0.6 * ((frame["amount"] > 40) & (frame["distance_km"] > 25))
    frame["fraud"] = (rng.random(rows) < odds).astype(int)
    return frame


def labels_of(frame: pd.DataFrame) -> np.ndarray:
    return frame["fraud"].to_numpy(dtype=np.int8)


def events_of(frame: pd.DataFrame, plan: TransactionPlan) -> Events:
    """All of them, as they came."""
    frame = frame.assign(came=np.arange(len(frame)))

    return read_events(frame, replace(plan, arrived="came"), labels=labels_of(frame)).events


def requests_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Transactions as a sender writes them: without the label."""
    return frame.drop(columns="fraud").to_dict("records")


@cache
def _trained(seed: int) -> tuple[str, dict[str, Any]]:
    plan, frame = fraud_plan(), fraud_frame(3_000, seed, cards=60)
    features = pd.DataFrame(measure_table(events_of(frame, plan), plan), columns=list(plan.names)).astype(np.float64)
    table = pd.concat([features, frame[list(OTHERS)]], axis=1)
    spec = replace(infer_spec(table, target=None), target="fraud")
    columns = [table[c.name] if c.kind == "number" else _codes(table[c.name], c.categories) for c in spec.columns]
    data = lightgbm.Dataset(np.stack([np.asarray(c, dtype=np.float64) for c in columns], axis=1), frame["fraud"])
    options = {"objective": "binary", "num_leaves": 15, "verbosity": -1, "num_threads": 1, "seed": 0}
    return lightgbm.train(options, data, num_boost_round=60).model_to_string(), spec.to_json()


def _codes(cells: pd.Series, categories: tuple[str, ...]) -> np.ndarray:
    return np.asarray([categories.index(cell) for cell in cells], dtype=np.float64)


def write_fraud_bundle(folder: Path, *, plan: TransactionPlan | None = None, name: str = "cards") -> Path:
    """A bundle of kind fraud that judges the transactions above; a plan of one's own may have other limits."""
    trees, spec = _trained(5)
    zones = Zones(approve_below=0.2, decline_above=0.6, threshold=0.4)
    write_bundle(
        folder,
        kind="fraud",
        name=name,
        parts={"trees": ("lightgbm", trees.encode())},
        spec=spec,
        decision=Policy(scale=Scale(), zones=zones, rule="made by hand").to_json(),
        calibration=None,
        metrics={"average_precision": {"value": 0.5}},
        golden=None,
        about={"transactions": (plan or fraud_plan()).to_json(), "labels": {"bad": "1", "good": "0"}},
    )
    return folder

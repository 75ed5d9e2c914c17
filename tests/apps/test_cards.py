"""The model document says how reasons are found, and what exits save."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.cards import exit_cells, exit_words, model_card
from apps.store.tables import Evaluation, Model
from core.runtime.calibrate import Calibrator
from core.runtime.cascade import Combination, Stage
from core.runtime.manifest import FileEntry, Manifest, Part

LINE = Calibrator(knots=(0.0, 1.0), values=(0.0, 1.0))
TREES = Stage(part="trees", output="margin", weights=(1.0,), bias=0.0, calibrator=LINE)
NETWORK = Stage(part="network", output="margin", weights=(0.5, 0.5), bias=0.0, calibrator=LINE)
EXITS: dict[str, Any] = {
    "stages": [
        {"part": "trees", "rows": 750, "share": 0.75, "operations": 1200.0},
        {"part": "network", "rows": 250, "share": 0.25, "operations": 98_800.0},
    ],
    "operations": {"with_exits": 25_900.0, "without": 100_000.0, "saved": 0.741},
    "with_exits": {"auc": 0.86451, "log_loss": 0.1762},
    "without": {"auc": 0.86463, "log_loss": 0.1760},
    "decisions_changed": 0,
}


def manifest(combination: Combination | None, **kinds: Any) -> Manifest:
    suffix = {"lightgbm": ".txt", "onnx": ".onnx"}
    parts = {name: Part(kind=kind, file=name + suffix[kind]) for name, kind in kinds.items()}
    return Manifest(
        format=1 if combination is None else 2,
        kind="credit",
        name="x",
        parts=parts,
        files={part.file: FileEntry(sha256="0" * 64, bytes=0) for part in parts.values()},
        spec={},
        decision={},
        calibration=None,
        metrics={},
        golden=None,
        about={},
        combination=combination,
    )


def card(made: Manifest, metrics: dict[str, Any]) -> str:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    model = Model(name="x", version=1, kind="credit", state="champion", manifest_sha256="0" * 64, created_at=now)
    return model_card(model, made, Evaluation(data="t.csv", metrics=metrics, curves={}))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (manifest(None, trees="lightgbm"), "by exact contributions"),
        (manifest(Combination(stages=(TREES, NETWORK)), trees="lightgbm", network="onnx"), "by hiding values from it"),
        (manifest(None, network="onnx"), None),
    ],
)
def test_a_card_says_how_reasons_are_found(made: Manifest, words: str | None) -> None:
    page = card(made, {})
    assert ("Reasons name" in page) is (words is not None)
    assert words is None or words in page


def test_a_card_shows_exits_where_there_are_some() -> None:
    made = manifest(Combination(stages=(TREES, NETWORK)), trees="lightgbm", network="onnx")
    page = card(made, {"exits": EXITS})
    assert "Where rows leave" in page
    assert "saved 74.1% of the operations" in page
    assert "Where rows leave" not in card(made, {})


def test_exits_in_words() -> None:
    assert exit_cells(EXITS)[1] == ("1 network", "250", "25.0%", "98,800")
    assert exit_words(EXITS) == (
        "early exits saved 74.1% of the operations; AUC 0.8645 against 0.8646, "
        "log loss 0.1762 against 0.1760; 0 decisions changed"
    )
    one_class = json.loads(json.dumps(EXITS)) | {"with_exits": {"auc": None, "log_loss": 0.1}}
    assert "AUC" not in exit_words(one_class)


def test_a_card_says_what_an_update_gained_and_forgot() -> None:
    side = {"auc": 0.75, "log_loss": 0.41, "log_loss_at_rate": 0.4}
    new = {"rows": 90, "before": side, "after": side | {"auc": 0.8, "log_loss": 0.39}}
    old = {"rows": 500, "before": side, "after": side | {"log_loss_at_rate": 0.402}, "allowed": 0.05}
    old["forgotten"] = {"value": 0.012, "low": -0.01, "high": 0.03}
    update = {"base": {"name": "<loans>", "version": 2}, "validation": new, "reference": old}
    page = card(replace(manifest(None, trees="lightgbm"), about={"update": update}), {})
    assert (
        "<p>It learned on from &lt;loans&gt;@2: on 90 new validation rows log loss 0.4100 before, 0.3900 after "
        "(AUC 0.7500, 0.8000); on 500 reference rows, at their base rate, log loss 0.4000 before, 0.4020 after "
        "(AUC 0.7500, 0.7500): of what was known about them 1.2% (-1.0% to 3.0%, allowed 5.0%) was forgotten.</p>"
    ) in page
    assert "It learned on" not in card(manifest(None, trees="lightgbm"), {})

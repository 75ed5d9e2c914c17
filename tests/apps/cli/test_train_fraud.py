"""`assay train fraud`, and what evaluate and score do with its models."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from apps import cli
from tests.pipelines.finance.fraud_samples import fraud_frame

KEYS = ["--target", "fraud", "--entity", "card", "--counterpart", "shop", "--time", "time", "--amount", "amount"]
ROWS = ["--where", "split=train", "--valid-where", "split=val"]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSAY_DEVICE", "cpu")
    frame = fraud_frame(6_000, days=120)
    day = pd.to_datetime(frame["time"]).dt.day_of_year
    frame["split"] = pd.cut(day - day.min(), [-1, 70, 95, 400], labels=["train", "val", "test"]).astype("str")
    path = tmp_path / "transactions.csv"
    frame.to_csv(path, index=False)
    return path


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert cli.run([*arguments, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_a_model_is_trained_evaluated_and_scores_by_one_way(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = told(["train", "fraud", "--data", str(table), *KEYS, "--id", "id", *ROWS], capsys)
    assert trained["kind"] == "fraud"
    assert trained["about"]["chosen"]["warm_up"] > 0
    assert "split" not in trained["about"]["transactions"].values()
    judged = told(["evaluate", "fraud", "--data", str(table), "--where", "split=test"], capsys)
    assert judged["auc"]["value"] > 0.75
    assert 0 < judged["card_precision_at_100"]["value"] <= judged["card_precision_at_100_ceiling"]["value"]
    out = table.parent / "scored.csv"
    told(["score", "fraud", "--data", str(table), "--where", "split=test", "--out", str(out)], capsys)
    scored, frame = pd.read_csv(out), pd.read_csv(table)
    test = frame[frame["split"] == "test"]
    assert list(scored["id"]) == list(test["id"])
    assert scored["error"].isna().all()
    frauds = scored["probability"][test["fraud"].to_numpy() == 1].mean()
    assert frauds > 2 * scored["probability"].mean()

"""`assay train volatility` and its updates, and what evaluate, score and models do with such a model."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from apps import cli
from apps.cli.train_volatility import parse_period
from core.errors import InputError
from pipelines.finance import volatility, volatility_update
from tests.pipelines.finance.series_samples import market, one_thread

one_thread = pytest.fixture(autouse=True)(one_thread)
KEYS = ["--time", "date", "--where", "split=train", "--valid-where", "split=val", "--name", "index"]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSAY_DEVICE", "cpu")
    path = tmp_path / "index.csv"
    market(500).to_csv(path, index=False)
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_series_goes_from_training_to_forecasts_and_an_update(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> Any:
        assert cli.run([*words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    trained = run("train", "volatility", "--data", str(table), *KEYS)
    assert (trained["kind"], trained["version"]) == ("volatility", 1)
    evaluated = run("evaluate", "index", "--data", str(table), "--where", "split=test")
    assert evaluated["n"]["value"] == 100
    assert evaluated["qlike"]["low"] <= evaluated["qlike"]["value"] <= evaluated["qlike"]["high"]
    out = tmp_path / "forecasts.csv"
    scored = run("score", "index", "--data", str(table), "--out", str(out))
    assert (scored["rows"], scored["failed"]) == (500, 64)
    written = pd.read_csv(out)
    assert written.columns.tolist() == [
        *("time", "variance_pct2", "volatility_annual_pct", "model", "model_version", "error")
    ]
    assert (written["time"] == market(500)["date"]).all()
    odd = ["train", "volatility", "--data", str(table), "--update", "index", "--frozen", "some"]
    assert cli.run(odd) == 2
    assert "frozen must be least or most, got 'some'" in capsys.readouterr().err
    refused = ["train", "volatility", "--data", str(table), "--update", "index", "--forget-limit", "-9"]
    assert cli.run([*refused, "--where", "split=val", "--reference", "2001:2001"]) == 3
    assert "the loss on 2001:2001 grew by" in capsys.readouterr().err
    updated = run("train", "volatility", "--data", str(table), "--update", "index", "--frozen", "most")
    assert (updated["name"], updated["version"]) == ("index", 2)
    assert run("models", "show", "index")["manifest"]["about"]["learned_on"]["elastic"]["frozen"] == "most"
    assert len(run("models", "list")) == 2
    run("models", "card", "index", "--out", str(tmp_path / "card.html"))
    assert cli.run(["score", "index", "--data", str(table), "--out", str(out), "--where", "split=test"]) == 2
    assert "a series is forecast whole" in capsys.readouterr().err


def test_what_was_asked_for_reaches_the_training(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def watched(frame: Any, request: Any, folder: Path, progress: Any) -> Any:
        seen.update(frame=frame, request=request)
        raise InputError("seen enough")

    monkeypatch.setattr(volatility, "train_volatility", watched)
    more = ["--close", "open", "--seed", "4", "--floor", "skill=0.1"]
    assert cli.run(["train", "volatility", "--data", str(table), *KEYS, *more]) == 2
    request = seen["request"]
    assert (request.where, request.valid_where) == ({"split": "train"}, {"split": "val"})
    assert (request.columns["close"], request.columns["high"]) == ("open", None)
    assert (request.seed, request.floors, request.name) == (4, {"skill": 0.1}, "index")
    assert len(seen["frame"]) == 500


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--name", "x"], "--time names the column with the day"),
        (["--time", "date", "--reference", "2001:2002"], "name the model with --update"),
        (["--time", "date", "--forget-limit", "1"], "name the model with --update"),
        (["--update", "x", "--time", "date", "--high", "h"], "--time, --high mean nothing beside --update"),
        (["--update", "x"], "no model 'x'"),
        (["--time", "day"], "there is no column 'day' for --time"),
        (["--time", "date", "--where", "split"], "--where takes COLUMN=VALUE"),
    ],
)
def test_options_that_do_not_go_together_are_refused_in_one_line(
    table: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["train", "volatility", "--data", str(table), *words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert told in lines[-1]


@pytest.mark.parametrize("text", ["2001", ":2002", "2001:"])
def test_a_period_needs_both_ends(text: str) -> None:
    with pytest.raises(InputError, match="--reference takes FIRST:LAST"):
        parse_period(text)


def test_a_period_is_read_as_written() -> None:
    assert parse_period("2007-09:2009-06") == ("2007-09", "2009-06")
    assert volatility_update.LIMIT == 0.01

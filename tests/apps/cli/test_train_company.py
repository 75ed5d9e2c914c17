"""`assay train company`, and what evaluate and score do with its models."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from apps import cli
from pipelines.finance import company
from tests.pipelines.finance.company_samples import make_companies


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSAY_DEVICE", "cpu")
    parts = {"train": (0, 150), "val": (1, 100), "test": (2, 60)}
    frames = [make_companies(seed, companies=n).assign(split=part) for part, (seed, n) in parts.items()]
    for frame, part in zip(frames, parts, strict=True):
        frame["firm"] = part + frame["firm"]
    path = tmp_path / "firms.csv"
    pd.concat(frames).to_csv(path, index=False)
    return path


KEYS = ["--target", "failed", "--id", "firm", "--period", "year", "--name", "firms"]


def test_what_was_asked_for_reaches_the_training(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def watched(train: Any, valid: Any, options: Any, folder: Path, progress: Any, population: Any, *_: Any) -> Any:
        seen.update(train=train, valid=valid, options=options, population=population)
        raise company.InputError("seen enough")

    monkeypatch.setattr(company, "train_company", watched)
    rows = ["--where", "split=train", "--valid-where", "split=val", "--unlabelled-where", "split=test"]
    more = ["--unit", "1000", "--currency", "USD", "--cases", "latest", "--seed", "3", "--cost", "7:1"]
    assert cli.run(["train", "company", "--data", str(table), *KEYS, *rows, *more]) == 2
    options = seen["options"]
    assert (options.unit, options.currency, options.cases, options.seed, options.cost_missed) == (
        1e3,
        "USD",
        "latest",
        3,
        7,
    )
    assert options.ignore == ("split", "split", "split")
    assert [len(seen[part]) for part in ("train", "valid", "population")] == [600, 400, 240]


def test_rows_that_are_refused_are_counted_by_cause(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv(table, dtype="str")
    known = frame.index[frame["split"] == "train"]
    frame.loc[known[0], "total_assets"] = "much"
    frame.loc[known[1], "year"] = "FY"
    frame.loc[known[2], "year"] = "2150"
    twice = frame.loc[[known[3]]].assign(ebit="7")
    nameless = frame.loc[[known[4]]].assign(firm="")
    pd.concat([frame, twice, nameless]).to_csv(table, index=False)
    rows = ["--where", "split=train", "--valid-where", "split=val", "--cases", "all", "--json"]
    assert cli.run(["train", "company", "--data", str(table), *KEYS, *rows]) == 0
    done = capsys.readouterr()
    refused = json.loads(done.out)["about"]["refused"]
    counts = {"NOT_A_NUMBER": 1, "BAD_PERIOD": 1, "FUTURE_PERIOD": 1, "TWO_ROWS": 2, "NO_COMPANY": 1}
    assert {code: cases for code, cases in refused["training"].items() if code != "OTHER_ROW"} == counts
    assert refused["validation"] == {}
    assert "FUTURE_PERIOD 1" in done.err
    assert "TWO_ROWS 2" in done.err
    assert "known statement item" not in done.err


def test_nothing_but_rows_that_are_refused_is_one_line(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.read_csv(table).assign(year=2150).to_csv(table, index=False)
    assert cli.run(["train", "company", "--data", str(table), *KEYS]) == 2
    assert "FUTURE_PERIOD" in capsys.readouterr().err


def test_a_table_without_a_known_item_is_said_to_be_one(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: Any) -> Any:
        raise company.InputError("seen enough")

    monkeypatch.setattr(company, "train_company", stop)
    frame = pd.read_csv(table)
    frame.columns = [name if name in ("firm", "year", "failed", "split") else f"col_{name}" for name in frame.columns]
    frame.to_csv(table, index=False)
    assert cli.run(["train", "company", "--data", str(table), *KEYS]) == 2
    assert "no column is a known statement item; rules cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--cases", "some"], "cases are auto, latest, all"),
        (["--base-rate", "3"], "between 0 and 1"),
        (["--unit", "0"], "above 0"),
        (["--base-rate", "0.1", "--target-rate", "0.1"], "another base rate"),
    ],
)
def test_a_wrong_option_is_one_line(
    table: Path, wrong: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["train", "company", "--data", str(table), *KEYS, *wrong]) == 2
    assert words in capsys.readouterr().err


def test_scoring_reports_by_workers_or_companies_with_another_id_is_refused(
    table: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rows = ["--where", "split=train", "--valid-where", "split=val"]
    assert cli.run(["train", "company", "--data", str(table), *KEYS, *rows, "--json"]) == 0
    score = ["score", "firms", "--data", str(table), "--out", str(tmp_path / "out.csv")]
    (tmp_path / "filing.htm").write_text("<html></html>")
    filing = ["score", "firms", "--data", str(tmp_path / "filing.htm"), "--out", str(tmp_path / "out.csv")]
    assert cli.run([*filing, "--workers"]) == 2
    assert "not reports" in capsys.readouterr().err
    assert cli.run([*score, "--id", "year"]) == 2
    assert "--id cannot be 'year'" in capsys.readouterr().err
    assert cli.run([*score, "--where", "split=test"]) == 0
    out = pd.read_csv(tmp_path / "out.csv")
    assert len(out) == 60
    assert list(out.columns[-4:]) == ["period", "model", "model_version", "error"]
    assert cli.run(["evaluate", "firms", "--data", str(table), "--where", "split=test"]) == 0
    assert "auc" in capsys.readouterr().out
    report = tmp_path / "note.htm"
    report.write_text("<html><body><p>Nothing to see.</p></body></html>")
    assert cli.run(["score", "firms", "--data", str(report), "--out", str(tmp_path / "r.csv")]) == 2
    assert "not one of 1 rows could be scored" in capsys.readouterr().err

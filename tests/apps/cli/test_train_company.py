"""`assay train company`, and what evaluate and score do with its models."""

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

    def watched(train: Any, valid: Any, options: Any, folder: Path, progress: Any, population: Any) -> Any:
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

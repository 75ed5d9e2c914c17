"""`assay train credit`: what it hands to the training, and what is left of a run."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from apps import cli
from pipelines.finance import credit


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Trains in a fresh home; returns the exit code, and what the training saw of its run folder."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSAY_DEVICE", "cpu")
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    bad = (rng.random(300) < 1 / (1 + np.exp(-2 * x))).astype(int)
    pd.DataFrame({"x": x, "bad": bad}).to_csv(tmp_path / "t.csv", index=False)
    left_over = tmp_path / "home" / "runs" / "loans" / "step"
    seen: dict[str, Any] = {}
    really = credit.train_credit

    def watched(train: Any, valid: Any, options: credit.CreditOptions, folder: Path, progress: Any, kept: Any) -> Any:
        seen.update(options=options, kept=left_over.exists())
        return really(train, valid, options, folder, progress, kept)

    monkeypatch.setattr(credit, "train_credit", watched)

    def train(*more: str) -> tuple[int, dict[str, Any]]:
        left_over.parent.mkdir(parents=True, exist_ok=True)
        left_over.write_text("half")
        words = ["train", "credit", "--data", str(tmp_path / "t.csv"), "--target", "bad", "--name", "loans", *more]
        return cli.run(words), seen

    return train


@pytest.mark.parametrize("resume", [True, False])
def test_a_run_is_kept_only_to_be_resumed_and_gone_when_it_is_done(run: Any, tmp_path: Path, resume: bool) -> None:
    code, seen = run("--json", *(["--resume"] if resume else []))
    assert code == 0
    assert seen["kept"] is resume
    assert seen["options"].resume == tmp_path / "home" / "runs" / "loans"
    assert seen["options"].device == "cpu"
    assert not seen["options"].resume.exists()


def test_a_run_that_failed_can_be_resumed(run: Any, tmp_path: Path) -> None:
    code, seen = run("--resume", "--floor", "auc=0.9999")
    assert code == 3
    assert (seen["options"].resume / "step").exists()


@pytest.mark.parametrize("name", ["..", "../home", "a/b", ""])
def test_a_name_that_is_no_folder_removes_nothing(run: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "mine").write_text("keep")
    code, seen = run("--name", name)
    assert code == 2
    assert not seen
    assert (tmp_path / "home" / "mine").exists()


def test_series_without_the_preset_full_is_refused(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, seen = run("--series")
    assert code == 2
    assert not seen
    assert "only the preset full reads numbered columns as series" in capsys.readouterr().err

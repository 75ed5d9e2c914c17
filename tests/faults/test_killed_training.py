"""A credit training of the preset full that is killed goes on with --resume, and ends with the very same model."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from core.train.checkpoint import list_checkpoints

pytestmark = pytest.mark.slow
ROWS, NUMBERS = 700, 8


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Many small effects: here networks help the trees."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, NUMBERS))
    frame = pd.DataFrame({f"x{at}": x[:, at] for at in range(NUMBERS)})
    frame["bad"] = (rng.random(ROWS) < expit(x.sum(axis=1) * 0.6)).astype(int)
    frame.to_csv(tmp_path / "loans.csv", index=False)
    return tmp_path / "loans.csv"


def begin(table: Path, home: Path, *more: str) -> subprocess.Popen[str]:
    """Start the command a user types."""
    command = [sys.executable, "-m", "apps.cli", "train", "credit", "--data", str(table), "--target", "bad"]
    command += ["--preset", "full", "--name", "loans", "--json", *more]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    environment = inherited | {"ASSAY_HOME": str(home), "ASSAY_DEVICE": "cpu"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(training: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = training.communicate(timeout=240)
    assert training.returncode == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def manifest(home: Path) -> dict[str, Any]:
    [found] = home.glob("models/**/manifest.json")
    document: dict[str, Any] = json.loads(found.read_text())
    return document


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_with_the_same_model(table: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    end(begin(table, whole))
    training = begin(table, cut)
    checkpoints = cut / "runs" / "loans" / "networks"
    deadline = time.monotonic() + 200
    while not (checkpoints.is_dir() and list_checkpoints(checkpoints)):
        assert training.poll() is None, training.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    training.send_signal(signal.SIGKILL)
    training.wait()
    assert not list(cut.glob("models/**/manifest.json"))
    end(begin(table, cut, "--resume"))
    assert manifest(cut)["files"] == manifest(whole)["files"]
    assert manifest(cut)["about"] == manifest(whole)["about"]
    assert not (cut / "runs" / "loans").exists()

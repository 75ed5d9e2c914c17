"""A home with both kinds of models, trained once by the commands that a user types."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict:
        return json.loads(self.out)


@dataclass(frozen=True)
class House:
    """A home, and commands in it as processes of their own."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
        return inherited | {"ASSAY_HOME": str(self.home), "ASSAY_THREADS": "1"}

    def assay(self, *arguments: object, code: int = 0) -> Done:
        """Run a command, and demand its exit code."""
        command = [sys.executable, "-m", "apps.cli", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=240, check=False)
        assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Done(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker in the background."""
        command = [sys.executable, "-m", "apps.cli", "worker", "--concurrency", "1"]
        log = (self.home / "worker.txt").open("ab")
        with log, subprocess.Popen(command, env=self.environment, stdout=log, stderr=log) as worker:
            try:
                yield worker
            finally:
                worker.terminate()
                worker.wait(timeout=60)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """An empty home."""
    return House(tmp_path_factory.mktemp("end_to_end") / "home")


@pytest.fixture(scope="session")
def loans(house: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of loans, and a model `loans` trained on a part of it."""
    folder = tmp_path_factory.mktemp("loans")
    house.assay("data", "make", "credit", "--out", folder, "--rows", 3000, "--seed", 1)
    table = folder / "credit.csv"
    columns = ["--target", "default_12m", "--id", "application_id"]
    rows = ["--where", "split=train", "--valid-where", "split=val"]
    house.assay("train", "credit", "--data", table, *columns, *rows, "--name", "loans")
    return table


@pytest.fixture(scope="session")
def surfaces(house: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures with its splits, and a model `surfaces` trained on it."""
    folder = tmp_path_factory.mktemp("surfaces")
    house.assay("data", "make", "surfaces", "--out", folder, "--rows", 60, "--seed", 1)
    few = ["--size-px", 96, "--preset", "smoke", "--boxes-per-class", 3]
    splits = ["--data", folder / "train.csv", "--valid", folder / "val.csv"]
    house.assay("train", "inspection", *splits, *few, "--name", "surfaces")
    return folder

"""Reports in every form, made and then read again by the commands that a user types: what was made is found."""

import json
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from data.finance.report_set import make_reports

FEWEST_RIGHT = 0.95  # of the figures of each form


@pytest.fixture(scope="module")
def filings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make_reports(folder, rows=300, seed=11)
    return folder / "filings"


@pytest.fixture(scope="module")
def documents(filings: Path) -> dict[str, dict[str, Any]]:
    sources = sorted(filings.iterdir())
    command = [sys.executable, "-m", "apps.cli", "report", "extract", *map(str, sources), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=280)
    assert done.stderr == ""
    return {Path(document["file"]).name: document for document in json.loads(done.stdout)}


def gold_of(filings: Path, name: str) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((filings.parent / "gold" / f"{name}.gold.json").read_text(encoding="utf-8"))
    return truth


@pytest.mark.slow
def test_the_figures_of_every_form_are_found(filings: Path, documents: dict[str, dict[str, Any]]) -> None:
    right, every = Counter[str](), Counter[str]()
    for name, document in documents.items():
        found = {
            (statement, line["scope"], line["item"], line["period_end"], line["months"]): Decimal(line["value"])
            for statement, lines in document["statements"].items()
            for line in lines
        }
        for figure in gold_of(filings, name)["values"]:
            key = tuple(figure[part] for part in ("statement", "scope", "item", "period_end", "months"))
            right[document["kind"]] += found.get(key) == Decimal(figure["value"])  # type: ignore[arg-type]
            every[document["kind"]] += 1
    shares = {kind: right[kind] / every[kind] for kind in every}
    assert min(shares.values()) >= FEWEST_RIGHT, shares
    assert shares["ixbrl"] == shares["xbrl"] == 1.0


@pytest.mark.slow
def test_flaws_are_flagged_and_nothing_else_in_tagged_reports(
    filings: Path, documents: dict[str, dict[str, Any]]
) -> None:
    for name, document in documents.items():
        failed = {check["name"] for check in document["checks"] if not check["passed"]}
        flaw = gold_of(filings, name).get("flaw")
        if flaw:
            assert flaw in failed, name
        elif document["kind"] in ("ixbrl", "xbrl"):
            assert not failed, name

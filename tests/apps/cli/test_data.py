"""`assay data make fraud` and `series`: files, help, and one line for what cannot be made."""

import json
from pathlib import Path

import pytest

from apps.cli import run
from data.tables import read_table

KINDS = {"fraud": ("transactions.csv", 5_000), "series": ("prices.csv", 250)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_made_with_a_readme_and_named_in_json(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, rows = KINDS[kind]
    out = tmp_path / "made" / kind
    assert run(["data", "make", kind, "--out", str(out), "--rows", str(rows), "--seed", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["seed"]) == (kind, 3)
    assert {Path(path).name for path in told["files"]} == {path.name for path in out.iterdir()} >= {name, "README.md"}
    assert len(read_table(out / name).frame) == rows
    words = (out / "README.md").read_text(encoding="utf-8")
    assert f"assay data make {kind} --rows {rows} --seed 3" in words
    assert "NEVER A FEATURE" in words
    assert all(f"| {column}" in words or column in ("high", "low", "close") for column in read_table(out / name).frame)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", ["0", "-7", "40", "1e4", "999999999"])
def test_bad_rows_give_one_clear_line(kind: str, rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "make", kind, "--out", str(tmp_path / "made"), "--rows", rows]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "rows" in lines[0]
    assert not list(tmp_path.glob("made/*"))


def test_the_help_says_what_each_kind_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "make", "--help"]) == 0
    words = capsys.readouterr().out
    for kind in ("credit", "fraud", "reports", "surfaces", "series"):
        assert f"{kind}:" in words
    assert "assay data make fraud --out" in words


def test_the_kind_of_fraud_is_named_as_leakage_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "make", "fraud", "--out", str(tmp_path), "--rows", "20000"]) == 0
    capsys.readouterr()
    file = str(tmp_path / "transactions.csv")
    assert run(["data", "check", file, "--target", "is_fraud", "--id", "transaction_id", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {finding["column"] for finding in found} == {"fraud_kind"}

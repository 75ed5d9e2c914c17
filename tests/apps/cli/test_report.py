"""`assay report extract`: tables for people, JSON for programs, exit codes for scripts."""

import json
from pathlib import Path

import pytest

from apps.cli import run
from tests.pipelines.finance.reports.tags.inline_pages import number, page

ROWS = {"Total revenues": "Revenues", "Operating income": "OperatingIncomeLoss", "Net income": "NetIncomeLoss"}


def write(path: Path, profit: str = "7") -> Path:
    cells = "".join(
        f"<tr><td>{words}</td><td>{number(profit, f'us-gaap:{name}', scale='6')}</td></tr>"
        for words, name in ROWS.items()
    )
    path.write_bytes(page(f"<table>{cells}</table>"))
    return path


def test_a_report_is_printed_as_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "extract", str(write(tmp_path / "a.htm"))]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "item\tas written\t2024-12-31 (12 m)"
    assert printed[1] == "Revenue\tTotal revenues\t7,000,000"
    assert "statements_found\tno balance sheet, no cash flow statement was found" in "\n".join(printed)


def test_json_is_one_document_for_a_file_and_a_list_for_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(write(tmp_path / name)) for name in ("a.htm", "b.htm")]
    assert run(["report", "extract", paths[0], "--json", "--features"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["statements"]["income"][0]["value"] == "7000000"
    assert alone["features"]["net_margin"]["value"] == 1.0
    for wanted in ([*paths], [str(tmp_path)]):
        assert run(["report", "extract", *wanted, "--json", "--jobs", "1"]) == 0
        assert [document["file"] for document in json.loads(capsys.readouterr().out)] == paths


def test_a_bad_file_is_told_on_stderr_and_the_others_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a.htm")
    (tmp_path / "b.pdf").write_bytes(b"GIF89a")
    assert run(["report", "extract", str(tmp_path), "--json", "--jobs", "1"]) == 0
    printed = capsys.readouterr()
    assert [("error" in document) for document in json.loads(printed.out)] == [False, True]
    assert printed.err.startswith(f"assay: {tmp_path / 'b.pdf'}: a picture")
    assert run(["report", "extract", str(tmp_path), "--jobs", "1"]) == 0
    assert "could not be read" in capsys.readouterr().out


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_it_is_bad_input_only_if_no_file_could_be_read(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.htm"
    path.write_bytes(b"")
    assert run(["report", "extract", str(path), *options]) == 2
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [f"assay: {path}: an empty file; give a report"]
    assert not options or "error" in json.loads(printed.out)


@pytest.mark.parametrize("arguments", [["missing.htm"], ["--out", "FILE", "FILE"], ["--jobs", "0", "FILE"], []])
def test_bad_usage_is_one_line(tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path / "a.htm"))
    assert run(["report", "extract", *(path if word == "FILE" else word for word in arguments)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_documents_are_kept_in_a_folder_under_names_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    sources = [str(write(tmp_path / "a.htm")), str(write(tmp_path / "one" / "a.htm", "9"))]
    assert run(["report", "extract", *sources, "--out", str(tmp_path / "out"), "--jobs", "1"]) == 0
    kept = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()}
    assert {name: document["facts"][0]["value"] for name, document in kept.items()} == {
        "a.htm.json": "7000000",
        "a.htm-2.json": "9000000",
    }


def test_a_report_of_another_company_is_shown_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "extract", str(write(tmp_path / "a.htm")), "--company", "Globex"]) == 0
    assert "company_matches\tsaid to be of Globex; the report names Acme Holdings Inc." in capsys.readouterr().out

"""`assay report extract`: tables for people, JSON for programs, exit codes for scripts."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from apps.cli import report, run
from pipelines.finance.reports.batch import Wish, read_all
from pipelines.finance.reports.document import Document
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


def test_json_beside_a_folder_says_what_was_written_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [str(write(tmp_path / "a.htm")), str(tmp_path / "b.htm")]
    Path(sources[1]).write_bytes(b"")
    out = tmp_path / "out"
    assert run(["report", "extract", *sources, "--out", str(out), "--json", "--jobs", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["reports"], told["failed"]) == (2, 1)
    assert [one["written"] for one in told["files"]] == [str(out / "a.htm.json"), str(out / "b.htm.json")]
    assert "empty file" in told["files"][1]["error"]
    assert "statements" not in json.dumps(told)


@pytest.mark.parametrize(("read", "printed"), [(0, None), (2, ["a.htm", "b.htm"])])
def test_ctrl_c_is_one_line_and_leaves_whole_json(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    read: int,
    printed: list[str] | None,
) -> None:
    sources = [str(write(tmp_path / name)) for name in ("a.htm", "b.htm", "c.htm")]

    def stopped(wishes: Sequence[Wish], jobs: int) -> Iterator[Document]:
        yield from read_all(wishes[:read], jobs)
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "read_all", stopped)
    assert run(["report", "extract", *sources, "--json", "--jobs", "1"]) == 130
    done = capsys.readouterr()
    assert done.err == "assay: stopped by Ctrl-C\n"
    found = None if not done.out else [Path(document["file"]).name for document in json.loads(done.out)]
    assert found == printed


def test_ctrl_c_ends_the_processes_that_read(tmp_path: Path) -> None:
    for place in range(2_000):
        write(tmp_path / f"{place:04d}.htm")
    command = [sys.executable, "-m", "apps.cli", "report", "extract", str(tmp_path), "--json", "--jobs", "2"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as batch:
        assert batch.stdout is not None
        first = batch.stdout.readline()
        os.killpg(batch.pid, signal.SIGINT)  # as a terminal does: every process of the group
        rest, err = batch.communicate(timeout=30)
    assert batch.returncode == 130
    assert err == "assay: stopped by Ctrl-C\n"
    assert 0 < len(json.loads(first + rest)) < 2_000


def test_a_report_of_another_company_is_shown_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "extract", str(write(tmp_path / "a.htm")), "--company", "Globex"]) == 0
    assert "company_matches\tsaid to be of Globex; the report names Acme Holdings Inc." in capsys.readouterr().out


def test_rules_of_ones_own_and_the_report_of_the_year_before_join_the_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report_path, last = write(tmp_path / "a.htm"), tmp_path / "last.txt"
    told = "".join(f"In part {at} of the year orders grew and the plant ran without a stop. " for at in range(60))
    report_path.write_bytes(report_path.read_bytes().replace(b"<table>", f"<p>{told}</p><table>".encode()))
    last.write_text(told.replace("grew", "fell"))
    rules = tmp_path / "mine.csv"
    rules.write_text(
        "name,group,formula,unit,direction,en,zh,source\n"
        "twice,profitability,2 * net_income,currency,higher_is_safer,twice the profit,两倍净利润,ours\n"
    )
    words = ["report", "extract", str(report_path), "--json", "--features"]
    assert run(words) == 0
    alone = json.loads(capsys.readouterr().out)["features"]
    assert "twice" not in alone
    assert run([*words, "--rules", str(rules), "--last", str(last)]) == 0
    joined = json.loads(capsys.readouterr().out)["features"]
    assert joined["twice"]["value"] == 14_000_000
    changed = {name for name in alone if alone[name] != joined[name]}
    assert 0 < joined["text_change"]["value"] <= 1
    assert all(name.startswith("text_") for name in changed)


def test_a_table_of_peers_ranks_the_features(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report_path, peers = write(tmp_path / "a.htm"), tmp_path / "peers.csv"
    rows = [f"100,{profit}" for profit in range(1, 101)]  # margins of .01 to 1.00; the report's own is 1
    peers.write_text("\n".join(["revenue,net_income", *rows]) + "\n")
    words = ["report", "extract", str(report_path), "--json", "--features"]
    assert run(words) == 0
    alone = json.loads(capsys.readouterr().out)["features"]["net_margin_percentile"]
    assert alone["value"] is None
    assert alone["missing"]
    assert run([*words, "--peers", str(peers)]) == 0
    features = json.loads(capsys.readouterr().out)["features"]
    assert features["net_margin_percentile"]["value"] > 0.98
    assert features["current_ratio_percentile"]["value"] is None
    peers.write_text("\n".join(["revenue,net_income", *(f"100,{profit}" for profit in range(51, 151))]) + "\n")
    assert run([*words, "--peers", str(peers)]) == 0
    assert 0.4 < json.loads(capsys.readouterr().out)["features"]["net_margin_percentile"]["value"] < 0.6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--peers", "FILE"], "add --features"),
        (["--last", "FILE"], "add --features"),
        (["--features", "--last", "FILE", "FILE2"], "give one"),
        (["--features", "--rules", "FILE"], "a.htm"),
    ],
)
def test_options_of_features_that_make_no_sense_are_refused(
    tmp_path: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {"FILE": str(write(tmp_path / "a.htm")), "FILE2": str(write(tmp_path / "b.htm"))}
    assert run(["report", "extract", paths["FILE"], *(paths.get(word, word) for word in options)]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert len(printed.err.strip().splitlines()) == 1

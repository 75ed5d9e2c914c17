"""Folders of reports: what counts as one, several processes, and a bad file that stops nothing."""

from pathlib import Path

import pytest

from core.errors import InputError
from pipelines.finance.reports.batch import Wish, read_all, read_one, reports_in
from tests.pipelines.finance.reports.tags.inline_pages import MEMBERS, number, page


def report(path: Path) -> Path:
    path.write_bytes(page(f"<table><tr><td>Total assets</td><td>{number('5', 'us-gaap:Assets', contextRef='i')}</td></tr></table>"))  # fmt: skip  # noqa: E501
    return path


def package(folder: Path) -> Path:
    folder.mkdir()
    for name, content in MEMBERS.items():
        (folder / name).write_text(content)
    return folder


def test_a_folder_is_its_reports_and_a_package_in_it_is_one(tmp_path: Path) -> None:
    inner = tmp_path / "2024"
    inner.mkdir()
    wanted = [report(inner / "a.htm"), package(inner / "acme"), report(tmp_path / "b.htm.gz")]
    (tmp_path / "notes.docx").write_text("x")
    (tmp_path / ".hidden.htm").write_text("x")
    assert reports_in([tmp_path]) == wanted
    assert reports_in([wanted[1], wanted[0], wanted[0]]) == [wanted[1], wanted[0]]


def test_a_loop_of_links_is_not_followed(tmp_path: Path) -> None:
    only = report(tmp_path / "a.htm")
    (tmp_path / "again").symlink_to(tmp_path)
    assert reports_in([tmp_path]) == [only]


@pytest.mark.parametrize(("name", "words"), [("missing.htm", "is not there"), ("empty", "holds no report")])
def test_nothing_to_read_is_an_error_that_says_so(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=words):
        reports_in([tmp_path / name])


def test_a_package_in_a_folder_is_read_as_one_report(tmp_path: Path) -> None:
    document = read_one(Wish(package(tmp_path / "acme")))
    assert (document["kind"], document["company"]) == ("xbrl", "Acme Holdings Inc.")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bad_file_stops_nothing_and_the_order_is_kept(tmp_path: Path, jobs: int) -> None:
    sources = [report(tmp_path / f"{number}.htm") for number in range(4)]
    sources[1].write_bytes(b"\x89PNG\r\n")
    documents = list(read_all([Wish(source, facts=False) for source in sources], jobs))
    assert [document["file"] for document in documents] == [str(source) for source in sources]
    assert ["error" in document for document in documents] == [False, True, False, False]
    assert documents[1]["error"].startswith(f"{sources[1]}: a picture")
    assert documents[0]["facts"] == []


def test_a_file_that_goes_away_is_an_error_of_that_file(tmp_path: Path) -> None:
    assert "cannot be read" in read_one(Wish(tmp_path / "gone.htm"))["error"]

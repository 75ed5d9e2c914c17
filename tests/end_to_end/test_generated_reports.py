"""Made-up reports in every form, read by the command line: what was made is what is read."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

FORMS = (
    "10k.htm",
    "xbrl.zip",
    "companyfacts.json",
    "untagged.htm",
    "annual.html",
    "print.pdf",
    "statements.xlsx",
    "statements.csv",
    "text.txt",
    "lines.json.txt",
)
Pair = tuple[dict[str, Any], dict[str, Any]]  # gold, what was read


@pytest.fixture(scope="module")
def read(house, tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    folder = tmp_path_factory.mktemp("generated")
    house.assay("data", "make", "reports", "--out", folder, "--rows", 200, "--seed", 5)
    reports = sorted((folder / "filings").iterdir())
    house.assay("report", "extract", *reports, "--out", folder / "read", "--jobs", 2)
    return [
        (_json(folder / "gold" / f"{path.name}.gold.json"), _json(folder / "read" / f"{path.name}.json"))
        for path in reports
    ]


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def of(read: list[Pair], form: str) -> Iterator[Pair]:
    pairs = [pair for pair in read if pair[0]["file"].endswith(f"_{form}")]
    assert pairs, f"no file ends in {form}"
    return iter(pairs)


@pytest.mark.parametrize("form", FORMS)
def test_every_figure_is_read_under_its_item_period_and_scope(read: list[Pair], form: str) -> None:
    for gold, document in of(read, form):
        found: dict[tuple[str, ...], set[Decimal]] = {}
        for name, lines in document["statements"].items():
            for line in lines:
                key = (name, line["scope"], line["item"], line["period_end"])
                found.setdefault(key, set()).add(Decimal(line["value"]))
        wrong = [
            (one["words"], one["item"], one["period_end"], one["value"], found.get(key))
            for one in gold["values"]
            for key in [(one["statement"], one["scope"], one["item"], one["period_end"])]
            if found.get(key) != {Decimal(one["value"])}
        ]
        assert not wrong, f"{gold['file']} {gold['unit_words']}: {len(wrong)} of {len(gold['values'])}: {wrong[:3]}"


@pytest.mark.parametrize("form", ["10k.htm", "xbrl.zip", "companyfacts.json"])
def test_every_fact_is_read_and_none_invented(read: list[Pair], form: str) -> None:
    def told(facts: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
        parts = ("concept", "value", "unit", "start", "end", "instant")
        return {(*(fact[part] for part in parts), *fact["dimensions"].items()) for fact in facts}

    for gold, document in of(read, form):
        assert told(document["facts"]) == told(gold["facts"]), gold["file"]


def test_company_form_period_and_kind_are_those_of_the_cover(read: list[Pair]) -> None:
    for gold, document in read:
        known = ("kind", "language", "period_end")
        known += () if gold["kind"] == "sheet" else ("company", "form", "currency")
        assert {name: document[name] for name in known} == {name: gold[name] for name in known}, gold["file"]


def test_every_section_is_found(read: list[Pair]) -> None:
    for gold, document in read:
        assert set(gold["sections"]) <= {section["name"] for section in document["sections"]}, gold["file"]


def test_a_misprint_is_flagged_and_a_sound_report_is_not(read: list[Pair]) -> None:
    flaws = 0
    for gold, document in read:
        failed = [check["name"] for check in document["checks"] if not check["passed"]]
        if gold["flaw"]:
            flaws += 1
            assert gold["flaw"] in failed, (gold["file"], failed)
        else:
            assert not failed, (gold["file"], failed)
    assert flaws == 2

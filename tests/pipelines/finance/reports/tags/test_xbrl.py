from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import InputError
from data.finance.reports import Fact
from pipelines.finance.reports.tags.linkbases import Shown, Term
from pipelines.finance.reports.tags.xbrl import read_instance, read_package
from tests.pipelines.finance.reports.tags.inline_pages import INSTANCE, MEMBERS, arc, link, number, page, zipped

ROLE = "http://acme.test/role/Balance"


def by_concept() -> dict[str, Fact]:
    report = read_instance(INSTANCE.encode(), "acme.xml")
    return {fact.concept: fact for fact in (*report.facts, *report.texts)}


def package(**changed: str) -> bytes:
    return zipped({**MEMBERS, **{name.replace("_xml", ".xml"): content for name, content in changed.items()}})


def test_facts_of_an_instance_are_read_with_period_unit_and_dimensions() -> None:
    facts = by_concept()
    assets = facts["us-gaap:Assets"]
    assert (assets.value, assets.unit, assets.decimals, assets.instant) == (
        Decimal(1500000),
        "USD",
        "-3",
        date(2024, 12, 31),
    )
    assert assets.source.element == "a1"
    ships = facts["acme:Ships"]
    assert ships.dimensions == {"acme:RegionAxis": "acme:NorthMember", "acme:StartAxis": "2025-01-01"}
    assert facts["us-gaap:Commitments"].value is None


def test_precision_is_turned_into_decimals() -> None:
    assert by_concept()["us-gaap:Cash"].decimals == "-3"


def test_passages_lose_their_markup() -> None:
    assert by_concept()["acme:PolicyTextBlock"].value == "We count ships."


def test_zip_file_folder_and_bytes_give_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    for name, content in MEMBERS.items():
        (folder / name).write_text(content, encoding="utf-8")
    (tmp_path / "acme.zip").write_bytes(package())
    read = [read_package(source) for source in (folder, tmp_path / "acme.zip", package())]
    assert all(one.report.facts == read[0].report.facts for one in read)
    assert all(one.links == read[0].links for one in read)
    assert (read[0].report.company, read[0].report.currency, read[0].report.kind) == (
        "Acme Holdings Inc.",
        "USD",
        "xbrl",
    )


def test_labels_go_by_role_and_prefer_english() -> None:
    links = read_package(package()).links
    assert links.label("us-gaap:Cash") == "Cash on hand"
    assert links.label("us-gaap:Cash", "totalLabel") == "All cash"
    assert links.label("us-gaap:Cash", "no such role") == "Cash on hand"
    assert links.label("us-gaap:Assets") is None


def test_the_presentation_is_a_tree_in_the_order_of_display() -> None:
    links = read_package(package()).links
    assert links.roles == {ROLE: "01 - Statement - Balance"}
    assert links.presentation[ROLE] == (
        Shown("us-gaap:Assets", None, 0, None),
        Shown("us-gaap:Cash", "us-gaap:Assets", 1, "totalLabel"),
        Shown("acme:Ships", "us-gaap:Assets", 1, None),
    )


def test_the_calculation_has_weights() -> None:
    assert read_package(package()).links.calculation == {ROLE: (Term("us-gaap:Assets", "us-gaap:Cash", Decimal(-1)),)}


def test_prohibited_arcs_are_taken_out() -> None:
    arcs = arc("presentation", "us-gaap_Assets", "us-gaap_Cash", order="1") + arc(
        "presentation", "us-gaap_Assets", "us-gaap_Cash", order="1", use="prohibited", priority="2"
    )
    links = read_package(package(acme_pre_xml=link("presentation", arcs))).links
    assert links.presentation[ROLE] == ()


def test_a_presentation_in_a_circle_ends() -> None:
    pairs = (("us-gaap_Assets", "us-gaap_Cash"), ("us-gaap_Cash", "acme_Ships"), ("acme_Ships", "us-gaap_Cash"))
    arcs = "".join(arc("presentation", source, target) for source, target in pairs)
    links = read_package(package(acme_pre_xml=link("presentation", arcs))).links
    assert [row.concept for row in links.presentation[ROLE]] == ["us-gaap:Assets", "us-gaap:Cash", "acme:Ships"]


def test_a_presentation_that_doubles_at_every_level_is_refused() -> None:
    names = [f"a_{level}{side}" for level in range(30) for side in "lr"]
    locators = "".join(f'<link:loc xlink:type="locator" xlink:href="#{name}" xlink:label="{name}"/>' for name in names)
    arcs = "".join(
        arc("presentation", f"a_{level}{source}", f"a_{level + 1}{target}")
        for level in range(29)
        for source in "lr"
        for target in "lr"
    )
    broad = read_package(package(acme_pre_xml=link("presentation", locators + arcs)))
    with pytest.raises(InputError, match="rows") as caught:
        _ = broad.links
    assert caught.value.code == "TOO_LARGE"


def test_a_damaged_linkbase_does_not_hide_the_facts() -> None:
    damaged = read_package(package(acme_lab_xml=MEMBERS["acme_lab.xml"][:-30]))
    assert len(damaged.report.facts) == 4
    with pytest.raises(InputError, match=r"acme_lab\.xml"):
        _ = damaged.links


def test_a_package_of_inline_pages_is_read_as_one_report() -> None:
    second = page(number("2", contextRef="late"), resources="").replace(b"late", b"i")
    read = read_package(
        zipped({"reports/a.xhtml": page(number("1")), "reports/b.xhtml": second, "acme.xsd": MEMBERS["acme.xsd"]})
    )
    assert [str(fact.value) for fact in read.report.facts] == ["1", "2"]
    assert read.report.kind == "ixbrl"


@pytest.mark.parametrize("members", [{"a.xml": "<a/>"}, {"acme.xsd": MEMBERS["acme.xsd"]}, {"a.htm": "<html/>"}, {}])
def test_a_package_without_an_instance_is_refused(members: dict[str, str]) -> None:
    with pytest.raises(InputError, match="no XBRL instance"):
        read_package(zipped(dict(members)))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('<us-gaap:X contextRef="no" unitRef="usd">1</us-gaap:X>', "no context"),
        ('<us-gaap:X contextRef="i" unitRef="no">1</us-gaap:X>', "no unit"),
        ('<us-gaap:X contextRef="i" unitRef="usd">many</us-gaap:X>', "no number"),
        ('<us-gaap:X contextRef="i" unitRef="usd">1e999999999</us-gaap:X>', "no number"),
        ('<us-gaap:X contextRef="i" unitRef="usd">NaN</us-gaap:X>', "no number"),
    ],
)
def test_facts_of_an_instance_that_cannot_be_read_are_said(line: str, reason: str) -> None:
    report = read_instance(INSTANCE.replace("</xbrli:xbrl>", line + "</xbrli:xbrl>").encode(), "acme.xml")
    assert reason in report.checks[0].detail
    assert not report.checks[0].passed


def test_facts_inside_tuples_are_found() -> None:
    inside = '<acme:Loan><acme:Rate contextRef="i" unitRef="pure">5</acme:Rate></acme:Loan></xbrli:xbrl>'
    report = read_instance(INSTANCE.replace("</xbrli:xbrl>", inside).encode(), "acme.xml")
    assert report.facts[-1].concept == "acme:Rate"


def test_another_root_is_no_instance() -> None:
    with pytest.raises(InputError, match="not an XBRL instance"):
        read_instance(b"<html/>", "x.xml")

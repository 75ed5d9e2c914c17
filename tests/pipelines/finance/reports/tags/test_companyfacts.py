import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from core.errors import InputError
from pipelines.finance.reports.tags.companyfacts import read_companyfacts


def row(val: object, end: str = "2024-12-31", filed: str = "2025-02-01", **more: object) -> dict[str, Any]:
    return {"end": end, "val": val, "accn": "0001-25-01", "fy": 2024, "fp": "FY", "form": "10-K", "filed": filed} | more


def facts_json(*rows: object, unit: str = "USD") -> bytes:
    document = {
        "cik": 1,
        "entityName": "ACME",
        "facts": {"us-gaap": {"Assets": {"label": "A", "units": {unit: list(rows)}}}},
    }
    return json.dumps(document).encode()


def test_figures_keep_their_period_unit_and_filing() -> None:
    report = read_companyfacts(facts_json(row(1.1, start="2024-01-01"), row(5)), "acme.json")
    flow, level = report.facts
    assert (flow.concept, flow.value, flow.unit) == ("us-gaap:Assets", Decimal("1.1"), "USD")
    assert (flow.start, flow.end, flow.instant) == (date(2024, 1, 1), date(2024, 12, 31), None)
    assert (level.instant, level.end) == (date(2024, 12, 31), None)
    assert level.source.element == "0001-25-01 10-K 2024 FY"
    assert (report.company, report.form, report.period_end, report.currency) == (
        "ACME",
        "10-K",
        date(2024, 12, 31),
        "USD",
    )


def test_later_filings_come_later() -> None:
    report = read_companyfacts(facts_json(row(2, filed="2026-01-01"), row(1, filed="2025-01-01")), "acme.json")
    assert [str(fact.value) for fact in report.facts] == ["1", "2"]


def test_large_numbers_stay_exact() -> None:
    assert read_companyfacts(facts_json(row(12345678901234567890)), "a").facts[0].value == Decimal(
        "12345678901234567890"
    )


@pytest.mark.parametrize("value", [None, "12", True, [1], 10**300])
def test_what_is_no_figure_is_left_out_and_said(value: object) -> None:
    report = read_companyfacts(facts_json(row(value), row(1, end="soon"), "text", row(7)), "acme.json")
    assert [str(fact.value) for fact in report.facts] == ["7"]
    assert not report.checks[0].passed
    assert report.checks[0].detail.startswith("3 not readable")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "BAD_JSON"),
        (b"{", "BAD_JSON"),
        (b"[]", "BAD_JSON"),
        (b'{"facts": []}', "BAD_JSON"),
        (b'{"facts": {}, "x": NaN}', "BAD_JSON"),
        (b"[" * 200_000, "TOO_DEEP"),
        (b"1" * 10_000, "BAD_JSON"),
    ],
)
def test_what_is_no_company_facts_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        read_companyfacts(content, "x.json")
    assert caught.value.code == code

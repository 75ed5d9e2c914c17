"""Real filings: revenue, net income, total assets and operating cash flow of each, against the tagged facts."""

import csv
import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from data.finance.reports import Report
from pipelines.finance.reports.extract import extract

pytestmark = pytest.mark.realdata
REPORTS = Path("data/finance/reports")
EXPECTED = {  # the tags that each of these items has in American filings; the total goes before its part
    "revenue": ("Revenues", "RevenueFromContractWithCustomerExcludingAssessedTax"),
    "net_income": ("ProfitLoss", "NetIncomeLoss"),
    "total_assets": ("Assets",),
    "operating_cash_flow": ("NetCashProvidedByUsedInOperatingActivities",),
}


def gold_values(path: Path, report: Report) -> dict[str, Decimal]:
    """The item's value in the longest period that ends on the report's day, without dimensions."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if not row["dimensions"] and row["value"]]
    found = {}
    for item, names in EXPECTED.items():
        for name in reversed(names):
            own = [row for row in rows if row["concept"] == f"us-gaap:{name}"]
            own = [row for row in own if (row["end"] or row["instant"]) == str(report.period_end)]
            if own:
                found[item] = Decimal(min(own, key=lambda row: row["start"])["value"])
    return found


def own_values(report: Report) -> dict[str, Decimal]:
    lines = [line for rows in report.statements.values() for line in rows if line.period_end == report.period_end]
    return {line.item: line.value for line in sorted(lines, key=lambda line: line.months or 0) if line.item in EXPECTED}


def failed(report: Report) -> list[str]:
    return [check.name for check in report.checks if not check.passed]


def test_the_key_figures_of_all_filings_are_right_and_their_sums_hold(realdata: Path) -> None:
    for path in sorted((realdata / REPORTS / "sec_ixbrl").iterdir()):
        report = extract(path)
        name = path.name.removesuffix(".htm.gz")
        if not any(report.statements.values()):  # a wrapper around an annual report in another document
            assert failed(report) == ["statements_found"]
            continue
        gold = gold_values(realdata / REPORTS / "gold_facts" / f"{name}.facts.csv.gz", report)
        own = own_values(report)
        assert {item: own.get(item) for item in gold} == gold, name
        assert failed(report) == [], name


def test_packages_give_all_three_statements_whose_sums_hold(realdata: Path) -> None:
    for path in sorted((realdata / REPORTS / "sec_xbrl").iterdir()):
        report = extract(path)
        assert all(report.statements.values()), path.name
        assert failed(report) == [], path.name
        assert {"net_income", "total_assets", "operating_cash_flow"} <= own_values(report).keys(), path.name


def test_company_facts_give_every_year(realdata: Path) -> None:
    report = extract(next((realdata / REPORTS / "companyfacts").iterdir()))
    years = {line.period_end.year for line in report.statements["income"] if line.months == 12}
    assert len(years) >= 5
    assert failed(report) == []
    assert report.period_end is not None
    assert report.period_end >= date(2025, 1, 31)

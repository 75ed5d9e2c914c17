"""The filings of the data folder: every fact of the independent reader, none besides; nothing heavy is imported."""

import csv
import gzip
import subprocess
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from data.finance.reports import Fact, iso
from pipelines.finance.reports.tags.companyfacts import read_companyfacts
from pipelines.finance.reports.tags.ixbrl import read_ixbrl
from pipelines.finance.reports.tags.xbrl import read_package

pytestmark = pytest.mark.realdata
Row = tuple[str, Decimal | None, str | None, str, str, str, str, frozenset[str]]
ALONE = """
import sys
from pathlib import Path
from pipelines.finance.reports.tags.ixbrl import read_ixbrl
from pipelines.finance.reports.tags.xbrl import read_package
read_ixbrl(Path(sys.argv[1]).read_bytes(), "x")
read_package(Path(sys.argv[2])).links
print(sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "pandas", "numpy", "scipy", "lightgbm"}))
"""


@pytest.fixture(scope="module")
def reports(realdata: Path) -> Path:
    return realdata / "data/finance/reports"


def found(facts: Iterable[Fact]) -> set[Row]:
    return {
        (
            fact.concept,
            fact.value if isinstance(fact.value, Decimal) else None,
            fact.unit,
            fact.decimals or "",
            iso(fact.start) or "",
            iso(fact.end) or "",
            iso(fact.instant) or "",
            frozenset(f"{axis}={member}" for axis, member in fact.dimensions.items()),
        )
        for fact in facts
    }


def gold(path: Path) -> set[Row]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return {
            (
                row["concept"],
                Decimal(row["value"]) if row["value"] else None,
                row["unit"],
                row["decimals"],
                row["start"],
                row["end"],
                row["instant"],
                frozenset(row["dimensions"].split(";")) if row["dimensions"] else frozenset(),
            )
            for row in csv.DictReader(lines)
        }


def test_every_gold_fact_is_found_and_none_invented(reports: Path) -> None:
    files = sorted((reports / "sec_ixbrl").glob("*.htm.gz"))
    assert len(files) == 20
    for file in files:
        report = read_ixbrl(file.read_bytes(), file.name)
        name = file.name.removesuffix(".htm.gz")
        assert found(report.facts) == gold(reports / "gold_facts" / f"{name}.facts.csv.gz"), name
        assert all(check.passed for check in report.checks if check.name == "every_fact_is_readable"), name
        assert report.company is not None, name
        assert report.form in ("10-K", "10-Q"), name
        assert report.period_end is not None, name
        assert report.currency == "USD" or len(report.facts) < 50, name


def test_the_danish_page_is_read_with_company_period_and_currency(reports: Path) -> None:
    (file,) = (reports / "esef_ixbrl").glob("*.xhtml.gz")
    report = read_ixbrl(file.read_bytes(), file.name)
    assert len(report.facts) == 122
    assert (report.currency, iso(report.period_end)) == ("DKK", "2023-12-31")
    assert all(check.passed for check in report.checks)


def test_every_package_gives_facts_and_the_trees_of_its_statements(reports: Path) -> None:
    for file in sorted((reports / "sec_xbrl").glob("*.zip")):
        package = read_package(file)
        assert all(check.passed for check in package.report.checks if check.name == "every_fact_is_readable"), file.name
        shown = {row.concept for rows in package.links.presentation.values() for row in rows}
        assert {fact.concept for fact in package.report.facts} <= shown, file.name
        assert {"us-gaap:Assets", "us-gaap:LiabilitiesAndStockholdersEquity"} <= set(package.links.labels), file.name
        assert any("us-gaap:Assets" in {term.total for term in terms} for terms in package.links.calculation.values())


def test_company_facts_are_read(reports: Path) -> None:
    (file,) = (reports / "companyfacts").glob("*.json.gz")
    report = read_companyfacts(file.read_bytes(), file.name)
    assert (len(report.facts), report.company, report.currency) == (8163, "SNOWFLAKE INC.", "USD")
    assert all(check.passed for check in report.checks)


def test_reading_imports_nothing_heavy(reports: Path) -> None:
    page = next((reports / "sec_ixbrl").glob("oracle*"))
    package = next((reports / "sec_xbrl").glob("nflx-10k-2009*"))
    child = subprocess.run(
        [sys.executable, "-c", ALONE, str(page), str(package)], capture_output=True, text=True, check=True
    )
    assert child.stdout.strip() == "[]"

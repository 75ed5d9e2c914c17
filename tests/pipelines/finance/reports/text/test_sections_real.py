"""Sections of real filings and reports: where they begin and about how long they are, as read by eye."""

import re
import time
from pathlib import Path

import pytest

from data.finance.reports import Report, Section
from pipelines.finance.reports.extract import extract
from pipelines.finance.reports.text.sections import find_sections

pytestmark = pytest.mark.realdata
# thousands of characters of the item, its heading included; read off the filings
LENGTHS: dict[str, dict[str, float]] = {
    "aapl-10-k-2024-11-01": {"business": 16, "risk_factors": 69, "mdna": 16, "legal_proceedings": 4.3},
    "aapl-10-q-2025-08-01": {"risk_factors": 1, "mdna": 20, "legal_proceedings": 5.5},
    "abbv-10-k-2025-02-14": {"business": 71, "risk_factors": 59, "mdna": 63, "legal_proceedings": 0.3},
    "adbe-10-k-2025-01-13": {"business": 92, "risk_factors": 66, "mdna": 49, "legal_proceedings": 0.2},
    "aeon-10-q-2023-09-30": {"risk_factors": 0.4, "mdna": 92, "legal_proceedings": 0.6},
    "ba-10-k-2025-02-03": {"business": 18, "risk_factors": 58, "mdna": 91, "legal_proceedings": 0.14},
    "ba-10-q-2025-07-29": {"risk_factors": 4.4, "mdna": 52, "legal_proceedings": 0.26},
    "googl-10-k-2025-02-05": {"business": 31, "risk_factors": 83, "mdna": 58, "legal_proceedings": 0.27},
    "ibm-10-q-2025-07-24": {"mdna": 104, "legal_proceedings": 0.08},
    "jnj-10-k-2025-02-13": {"business": 32, "risk_factors": 41, "mdna": 68, "legal_proceedings": 0.24},
    "meta-10-k-2025-01-30": {"business": 40, "risk_factors": 189, "mdna": 62, "legal_proceedings": 32},
    "nflx-10-k-2025-01-27": {"business": 11, "risk_factors": 70, "mdna": 34, "legal_proceedings": 0.39},
    "nke-10-k-2025-07-17": {"business": 38, "risk_factors": 97, "mdna": 71, "legal_proceedings": 0.38},
    "nvda-10-k-2025-02-26": {"business": 55, "risk_factors": 111, "mdna": 38, "legal_proceedings": 0.2},
    "nvda-10-q-2025-08-27": {"risk_factors": 31, "mdna": 33, "legal_proceedings": 0.38},
    "oracle-10-q": {"risk_factors": 0.69, "mdna": 61, "legal_proceedings": 0.34},
    "pg-10-k-2025-08-04": {"business": 14, "risk_factors": 38, "mdna": 93, "legal_proceedings": 1.9},
    "unp-10-k-2025-02-07": {"business": 28, "risk_factors": 33, "mdna": 57, "legal_proceedings": 4.4},
    "wfc-10-k-2025-02-25": {"business": 47, "risk_factors": 0.25, "mdna": 0.28, "legal_proceedings": 0.27},
    "wmt-10-k-2025-03-14": {"business": 40, "risk_factors": 97, "mdna": 60, "legal_proceedings": 5},
}
HEADS = {"business": "business", "risk_factors": "riskfactors", "mdna": "management'sdiscussion"}
HEADS |= {"legal_proceedings": "legalproceedings"}
NO_AUDIT = {"aapl-10-q-2025-08-01", "aeon-10-q-2023-09-30", "ibm-10-q-2025-07-24", "nvda-10-q-2025-08-27"}
NO_AUDIT |= {"oracle-10-q", "wfc-10-k-2025-02-25"}


def by_name(report: Report) -> dict[str, Section]:
    return {section.name: section for section in report.sections}


def head_of(report: Report, section: Section) -> str:
    words = report.text[section.start : section.start + 200].replace("’", "'").lower()
    return re.sub(r"^items?\d{1,2}[a-c]?[.:]*", "", re.sub(r"\s+", "", words))


@pytest.mark.parametrize("name", sorted(LENGTHS))
def test_the_items_of_a_filing_begin_at_their_headings_and_have_their_lengths(realdata: Path, name: str) -> None:
    report = extract(realdata / f"data/finance/reports/sec_ixbrl/{name}.htm.gz")
    found = by_name(report)
    for section, thousands in LENGTHS[name].items():
        assert head_of(report, found[section]).startswith(HEADS[section]), section
        length = found[section].end - found[section].start
        assert length == pytest.approx(1000 * thousands, rel=0.15, abs=60), section
    assert ("auditor_report" in found) == (name not in NO_AUDIT)
    if name.partition("-10-")[2].startswith("k"):
        assert sum(not section.name.startswith("auditor_report") for section in report.sections) == 23


def test_sections_of_a_filing_are_found_within_150_milliseconds(realdata: Path) -> None:
    report = extract(realdata / "data/finance/reports/sec_ixbrl/meta-10-k-2025-01-30.htm.gz")
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        find_sections(report.text, "en", report.form)
        seconds.append(time.process_time() - begin)
    assert min(seconds) < 0.15


@pytest.mark.parametrize(
    ("name", "risks", "mdna", "audit"),
    [
        ("002099_2019.html.gz", 870, 14_700, 3_700),
        ("300617_2019.html.gz", 820, 21_000, 2_800),
        ("300617_2019.txt.gz", 820, 21_000, 2_800),
        ("600201_2020.pdf", 570, 22_600, 3_300),
    ],
)
def test_the_parts_of_a_chinese_report_are_found(realdata: Path, name: str, risks: int, mdna: int, audit: int) -> None:
    report = extract(realdata / "data/finance/reports/zh_annual" / name)
    found = by_name(report)
    heads = {key: report.text[section.start : section.start + 30] for key, section in found.items()}
    assert "经营情况讨论与分析" in heads["mdna"]
    assert "风险" in heads["risk_factors"]
    assert "诉讼" in heads["legal_proceedings"]
    assert "业务概要" in heads["business"]
    assert "审计报告" in heads["auditor_report"]
    assert "会计师事务所" in heads["auditor_changes"]
    lengths = {key: section.end - section.start for key, section in found.items()}
    assert lengths["risk_factors"] == pytest.approx(risks, rel=0.2)
    assert lengths["mdna"] == pytest.approx(mdna, rel=0.2)
    assert lengths["auditor_report"] == pytest.approx(audit, rel=0.2)


def test_a_danish_annual_report_has_its_review_risks_and_auditor(realdata: Path) -> None:
    report = extract(realdata / "data/finance/reports/esef_ixbrl/dba-2025-valid-ixbrl-001.xhtml.gz")
    found = by_name(report)
    assert {"mdna", "risk_factors", "business", "auditor_report", "management_statement"} <= set(found)
    assert found["mdna"].start < found["risk_factors"].start < found["mdna"].end

"""The features of one report."""

import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import InputError
from data.finance.reports import Line, Place, Report, Scope, StatementName
from pipelines.finance.rules.from_report import panel_of_report, periods_of, report_features

NOW, BEFORE = date(2024, 9, 28), date(2023, 9, 30)


def line(item: str, value: str, end: date = NOW, months: int | None = None, scope: Scope = "consolidated") -> Line:
    return Line(item, item, Decimal(value), end, months, scope, "USD", Place(value))


def report(*lines: Line, statement: StatementName = "income", text: str = "", end: date | None = NOW) -> Report:
    return Report(
        file="r", kind="html", language="en", period_end=end, currency="USD", statements={statement: lines}, text=text
    )


def test_features_are_those_of_the_reports_own_period() -> None:
    lines = [line("revenue", "90", BEFORE, 12), line("revenue", "99", NOW, 12), line("total_assets", "198")]
    features = report_features(report(*lines))
    assert features["asset_turnover"] == {"value": 0.5, "missing": None}
    assert features["revenue_growth"]["value"] == pytest.approx(0.1)
    assert features["asset_growth"] == {"value": None, "missing": "no total_assets in 2023-09-30"}
    assert features["altman_z"]["missing"] == "no current_assets"
    assert features["text_words"]["missing"] == "the report has fewer than 200 words of running text"


def test_the_consolidated_lines_of_most_months_in_the_reports_currency_are_taken() -> None:
    lines = [
        line("revenue", "30", months=3),
        line("revenue", "90", months=9),
        line("revenue", "50", months=9, scope="parent"),
        Line("cash", "cash", Decimal(7), NOW, None, "consolidated", "EUR", Place("7")),
    ]
    (period,) = periods_of(report(*lines))
    assert period.values == {"revenue": Decimal(90)}
    assert float(panel_of_report(report(*lines)).values["revenue"][0]) == 120.0


def test_the_parent_company_stands_in_where_nothing_is_consolidated() -> None:
    (period,) = periods_of(report(line("cash", "7", scope="parent")))
    assert period.values == {"cash": Decimal(7)}


def test_without_a_stated_period_the_date_of_most_lines_is_the_reports() -> None:
    lines = [line("cash", "1", date(2025, 1, 31)), line("cash", "2"), line("inventory", "3"), line("cash", "4", BEFORE)]
    assert [period.end for period in periods_of(report(*lines, end=None))] == [NOW, date(2025, 1, 31), BEFORE]


def test_a_text_without_statements_has_its_wording() -> None:
    words = "The company expects weak demand and reports a loss in the quarter. " * 40
    features = report_features(Report(file="note.txt", kind="text", language="en", text=words))
    assert features["text_words"]["value"] > 400
    assert features["current_ratio"]["missing"] == "no current_assets"


def test_a_report_with_neither_text_nor_lines_is_refused() -> None:
    with pytest.raises(InputError, match="neither a statement line nor text"):
        report_features(Report(file="empty.pdf", kind="pdf", language="en"))


def test_reading_rules_for_a_report_imports_neither_torch_nor_pandas() -> None:
    code = "import sys, pipelines.finance.rules.from_report; print({'torch', 'pandas'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


@pytest.mark.realdata
def test_a_real_filing_gives_most_features(realdata: Path) -> None:
    from pipelines.finance.reports.extract import extract

    features = report_features(extract(realdata / "data/finance/reports/sec_ixbrl/aapl-10-k-2024-11-01.htm.gz"))
    known = {name: cell["value"] for name, cell in features.items() if cell["value"] is not None}
    assert len(known) > 250
    assert all(cell["missing"] for cell in features.values() if cell["value"] is None)
    assert known["current_ratio"] == pytest.approx(152987 / 176392)
    assert known["gross_margin"] == pytest.approx(180683 / 391035)

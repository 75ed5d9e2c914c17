"""Small made-up statements, each written in one way that reports write them."""

from decimal import Decimal

from data.finance.reports import Report
from pipelines.finance.reports.extract import extract_bytes


def report_of(text: str, name: str = "made-up.txt") -> Report:
    return extract_bytes(text.encode(), name)


def values_of(report: Report, statement: str, item: str) -> list[Decimal]:
    return [
        line.value
        for name, lines in report.statements.items()
        if name == statement
        for line in lines
        if line.item == item
    ]


LOSSES = """Acme Ltd

CONSOLIDATED STATEMENTS OF OPERATIONS
(in thousands, except per share data)
Years ended December 31,              2023        2022        2021
Revenue                              1,000         900         800
Operating loss                         (25)         40          30
Net loss                               (30)         25          20
Diluted loss per share               (0.30)       0.25        0.20
"""


def test_a_row_of_losses_with_both_signs_holds_profits_too() -> None:
    report = report_of(LOSSES)
    assert values_of(report, "income", "operating_income") == [-25000, 40000, 30000]
    assert values_of(report, "income", "net_income") == [-30000, 25000, 20000]
    assert values_of(report, "income", "eps_diluted") == [Decimal("-0.30"), Decimal("0.25"), Decimal("0.20")]


def test_a_row_of_losses_without_signs_holds_losses() -> None:
    report = report_of(LOSSES.replace("(25)", " 25 ").replace("(30)", " 30 "))
    assert values_of(report, "income", "net_income") == [-30000, -25000, -20000]


def test_the_unit_of_one_statement_is_not_that_of_another() -> None:
    report = report_of("""Acme plc

Consolidated income statement
for the year ended 31 March 2021
                              2021      2020
                                £m        £m
Revenue                      912.3     850.5
Gross profit                 372.2     350.5
Profit for the year          119.7     112.5

Consolidated balance sheet
at 31 March 2021
                              2021      2020
                             £'000     £'000
Total assets               1,050.0   1,000.0
Total liabilities            500.0     500.0
Total equity                 550.0     500.0
""")
    assert values_of(report, "income", "revenue") == [Decimal(912_300_000), Decimal(850_500_000)]
    assert values_of(report, "balance", "total_assets") == [1_050_000, 1_000_000]
    assert report.currency == "GBP"


def test_dollars_of_no_country_are_american_but_for_a_company_of_another_register() -> None:
    text = LOSSES.replace("(in thousands, except per share data)", "($'000)")
    assert report_of(text).currency == "USD"
    assert report_of(text.replace("Acme Ltd", "Acme Ltd ABN 12 345 678 901")).currency is None


def test_a_form_of_the_sec_without_a_currency_is_in_american_dollars() -> None:
    assert report_of(LOSSES).currency is None
    assert report_of("FORM 10-K\n" + LOSSES).currency == "USD"

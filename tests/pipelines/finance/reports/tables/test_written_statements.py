"""Small made-up statements, each written in one way that reports write them."""

from datetime import date
from decimal import Decimal

import pytest

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


def test_two_values_that_stand_under_no_heading_go_with_two_headings_in_order() -> None:
    report = report_of("""Acme Inc
FORM 10-K for the fiscal year ended December 31, 2023

CONSOLIDATED BALANCE SHEETS
(In thousands)
                          December 31, 2023    December 31, 2022
Total current assets   300   280
Total assets   800   750
Total liabilities   400   380
Total stockholders' equity   400   370

CONSOLIDATED STATEMENTS OF INCOME
(In thousands)
                                  2023        2022
Revenue     $ 500   $ 450
Cost of revenue     400     360
Gross profit                       100          90
Net income                          30          25
""")
    assert values_of(report, "balance", "current_assets") == [300_000, 280_000]
    assert values_of(report, "balance", "total_equity") == [400_000, 370_000]
    assert values_of(report, "income", "revenue") == [500_000, 450_000]
    assert values_of(report, "income", "net_income") == [30_000, 25_000]


def test_a_long_heading_that_pushes_its_values_aside_leaves_their_order() -> None:
    report = report_of("""甲股份有限公司2024年第三季度报告

合并资产负债表
2024年9月30日
单位：千元
项目                2024年9月30日      2023年12月31日
货币资金            120,000            100,000
流动资产合计        300,000            280,000
资产总计            800,000            750,000
负债合计            400,000            380,000
所有者权益（或股东权益）合计   400,000    370,000
负债和所有者权益（或股东权益）总计  800,000  750,000
""")
    assert values_of(report, "balance", "cash") == [120_000_000, 100_000_000]
    assert values_of(report, "balance", "total_equity") == [400_000_000, 370_000_000]


def test_a_lone_value_is_no_other_periods() -> None:
    report = report_of(
        """Acme Inc

CONSOLIDATED BALANCE SHEETS
(In thousands)
                               2023      2022
Cash                            100        90
Goodwill                                   40
Total assets                    800       750
Total liabilities               400       380
Total equity                    400       370
"""
        + "Balance sheets as of December 31, 2023\n"
    )
    assert [line.period_end.year for line in report.statements["balance"] if line.item == "goodwill"] == [2022]


def test_a_plain_sheet_without_titles_is_read_by_its_items() -> None:
    rows = (
        "item,2023-12-31,2022-12-31\nRevenue,12.5,10\nNet income,-5.5,4.5\nTotal assets,20.5,19.5\nTotal equity,7,6\n"
    )
    report = report_of(rows, "plain.csv")
    assert values_of(report, "income", "net_income") == [Decimal("-5.5"), Decimal("4.5")]
    assert values_of(report, "balance", "total_assets") == [Decimal("20.5"), Decimal("19.5")]


def test_a_sheet_of_other_things_is_no_statement() -> None:
    rows = "name,2023,2022\nRevenue,12.5,10\nNet income,5.5,4\nShops,20,19\nPeople,7,6\nPrices,7,6\n"
    assert not report_of(rows, "plain.csv").statements


SIDES = """资产,{0}期末余额,年初余额,负债和所有者权益（或股东权益）,{0}期末余额,年初余额
流动资产：,{1},,流动负债：,{1},
货币资金,{2}100,90,短期借款,{4}50,40
流动资产合计,{2}300,280,负债合计,{4}250,240
固定资产,{3}200,220,所有者权益合计,{5}250,260
资产总计,{3}500,500,负债和所有者权益总计,{5}500,500
"""


@pytest.mark.parametrize("columns", [("",) * 6, ("行次,", ",", "1,", "2,", "3,", "4,")])
def test_a_balance_sheet_with_two_sides_is_read_on_both(columns: tuple[str, ...]) -> None:
    report = report_of(
        "甲股份有限公司2023年年度报告\n合并资产负债表\n2023年12月31日\n" + SIDES.format(*columns), "two.csv"
    )
    now = {line.item: int(line.value) for line in report.statements["balance"] if line.period_end.year == 2023}
    assert now == {
        "cash": 100,
        "current_assets": 300,
        "ppe": 200,
        "total_assets": 500,
        "short_term_debt": 50,
        "total_liabilities": 250,
        "total_equity": 250,
        "liabilities_and_equity": 500,
    }
    assert values_of(report, "balance", "total_liabilities") == [250, 240]


BARE = """Acme plc

Consolidated balance sheet
at 31 March 2021
                              2021      2020
                                £m        £m
Property                       500       490
Intangible assets              220       210
Non-current assets             720       700
Current assets                 330       300
Total assets                 1,050     1,000
Current liabilities           (210)     (200)
Non-current liabilities       (290)     (300)
Total liabilities             (500)     (500)
Total equity                   550       500
"""


def test_parts_of_a_balance_sheet_that_do_not_say_total_are_totals_where_they_add_up() -> None:
    report = report_of(BARE)
    million = 10**6
    assert values_of(report, "balance", "noncurrent_assets") == [720 * million, 700 * million]
    assert values_of(report, "balance", "current_assets") == [330 * million, 300 * million]
    assert values_of(report, "balance", "current_liabilities") == [210 * million, 200 * million]
    assert values_of(report, "balance", "noncurrent_liabilities") == [290 * million, 300 * million]
    assert values_of(report, "balance", "total_liabilities") == [500 * million, 500 * million]
    assert not values_of(report, "balance", "other_noncurrent_liabilities")


def test_a_part_that_does_not_add_up_is_no_total() -> None:
    report = report_of(BARE.replace("Current assets                 330", "Current assets                 341"))
    assert not values_of(report, "balance", "current_assets")


def test_fair_values_below_net_income_are_no_gain_of_the_year() -> None:
    report = report_of("""Acme Inc

CONSOLIDATED STATEMENTS OF COMPREHENSIVE INCOME
(in thousands)
Years ended December 31,                              2023        2022
Revenue                                              1,000         900
Changes in fair value of investments                     4           3
Net income                                              30          25
Change in fair value of derivative instruments           9           8
Total comprehensive income                              39          33
""")
    assert values_of(report, "income", "fair_value_gain") == [4000, 3000]


TRADITIONAL = """甲控股有限公司
二零二三年年報

綜合損益表
截至二零二三年十二月三十一日止年度
                  附註      二零二三年    二零二二年
                            人民幣千元    人民幣千元
收入                4       1,234,567     1,111,111
銷售成本                     (800,000)     (700,000)
毛利                          434,567       411,111
除稅前溢利                    100,000        90,000
所得稅開支          9         (25,000)      (22,000)
年內溢利                       75,000        68,000
"""


def test_traditional_characters_are_read_like_simplified_ones() -> None:
    report = report_of(TRADITIONAL)
    assert (report.company, report.currency, report.form) == ("甲控股有限公司", "CNY", None)
    assert values_of(report, "income", "revenue") == [1_234_567_000, 1_111_111_000]
    assert values_of(report, "income", "net_income") == [75_000_000, 68_000_000]
    assert {line.period_end.isoformat() for line in report.statements["income"]} == {"2023-12-31", "2022-12-31"}


def test_a_company_may_leave_out_its_legal_form() -> None:
    assert report_of("乙控股集团2024年半年度报告\n\n第一节 重要提示\n").company == "乙控股集团"


def test_a_fiscal_year_that_ends_in_march_does_so_in_both_columns() -> None:
    report = report_of(TRADITIONAL.replace("十二月三十一日", "三月三十一日"))
    assert {line.period_end.isoformat() for line in report.statements["income"]} == {"2023-03-31", "2022-03-31"}
    assert report.period_end == date(2023, 3, 31)

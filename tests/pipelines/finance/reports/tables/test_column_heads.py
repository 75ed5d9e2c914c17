"""Lines over a table, heads of columns, columns of notes, and amounts that look like years; all numbers made up."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from data.finance.reports import StatementName
from pipelines.finance.reports.items import Language
from pipelines.finance.reports.tables.recognise import recognise
from pipelines.finance.reports.tables.rows import Document, Table, TextRow

CENTRE = (200.0, 395.0)
COLUMNS = ((420.0, 450.0), (510.0, 540.0))
THREE = ((330.0, 363.0), (420.0, 450.0), (510.0, 540.0))
NOTE = (270.0, 280.0)
Values = dict[tuple[str, int], Decimal]  # item and year


def centred(words: str, left: float = CENTRE[0], right: float = CENTRE[1]) -> TextRow:
    return TextRow((words,), extents=((left, right),))


def row(label: str, *numbers: str, note: str = "", columns: Sequence[tuple[float, float]] = COLUMNS) -> TextRow:
    cells = [(label, (50.0, 150.0)), (note, NOTE), *zip(numbers, columns, strict=len(numbers) > 0)]
    kept = [(text, extent) for text, extent in cells if text]
    return TextRow(tuple(text for text, _ in kept), extents=tuple(extent for _, extent in kept))


def read(title: str, rows: Sequence[TextRow], statement: StatementName, language: Language = "en") -> Values:
    document = Document("", (Table((TextRow((title,)),), tuple(rows)),))
    lines = recognise(document, language).get(statement, ())
    assert all((line.period_end.month, line.period_end.day) == (12, 31) for line in lines)
    return {(line.item, line.period_end.year): line.value for line in lines}


INCOME = [
    row("Revenues", "60", "50", "40", columns=THREE),
    row("Cost of sales", "30", "20", "10", columns=THREE),
    row("Gross profit", "30", "30", "30", columns=THREE),
    row("Net income", "3", "2", "1", columns=THREE),
]
BALANCE = [
    row("Cash and cash equivalents", "410", "630", note="3"),
    row("Accounts receivable", "750", "540", note="5"),
    row("Total assets", "1,160", "1,170"),
    row("Total liabilities", "160", "170"),
    row("Total equity", "1,000", "1,000"),
]


@pytest.mark.parametrize(
    "line",
    [
        "For the years ended December 31, 2022, 2021 and 2020",
        "Years ended December 31, 2022, December 31, 2021 and December 31, 2020",
        "December 31, 2022",
    ],
)
@pytest.mark.parametrize("left", [100.0, 350.0])
def test_a_line_over_the_table_heads_no_column(line: str, left: float) -> None:
    heads = [centred(line, left, left + 150), row("", "2022", "2021", "2020", columns=THREE)]
    values = read("CONSOLIDATED STATEMENTS OF OPERATIONS", [*heads, *INCOME], "income")
    found = {year: value for (item, year), value in values.items() if item == "revenue"}
    assert found == {2022: 60, 2021: 50, 2020: 40}


def test_a_line_over_all_columns_goes_with_the_years_below() -> None:
    heads = [centred("Year Ended December 31,", 330, 540), row("", "2022", "2021", "2020", columns=THREE)]
    values = read("CONSOLIDATED STATEMENTS OF OPERATIONS", [*heads, *INCOME], "income")
    assert values["net_income", 2021] == 2


@pytest.mark.parametrize("head", ["Note", "Notes", "Ref.", ""])
def test_notes_under_a_centred_line_are_no_values(head: str) -> None:
    heads = [centred("As of December 31, 2023 and 2022"), row("", "2023", "2022", note=head)]
    values = read("Consolidated Balance Sheets", [*heads, *BALANCE], "balance")
    assert values["cash", 2023] == 410
    assert values["cash", 2022] == 630


def test_a_date_over_roles_in_chinese_is_that_of_the_current_column() -> None:
    heads = [centred("2021年12月31日"), row("项目", "期末余额", "期初余额")]
    rows = [
        row("货币资金", "5", "4"),
        row("资产总计", "9", "8"),
        row("负债合计", "3", "2"),
        row("所有者权益合计", "6", "6"),
    ]
    values = read("合并资产负债表", [*heads, *rows], "balance", "zh")
    assert values["cash", 2021] == 5
    assert values["cash", 2020] == 4


@pytest.mark.parametrize(("own", "last"), [("1907", "1969"), ("(1968)", "(2000)"), ("2012", "2011"), ("1999", "1998")])
def test_amounts_that_look_like_years_are_amounts_below_the_heads(own: str, last: str) -> None:
    heads = [row("December 31,", "2013", "2012")]
    rows = [row("Noncontrolling interests", own, last), *BALANCE, row("Retained earnings", last, own)]
    values = read("CONSOLIDATED BALANCE SHEETS", [*heads, *rows], "balance")
    sign = -1 if own.startswith("(") else 1
    assert values["minority_interest", 2013] == sign * int(own.strip("()"))
    assert values["retained_earnings", 2012] == sign * int(own.strip("()"))


@pytest.mark.parametrize(
    "heads",
    [
        [row("Year Ended December 31,", "2013", "2012")],
        [row("", "December 31,", "December 31,"), row("ASSETS", "2013", "2012")],
        [row("", "December 31,", "December 31,"), row("(in millions)", "2013", "2012")],
        [row("", "December 31, 2013", "December 31, 2012"), row("(unaudited)", "2013", "2012")],
    ],
)
def test_years_beside_words_of_time_or_at_the_top_head_columns(heads: list[TextRow]) -> None:
    values = read("CONSOLIDATED BALANCE SHEETS", [*heads, *BALANCE], "balance")
    assert values["total_assets", 2013] == 1160 * (10**6 if "millions" in heads[-1].text else 1)


def test_heads_repeated_on_the_next_page_are_no_amounts() -> None:
    heads = row("ASSETS", "2013", "2012")
    values = read("CONSOLIDATED BALANCE SHEETS, December 31,", [heads, *BALANCE, heads], "balance")
    assert set(values.values()) <= {410, 630, 750, 540, 1160, 1170, 160, 170, 1000}


def test_amounts_like_years_are_read_in_chinese_with_a_year_in_the_heading() -> None:
    heads = [row("项目", "2021年12月31日", "2020年12月31日")]
    rows = [
        row("一年内到期的非流动负债", "2010", "1905"),
        row("资产总计", "9,000", "8,000"),
        row("负债合计", "3,000", "2,000"),
        row("所有者权益合计", "6,000", "6,000"),
    ]
    values = read("合并资产负债表", [*heads, *rows], "balance", "zh")
    assert values["current_portion_debt", 2021] == 2010


def test_parts_of_revenue_or_cost_without_a_total_are_not_guessed() -> None:
    rows = [
        row("", "2022", "2021", "2020", columns=THREE),
        row("Cost of products sold", "20", "15", "9", columns=THREE),
        row("Cost of services sold", "10", "5", "1", columns=THREE),
        *INCOME[2:],
        row("Revenues", "60", "50", "40", columns=THREE),
    ]
    values = read("CONSOLIDATED STATEMENTS OF OPERATIONS, Year Ended December 31,", rows, "income")
    assert ("cost_of_revenue", 2022) not in values
    total = [*rows[:3], row("Total cost of revenue", "30", "20", "10", columns=THREE), *rows[3:]]
    values = read("CONSOLIDATED STATEMENTS OF OPERATIONS, Year Ended December 31,", total, "income")
    assert values["cost_of_revenue", 2022] == 30


def test_columns_that_run_into_each_other_give_no_value_under_a_wrong_period() -> None:
    shifted = [((420.0, 450.0), (452.0, 482.0)), ((440.0, 470.0), (472.0, 502.0)), ((460.0, 490.0), (492.0, 522.0))]
    heads = [row("", "December 31, 2013", "December 31, 2012", columns=((420.0, 470.0), (480.0, 540.0)))]
    rows = [row(one.cells[0], *one.cells[-2:], columns=shifted[place % 3]) for place, one in enumerate(BALANCE)]
    assert read("CONSOLIDATED BALANCE SHEETS", [*heads, *rows], "balance") == {}

"""Whatever the tables hold, recognising ends with lines that are in the document, or with none."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.finance.reports.items import ITEMS, Language
from pipelines.finance.reports.tables.calendars import read_calendar
from pipelines.finance.reports.tables.periods import Heading, read_heading
from pipelines.finance.reports.tables.plain import read_text
from pipelines.finance.reports.tables.recognise import recognise
from pipelines.finance.reports.tables.rows import Document, Table, TextRow
from pipelines.finance.reports.tables.titles import find_title

WORDS = [item.zh for item in ITEMS.values() if item.zh] + [item.en for item in ITEMS.values()]
TITLES = [
    "合并资产负债表",
    "母公司利润表",
    "现金流量表",
    "CONSOLIDATED BALANCE SHEETS",
    "Statements of Income",
    "单位：万元",
]
HEADS = [
    "2021年12月31日",
    "2020年度",
    "期末余额",
    "上期金额",
    "December 31, 2024",
    "Three Months Ended June 30, 2025",
    "2023",
]
CELLS = st.sampled_from([*WORDS, *TITLES, *HEADS, "1,234", "(5)", "—", "$", ")", "附注", "七、1", "", "12%", "x"])
ROWS = st.lists(CELLS, min_size=1, max_size=6).map(lambda cells: TextRow(tuple(cells)))
TABLES = st.builds(
    lambda before, rows: Table(tuple(before), tuple(rows)), st.lists(ROWS, max_size=4), st.lists(ROWS, max_size=12)
)


@settings(max_examples=150, deadline=None)
@given(st.lists(TABLES, max_size=4), st.sampled_from(["zh", "en"]))
def test_any_tables_give_lines_of_known_items_or_none(tables: list[Table], language: Language) -> None:
    for name, lines in recognise(Document("", tuple(tables)), language).items():
        assert all(name in ITEMS[line.item].statements and line.value.is_finite() for line in lines)


@settings(deadline=None)
@given(st.text(alphabet="年月日一二三0129至-/ ,.期末初本上Decmbr31MonthsEndedtoQuarter", max_size=60))
def test_any_heading_says_something_of_time_or_nothing(words: str) -> None:
    heading = read_heading(words)
    assert heading.months is None or heading.months > 0
    assert all(isinstance(day, date) for day in heading.dates)


@settings(deadline=None)
@given(st.text(max_size=250))
def test_any_line_is_a_title_or_none_and_any_page_has_a_calendar(line: str) -> None:
    find_title(line)
    read_calendar(line, "zh")
    read_calendar(line, "en")


@pytest.mark.parametrize(
    "line",
    [
        "statement of " + "a " * 90 + "x",
        "合并" * 39 + "资产负债表",
        "资产负债表" + "（续）" * 20 + "x",
        "2019年" * 100,
        "for the " * 24,
    ],
)
def test_long_repetitive_lines_cost_no_time(line: str) -> None:
    find_title(line)
    assert isinstance(read_heading(line), Heading)


def test_many_rows_that_are_no_statement_are_left_alone() -> None:
    document = read_text("".join(f"item {number}    {number:,}    7\n" for number in range(20_000)))
    assert recognise(document, "en") == {}


@pytest.mark.parametrize(
    ("words", "end", "months"),
    [
        ("2019 年 12 月 31 日", date(2019, 12, 31), None),
        ("二〇一九年十二月三十一日", date(2019, 12, 31), None),
        ("2019年1月1日至2019年12月31日", date(2019, 12, 31), 12),
        ("2020年第三季度", date(2020, 9, 30), 3),
        ("31 December 2024", date(2024, 12, 31), None),
        ("13 Weeks Ended June 28, 2025", date(2025, 6, 28), 3),
        ("Fifty-two weeks ended February 1, 2025", date(2025, 2, 1), 12),
        ("2023 Successor July 22 to September 30", date(2023, 9, 30), 2),
        ("2019.12.31", date(2019, 12, 31), None),
    ],
)
def test_a_heading_names_the_last_day_and_the_months(words: str, end: date, months: int | None) -> None:
    heading = read_heading(words)
    assert (heading.dates[-1], heading.months) == (end, months)

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from pipelines.finance.reports.tables.plain import read_text
from pipelines.finance.reports.tables.rows import Document


def cells(text: str) -> list[tuple[str, ...]]:
    return [row.cells for table in read_text(text).tables for row in table.rows]


def test_runs_of_spaces_bars_tabs_and_leaders_part_cells() -> None:
    text = "Cash ....... 1,200   1,000\nLoans | 300 | 200\nTotal\t1,500\t1,200\n"
    assert cells(text) == [("Cash", "1,200", "1,000"), ("Loans", "300", "200"), ("Total", "1,500", "1,200")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Year Ended December 31", ("Year Ended December 31",)),
        ("Year ended December 31, 2022", ("Year ended December 31, 2022",)),
        ("Sept. 30 2022 2021", ("Sept. 30", "2022", "2021")),
        ("Balance at December 31 1,234 5", ("Balance at December 31", "1,234", "5")),
        ("Due in May 1,234 900", ("Due in May", "1,234", "900")),
    ],
)
def test_the_day_of_a_month_is_no_number(line: str, expected: tuple[str, ...]) -> None:
    rows = cells(f"{line}\na 1,000   2,000\nb 1,000   2,000\nc 1,000   2,000\n")
    assert tuple(cell.strip() for cell in next(row for row in rows if row[0][0] in line)) == expected


def test_a_long_heading_that_ends_with_a_colon_stands_within_its_table() -> None:
    heading = "Adjustments to reconcile what was earned to the cash that was provided by the activities:"
    rows = cells(f"Earned     1   2\n{heading}\nWages      3   4\nRents      5   6\n")
    assert rows == [("Earned", "1", "2"), (heading,), ("Wages", "3", "4"), ("Rents", "5", "6")]


def test_prose_is_no_table_and_stands_before_the_next() -> None:
    prose = "In 2020 we sold 5 ships for 20 million, which is more than in any of the ten years before that one.\n"
    document = read_text(prose + "a    1\nb    2\nc    3\n")
    assert [line.text for line in document.tables[0].before] == [prose.strip()]


def test_form_feeds_count_pages() -> None:
    document = read_text("one\ftwo\na    1\nb    2\nc    3\n")
    assert [row.page for table in document.tables for row in (*table.before, *table.rows)] == [1, 2, 2, 2, 2]


def test_a_lone_number_in_text_without_columns_is_in_none() -> None:
    document = read_text("货币资金 1.00 2.00\n存货 3.00\n资产总计 4.00 2.00\n")
    extents = {row.cells[0]: row.extents[-1] for row in document.tables[0].rows}
    assert extents["存货"][1] < 0 < extents["货币资金"][0]


def test_numbers_without_columns_of_their_own_are_counted() -> None:
    document = read_text("货币资金    100.00  90.00\n存货          50.00    45.00\n资产总计  150.00  135.00\n")
    rows = document.tables[0].rows
    assert {row.extents[1:] for row in rows} == {((10.0, 11.0), (11.0, 12.0))}


def test_two_statements_that_follow_each_other_each_have_columns_of_their_own() -> None:
    first = "".join(f"land         {place},000,000    {place},500,000\n" for place in range(1, 10))
    second = "".join(f"boats   {place},000,000    {place},500,000\n" for place in range(1, 10))
    rows = read_text(f"{first}Second\n{second}").tables[0].rows
    assert {row.extents[-1] for row in rows if len(row.cells) == 3} == {(26.0, 35.0), (21.0, 30.0)}


def test_running_heads_of_json_lines_are_left_out() -> None:
    entries = [("页眉", "某公司"), ("text", "正文"), ("excel", "['货币资金', None, 5]"), ("excel", "['a'")]
    text = "\n".join(json.dumps({"page": 1, "allrow": 1, "type": kind, "inside": inside}) for kind, inside in entries)
    document = read_text(text)
    assert document.text == "正文\n货币资金\t\t5\n['a'"
    assert document.tables[0].rows[0].cells == ("货币资金", "", "5")


@pytest.mark.parametrize("line", ["{", "[]", '{"page": 1'])
def test_a_broken_json_line_is_named(line: str) -> None:
    first = json.dumps({"page": 1, "allrow": 0, "type": "text", "inside": "a"})
    with pytest.raises(InputError, match="line 2"):
        read_text(f"{first}\n{line}")


@settings(max_examples=80)
@given(st.text(alphabet="资产 1,2.()-—$\n\t|\f　a元…年", max_size=300))
def test_any_text_keeps_its_offsets(text: str) -> None:
    assert_offsets_are_true(read_text(text))


@settings(max_examples=60)
@given(
    st.lists(
        st.recursive(st.none() | st.integers() | st.text(max_size=9), lambda x: st.lists(x, max_size=3), max_leaves=6)
    )
)
def test_any_json_line_is_read_or_refused(insides: list[object]) -> None:
    lines = [json.dumps({"page": 1, "type": "excel", "inside": str(inside)}) for inside in insides]
    assert_offsets_are_true(read_text("\n".join(lines)))


def assert_offsets_are_true(document: Document) -> None:
    for row in (row for table in document.tables for row in (*table.before, *table.rows)):
        assert all(document.text[start:end] == cell for cell, (start, end) in zip(row.cells, row.spans, strict=False))
        assert document.text[row.start : row.end].strip() or not row.text

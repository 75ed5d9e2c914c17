"""PDF reports: the rows of statements drawn in many ways, exactly."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.finance.reports.items import ITEMS
from pipelines.finance.reports.pdf.reader import read_pdf
from pipelines.finance.reports.tables.numbers import read_number
from pipelines.finance.reports.tables.paged import PagedDocument
from pipelines.finance.reports.tables.recognise import recognise
from tests.pipelines.finance.reports.pdf.drawn_statements import CHINESE, ENGLISH, Item, Style, draw

STYLES = [
    Style(),
    Style(numbers="first"),
    Style(numbers="middle"),
    Style(across=True, label_width=300),
    Style(turned=True),
    Style(rules="all"),
    Style(rules="rows", numbers="first"),
    Style(rules="uprights"),
    Style(rows_a_page=6),
    Style(rules="all", rows_a_page=6),
    Style(chinese=True),
    Style(chinese=True, rules="all", label_width=130, numbers="middle"),
    Style(chinese=True, rules="rows", label_width=130, numbers="first"),
    Style(chinese=True, rules="all", label_width=130, rows_a_page=5),
    Style(chinese=True, across=True, rules="uprights", label_width=300),
    Style(chinese=True, label_width=130, numbers="last"),
]


def spoken(text: str) -> str:
    return "".join(text.split())


def rows_under(document: PagedDocument, title: str) -> list[tuple[str, tuple[str, ...]]]:
    """Label and filled cells of the table under a title, without its headings."""
    for table in document.tables:
        if any(title in line.text for line in table.before[-4:]):
            rows = [(spoken(row.cells[0]), tuple(cell for cell in row.cells[1:] if cell)) for row in table.rows]
            return [row for row in rows if row[0] not in ("", "项目")]
    raise AssertionError(f"no table under {title}")


def expected(items: list[Item]) -> list[tuple[str, tuple[str, ...]]]:
    return [(spoken(label), tuple(value.replace("$ ", "$") for value in values if value)) for label, values in items]


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_every_row_of_every_statement_is_read_as_drawn(style: Style) -> None:
    document = read_pdf(draw(style), "acme.pdf")
    assert document.language == ("zh" if style.chinese else "en")
    for title, items in (CHINESE if style.chinese else ENGLISH).items():
        assert rows_under(document, title) == expected(items)


def test_only_statements_become_tables() -> None:
    document = read_pdf(draw(Style()), "acme.pdf")
    assert len([table for table in document.tables if table.rows]) == 3


def test_every_cell_stands_in_the_text_where_it_says() -> None:
    document = read_pdf(draw(Style(rules="all", chinese=True, rows_a_page=5)), "acme.pdf")
    for table in document.tables:
        for row in (*table.before, *table.rows):
            for place, cell in enumerate(row.cells):
                where = row.place(place)
                assert document.text[where.start : where.end] == cell
                assert where.page is not None
                assert document.page_starts[where.page - 1] <= (where.start or 0)


def test_headings_over_several_columns_reach_over_them() -> None:
    document = read_pdf(draw(Style()), "acme.pdf")
    table = next(table for table in document.tables if any("Balance" in line.text for line in table.before))
    headings = next(row for row in table.rows if "December 31, 2023" in row.cells)
    values = next(row for row in table.rows if row.cells[0] == "Accounts payable")
    for heading, value in zip(headings.extents[1:], values.extents[1:], strict=True):
        assert min(heading[1], value[1]) - max(heading[0], value[0]) > 0


@pytest.mark.realdata
def test_the_statements_of_a_filing_of_238_pages_are_read(realdata: Path) -> None:
    path = realdata / "data/finance/reports/pdf/lyft_2021_10k.pdf"
    document = read_pdf(path.read_bytes(), path.name)
    assert len(document.page_starts) == 238
    found = {
        (row.page, row.cells[0]): [read_number(cell) for cell in row.cells[1:]]
        for table in document.tables
        for row in table.rows
    }
    assert found[78, "Total assets"] == [4_773_884, 4_678_964]
    assert found[78, "Total liabilities"] == [3_379_886, 3_002_801]
    assert found[78, "Total stockholders’ equity"] == [1_393_998, 1_676_163]
    assert found[79, "Revenue"] == [3_208_323, 2_364_681, 3_615_960]
    assert found[79, "Total costs and expenses"] == [4_290_755, 4_173_063, 6_318_440]
    assert found[79, "Net loss"] == [-1_009_359, -1_752_857, -2_602_241]
    assert found[83, "Net cash used in operating activities"] == [-101_721, -1_378_899, -105_702]
    assert found[83, "Net cash provided by (used in) investing activities"] == [267_012, 740_427, -1_610_843]
    assert found[83, "Net cash provided by (used in) financing activities"] == [-72_470, 512_566, 1_574_196]


@pytest.mark.realdata
def test_all_known_numbers_of_a_chinese_report_are_bound(realdata: Path) -> None:
    path = realdata / "data/finance/reports/zh_annual/600201_2020.pdf"
    document = read_pdf(path.read_bytes(), path.name)
    lines = [line for found in recognise(document, document.language).values() for line in found]
    names = {item.zh: name for name, item in ITEMS.items() if item.zh}
    gold = json.loads(path.with_suffix(".gold.json").read_text(encoding="utf-8"))
    wanted = {names[words]: Decimal(str(value)) for words, value in gold.items() if words in names}
    found = {
        line.item: line.value
        for line in lines
        if line.scope == "consolidated" and line.period_end.year == 2020 and line.currency == "CNY"
    }
    assert len(wanted) >= 50
    assert {item: found.get(item) for item in wanted} == wanted

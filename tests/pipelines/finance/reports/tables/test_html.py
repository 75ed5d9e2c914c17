import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

from pipelines.finance.reports.tables.html import read_html, visible_text
from pipelines.finance.reports.tables.rows import Document


def read(source: str) -> Document:
    return read_html(html.document_fromstring(source))


def test_blocks_are_lines_and_cells_are_parted_by_tabs() -> None:
    source = "<p>One <b>two</b></p><table><tr><td>a</td><td> </td><td>1</td></tr></table>x"
    assert visible_text(html.document_fromstring(source)) == "One two\na\t1\nx"


def test_every_cell_stands_where_its_span_says() -> None:
    cells = "<td>Cash<sup>(1)</sup></td><td>$</td><td>1,234</td><td>)</td>"
    document = read(f"<div>Title</div><table><tr>{cells}</tr></table>")
    row = document.tables[0].rows[0]
    assert row.cells == ("Cash (1)", "$", "1,234", ")")
    assert [document.text[start:end] for start, end in row.spans] == list(row.cells)


def test_what_is_hidden_is_not_read() -> None:
    source = "<p style='display:none'>a</p><script>b</script><div hidden>c</div><p>d</p><!-- e --> f"
    assert read(source).text == "d\nf"


def test_inline_xbrl_is_read_as_the_text_it_holds() -> None:
    tree = etree.fromstring(
        "<html xmlns='http://www.w3.org/1999/xhtml' xmlns:ix='http://www.xbrl.org/2013/inlineXBRL'><body>"
        "<div><ix:header><ix:hidden>x</ix:hidden></ix:header></div>"
        "<p>Sales <ix:nonFraction>5</ix:nonFraction>!</p></body></html>"
    )
    assert visible_text(tree) == "Sales 5!"


def test_only_the_innermost_table_is_a_table() -> None:
    document = read("<table><tr><td>outer<table><tr><td>in</td><td>5</td></tr></table>after</td></tr></table>")
    assert [[row.cells for row in table.rows] for table in document.tables if table.rows] == [[("in", "5")]]
    assert document.text == "outer\nin\t5\nafter"


def test_spanned_columns_and_rows_shift_the_cells_beside_them() -> None:
    document = read(
        "<table><tr><td rowspan=2>item</td><td colspan=2>2024</td></tr><tr><td>a</td><td>b</td></tr></table>"
    )
    first, second = document.tables[0].rows
    assert list(first.extents) == [(0.0, 1.0), (1.0, 3.0)]
    assert list(second.extents) == [(1.0, 2.0), (2.0, 3.0)]


def test_a_line_break_within_chinese_is_no_space() -> None:
    document = read("<table><tr><td>以公允价值计量\n的金融资产</td><td>销售<br>费用</td><td>a<br>b</td></tr></table>")
    assert document.tables[0].rows[0].cells == ("以公允价值计量的金融资产", "销售费用", "a b")


def test_preformatted_tables_are_found() -> None:
    document = read(
        "<pre>BALANCE SHEET\n                        2001     2000\nCash                    $ 12     $ 10\n"
        "Other assets               3        4\nTotal assets            $ 15     $ 14\n</pre>"
    )
    table = next(table for table in document.tables if table.rows)
    assert ("Total assets", "$", "15", "$", "14") in [row.cells for row in table.rows]


def test_a_colspan_of_a_billion_costs_nothing() -> None:
    document = read("<table>" + "<tr><td colspan=999999999>a</td><td rowspan=99999999>1</td></tr>" * 50 + "</table>")
    assert document.text.startswith("a\t1\na")


@pytest.mark.parametrize("source", ["<td>1</td>", "<table><td>a<td>b</table>", "<table><tr></table><tr><td>x", "<p>"])
def test_broken_markup_is_read_as_far_as_it_goes(source: str) -> None:
    assert_offsets_are_true(read(f"<html><body>{source}</body></html>"))


TAGS = "<table> </table> <tr> </tr> <td> </td> <p> <br> <pre> </pre> 1,234 资产 x <sup> </sup>"


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*TAGS.split(), " ", "\n"])))
def test_any_order_of_tags_keeps_offsets_true(parts: list[str]) -> None:
    assert_offsets_are_true(read("<html><body>" + "".join(parts) + "</body></html>"))


def assert_offsets_are_true(document: Document) -> None:
    for row in (row for table in document.tables for row in table.rows):
        assert [document.text[start:end] for start, end in row.spans] == list(row.cells)

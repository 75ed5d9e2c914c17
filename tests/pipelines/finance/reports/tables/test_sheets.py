"""Statements in workbooks and CSV files, as people keep them."""

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from pipelines.finance.reports.tables.paged import PagedDocument
from pipelines.finance.reports.tables.recognise import recognise
from pipelines.finance.reports.tables.sheets import read_sheet

CHINESE = """合并资产负债表,,
编制单位：某某公司,,单位：万元
项目,2023年12月31日,2022年12月31日
流动资产：,,
货币资金,"1,200.50",900
流动资产合计,"1,844.00","998.00"
资产总计,"9,944.00","8,400.00"
负债合计,755.00,710.00
所有者权益合计,"9,189.00","7,690.00"
负债和所有者权益总计,"9,944.00","8,400.00"

合并利润表,,
单位：万元,,
项目,2023年度,2022年度
一、营业总收入,"5,000.00","4,100.00"
减：营业成本,"3,001.00","2,800.00"
三、营业利润（亏损以“－”号填列）,899.00,-250.00
四、利润总额（亏损总额以“－”号填列）,859.00,-212.00
减：所得税费用,360.00,-12.00
五、净利润（净亏损以“－”号填列）,499.00,-200.00
"""


def workbook(fill: Callable[[Any, Any], None], **options: Any) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, options)
    fill(book, book.add_worksheet("Balance"))
    book.close()
    return out.getvalue()


def english(book: Any, sheet: Any) -> None:
    sheet.merge_range("A1:C1", "Acme, Inc. Consolidated Balance Sheets")
    sheet.write("A2", "(in thousands)")
    sheet.merge_range("B3:C3", "December 31,")
    rows = [
        ("Cash and cash equivalents", 1204, 998.5),
        ("Total current assets", 1844, 998.5),
        ("Total assets", 9944, 8400),
        ("Accounts payable", 755, 710),
        ("Total liabilities", 755, 710),
        ("Accumulated deficit", -811, -1310),
        ("Total stockholders’ equity", 9189, 7690),
        ("Total liabilities and stockholders’ equity", 9944, 8400),
    ]
    sheet.write_row("B4", (2023, 2022))
    for number, row in enumerate(rows, 4):
        sheet.write_row(number, 0, row)
    income = book.add_worksheet("Operations")
    income.write("A1", "Consolidated Statements of Operations")
    income.write("A2", "(in thousands, except per share data)")
    income.write_row("A3", ("Year ended December 31,", 2023, 2022))
    lines = [
        ("Revenue", 5000, 4100),
        ("Cost of revenue", 3001, 2800),
        ("Income from operations", 899, 250),
        ("Income before income taxes", 859, 212),
        ("Provision for income taxes", 360, -12),
        ("Net income", 499, 224),
    ]
    for number, row in enumerate(lines, 3):
        income.write_row(number, 0, row)
    book.add_worksheet("Draft").hide()


def value_of(document: PagedDocument, item: str, year: int) -> Any:
    lines = [line for found in recognise(document, document.language).values() for line in found]
    return next((line.value for line in lines if line.item == item and line.period_end.year == year), None)


def test_english_statements_on_sheets_of_a_workbook_are_read() -> None:
    document = read_sheet(workbook(english), "acme.xlsx")
    assert document.language == "en"
    assert document.notes == ("hidden sheets are not read: Draft",)
    assert value_of(document, "cash", 2022) == 998_500
    assert value_of(document, "retained_earnings", 2023) == -811_000
    assert value_of(document, "total_assets", 2023) == 9_944_000
    assert value_of(document, "revenue", 2022) == 4_100_000
    assert value_of(document, "net_income", 2023) == 499_000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_chinese_statements_below_each_other_in_a_csv_are_read(encoding: str, delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(csv.reader(io.StringIO(CHINESE)))
    lines = out.getvalue()
    document = read_sheet(lines.encode(encoding), "statements.csv")
    assert document.language == "zh"
    assert len(document.tables) == 2
    assert value_of(document, "cash", 2023) == 12_005_000
    assert value_of(document, "total_assets", 2022) == 84_000_000
    assert value_of(document, "net_income", 2022) == -2_000_000


def test_a_number_knows_its_sheet_and_cell() -> None:
    document = read_sheet(workbook(english), "acme.xlsx")
    row = next(row for row in document.tables[0].rows if row.cells[0] == "Total assets")
    place = row.place(2)
    assert (place.page, place.element, place.text) == (1, "C7", "8400")
    assert document.text[place.start : place.end] == "8400"


def test_a_merged_heading_reaches_over_its_columns() -> None:
    document = read_sheet(workbook(english), "acme.xlsx")
    heading = next(row for row in document.tables[0].rows if row.cells == ("December 31,",))
    assert heading.extents == ((1.0, 3.0),)


def test_a_formula_without_its_value_is_refused_by_its_cell() -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row("A1", ("Total assets", 5))
        sheet.write_formula("C1", "=B1+1", None, "")

    content = without_values(workbook(fill))
    with pytest.raises(InputError, match=r"sheet 'Balance', cell C1: a formula without its value") as caught:
        read_sheet(content, "a.xlsx")
    assert caught.value.code == "UNCALCULATED"


def test_a_calculated_formula_is_read() -> None:
    def fill(book: Any, sheet: Any) -> None:
        sheet.write_row("A1", ("Total assets", 5))
        sheet.write_formula("C1", "=B1+1", None, 6)

    assert read_sheet(workbook(fill), "a.xlsx").tables[0].rows[0].cells == ("Total assets", "5", "6")


def test_a_failed_formula_is_refused() -> None:
    with pytest.raises(InputError, match=r"cell B2 holds #REF!") as caught:
        read_sheet(workbook(lambda book, sheet: sheet.write_formula("B2", "=Z1", None, "#REF!")), "a.xlsx")
    assert caught.value.code == "FORMULA_ERROR"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "EMPTY_FILE"),
        (b" \n,,\n", "EMPTY_FILE"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "WRONG_FORMAT"),
        (b"PK\x03\x04" + b"\0" * 60, "BAD_ARCHIVE"),
        (b"Bilanz;2023\nFl\xfcssige Mittel;1\n", "UNDECODABLE"),
        (b"a,b\0,c\n", "UNDECODABLE"),
        ("a," * 600 + "1\n", "TOO_MANY_COLUMNS"),
        ("Cash,1\n" * 20_001, "TOO_MANY_ROWS"),
    ],
    ids=["nothing", "blank", "old Excel", "half a ZIP", "Latin-1", "NUL", "columns", "rows"],
)
def test_what_holds_no_statements_is_an_error(content: bytes | str, code: str) -> None:
    with pytest.raises(InputError, match=r"^statements: |^statements,") as caught:
        read_sheet(content.encode() if isinstance(content, str) else content, "statements")
    assert caught.value.code == code


def test_a_workbook_that_declares_entities_is_refused() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><sst/>'
    with pytest.raises(InputError, match="entities"):
        read_sheet(replaced(workbook(english), "xl/sharedStrings.xml", bomb), "a.xlsx")


def test_a_workbook_that_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(InputError):
        read_sheet(replaced(workbook(english), "xl/styles.xml", b" " * (200 << 20)), "a.xlsx")


def test_a_zip_file_that_is_no_workbook_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("note.xml", "<a/>")
    with pytest.raises(InputError, match="no XLSX workbook"):
        read_sheet(out.getvalue(), "a.xlsx")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        document = read_sheet(content, "a.csv")
    except InputError:
        return
    assert document.text


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(30, 5_000), st.binary(min_size=1, max_size=8))
def test_a_workbook_with_changed_bytes_is_read_or_refused(place: int, noise: bytes) -> None:
    content = bytearray(workbook(english))
    content[place : place + len(noise)] = noise
    try:
        document = read_sheet(bytes(content), "a.xlsx")
    except InputError:
        return
    assert document.text


def without_values(content: bytes) -> bytes:
    """As programs write it that do not calculate: formulas and no values."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    return replaced(content, "xl/worksheets/sheet1.xml", sheet.replace(b"<v></v>", b"").replace(b' t="str"', b""))


def replaced(content: bytes, name: str, part: bytes) -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(out, "w", compression=zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.namelist():
            new.writestr(entry, part if entry == name else old.read(entry))
    return out.getvalue()

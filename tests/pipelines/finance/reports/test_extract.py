"""One path for every kind of file, told by its content; what is no report is refused."""

import gzip
import io
import json
import subprocess
import sys
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import InputError
from data.finance.reports import Report
from pipelines.finance.reports.company_name import same_company
from pipelines.finance.reports.document import Features, to_document
from pipelines.finance.reports.extract import extract, extract_bytes
from pipelines.finance.reports.sniff import kind_of
from pipelines.finance.reports.tables.cover import read_cover
from tests.pipelines.finance.reports.tags.inline_pages import number, page

ROWS = [
    ("Total net revenue", "Revenues", "y", "1,200"),
    ("Cost of revenue", "CostOfRevenue", "y", "700"),
    ("Operating income", "OperatingIncomeLoss", "y", "210"),
    ("Net income", "NetIncomeLoss", "y", "160"),
    ("Cash", "CashAndCashEquivalentsAtCarryingValue", "i", "90"),
    ("Total assets", "Assets", "i", "2,000"),
    ("Total liabilities", "Liabilities", "i", "1,500"),
    ("Total stockholders’ equity (deficit)", "StockholdersEquity", "i", "500"),
]


def table(rows: list[tuple[str, str, str, str]]) -> bytes:
    tagged = {"scale": "6", "format": "ixt:num-dot-decimal"}
    cells = [
        f"<tr><td>{words}</td><td>{number(text, f'us-gaap:{name}', contextRef=context, **tagged)}</td></tr>"
        for words, name, context, text in rows
    ]
    return page(f"<table>{''.join(cells)}</table>")


def failed(report: Report) -> dict[str, str]:
    return {check.name: check.detail for check in report.checks if not check.passed}


def figures(report: Report) -> dict[str, Decimal]:
    return {line.item: line.value for lines in report.statements.values() for line in lines}


def test_a_tagged_page_gives_statements_with_words_and_places() -> None:
    report = extract_bytes(table(ROWS), "acme.htm")
    assert (report.kind, report.company, report.form, report.period_end) == (
        "ixbrl", "Acme Holdings Inc.", "10-K", date(2024, 12, 31),
    )  # fmt: skip
    revenue = report.statements["income"][0]
    assert (revenue.item, revenue.words, revenue.value, revenue.months) == (
        "revenue", "Total net revenue", 1_200_000_000, 12,
    )  # fmt: skip
    assert (revenue.currency, revenue.source.text) == ("USD", "1,200")
    assert figures(report)["total_equity"] == 500_000_000
    assert "Total net revenue" in report.text


def test_a_packed_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "report.bin"
    path.write_bytes(gzip.compress(table(ROWS)))
    assert figures(extract(path))["total_assets"] == 2_000_000_000


def test_a_balance_sheet_that_does_not_balance_is_flagged() -> None:
    rows = [row if row[1] != "Liabilities" else (*row[:3], "1,400") for row in ROWS]
    assert "apart by 100000000" in failed(extract_bytes(table(rows), "acme.htm"))["balance_sheet_balances"]


def test_a_report_of_another_company_is_flagged() -> None:
    assert "company_matches" not in failed(extract_bytes(table(ROWS), "a.htm", company="ACME HOLDINGS"))
    detail = failed(extract_bytes(table(ROWS), "a.htm", company="Globex"))["company_matches"]
    assert detail == "said to be of Globex; the report names Acme Holdings Inc."


def test_html_that_is_not_well_formed_is_read_as_browsers_do() -> None:
    text = "<p>某某科技股份有限公司<p>2019 年年度报告<br><table><tr><td>合并资产负债表</table><p>单位：元"
    rows = "".join(
        f"<tr><td>{words}<td>{now}<td>{last}"
        for words, now, last in [
            ("项目", "2019年12月31日", "2018年12月31日"),
            ("货币资金", "90.10", "80.00"),
            ("流动资产合计", "400.10", "380.00"),
            ("资产总计", "2,000.10", "1,900.00"),
            ("流动负债合计", "900.00", "880.00"),
            ("负债合计", "1,500.10", "1,500.00"),
            ("所有者权益合计", "500.00", "400.00"),
            ("负债和所有者权益总计", "2,000.10", "1,900.00"),
        ]
    )
    report = extract_bytes(f"{text}<table>{rows}</table>".encode("gb18030"), "a.html", company="某某科技")
    assert (report.kind, report.language, report.form) == ("html", "zh", "年度报告")
    assert report.company == "某某科技股份有限公司"
    now = {line.item: line.value for line in report.statements["balance"] if line.period_end == date(2019, 12, 31)}
    assert now["total_assets"] == Decimal("2000.10")
    assert report.currency == "CNY"
    assert set(failed(report)) == {"statements_found"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "EMPTY_FILE"),
        (b"  \n", "EMPTY_FILE"),
        (b"\x89PNG\r\n\x1a\n....", "WRONG_FORMAT"),
        (b"Rar!\x1a\x07", "WRONG_FORMAT"),
        (b"\x00\x01\x02abc\x00def" * 9, "WRONG_FORMAT"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "WRONG_FORMAT"),
        (b"<html xmlns:ix='http://www.xbrl.org/2013/inlineXBRL'><ix:header><p></html>", "BAD_MARKUP"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><html><p>&a;</p></html>", "DTD_REFUSED"),
        (b"<div>" * 100_000, "TOO_DEEP"),
        (b'{"facts": 7}', "BAD_JSON"),
        (b"PK\x03\x04 and nothing more", "BAD_ARCHIVE"),
        (gzip.compress(table(ROWS))[:-40], "TRUNCATED"),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(content: bytes, code: str) -> None:
    with pytest.raises(InputError) as refused:
        extract_bytes(content, "given.file")
    assert refused.value.code == code
    assert str(refused.value).startswith("given.file: ")
    assert "\n" not in str(refused.value)


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (b"junk %PDF-1.7", "a.htm", "pdf"),
        (zipped("xl/workbook.xml"), "a.zip", "sheet"),
        (zipped("a.xsd", "a.xml"), "a.xlsx", "xbrl"),
        (b'<?xml version="1.0"?><xbrli:xbrl xmlns:xbrli="x"/>', "a.txt", "xbrl"),
        (b"\xef\xbb\xbf\n<html/>", "a.txt", "ixbrl"),
        (b'{"cik": 1, "facts": {}}', "a.txt", "companyfacts"),
        (b'{"page": 1, "inside": "x"}', "a.json", "text"),
        (b"item,2024\nRevenue,5\n", "a.csv.gz", "sheet"),
        (b"Item 1. Business", "a", "text"),
        ("资产总计 5".encode("utf-16"), "a.txt", "text"),
    ],
)
def test_the_kind_is_told_by_the_content(content: bytes, name: str, kind: str) -> None:
    assert kind_of(content, name) == kind


def test_a_word_document_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match="a Word document; save it as PDF or HTML"):
        kind_of(zipped("word/document.xml"), "a.docx")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Walmart", "WALMART INC.", True),
        ("Wells Fargo", "WELLS FARGO & COMPANY/MN", True),
        ("Procter & Gamble", "PROCTER & GAMBLE CO", True),
        ("Macy's", "Macy’s, Inc.", True),
        ("Apple Inc.", "Apple Hospitality REIT, Inc.", True),  # a short name may be of either
        ("Boeing", "Airbus SE", False),
        ("生物股份", "金宇生物技术股份有限公司", False),  # a trade name of other characters
        ("金宇生物", "金宇生物技术股份有限公司", True),
        ("海翔药业", "浙江海翔药业股份有限公司", True),
        ("万科", "浙江海翔药业股份有限公司", False),
    ],
)
def test_names_of_one_company_are_known_as_such(one: str, other: str, same: bool) -> None:
    assert same_company(one, other) is same_company(other, one) is same


@pytest.mark.parametrize(
    ("text", "company", "form"),
    [
        ("FORM 10-K\nAcme, Inc.\n(Exact name of registrant as specified in its charter)\n", "Acme, Inc.", "10-K"),
        ("Form 10-Q/A\nAcme Corp (Exact Name of Registrant", "Acme Corp", "10-Q/A"),
        ("Acme Corporation\nBalance Sheets\n(in thousands)", "Acme Corporation", None),
        ("1 Sheet\nACME LABS CO.\nBALANCE SHEETS", "ACME LABS CO.", None),
        ("Acme Holdings, Inc. and its subsidiaries\nIncome statements", "Acme Holdings, Inc.", None),
        ("Balance sheets of the company\nTotal assets 5", None, None),
    ],
)
def test_the_cover_names_company_and_form(text: str, company: str | None, form: str | None) -> None:
    cover = read_cover(text, "en")
    assert (cover.company, cover.form) == (company, form)


def test_the_document_is_json_as_the_contract_says() -> None:
    report = extract_bytes(table(ROWS), "acme.htm")
    document = json.loads(json.dumps(to_document(report, features=Features()), allow_nan=False))
    assert list(document) == [
        "file", "kind", "language", "company", "form", "period_end", "currency", "facts", "statements", "sections",
        "checks", "features",
    ]  # fmt: skip
    assert document["facts"][0]["value"] == "1200000000"
    assert document["statements"]["balance"][0]["months"] is None
    assert len(document["features"]) >= 200
    assert document["features"]["equity_to_assets"]["value"] == 0.25
    assert all((one["value"] is None) != (one["missing"] is None) for one in document["features"].values())


def test_text_without_statements_still_has_features_of_its_wording() -> None:
    words = "We may default on our loans. There is substantial doubt about our ability to continue. " * 30
    features = to_document(extract_bytes(words.encode(), "note.txt"), features=Features())["features"]
    assert any(name.startswith("text_") and one["value"] is not None for name, one in features.items())


def test_reading_reports_imports_neither_torch_nor_pandas() -> None:
    code = "import sys, apps.cli.report; print([m for m in ('torch', 'pandas', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"

"""Made-up statements as workbooks and as CSV: numbers as numbers in the one, as printed in the other."""

import csv
import io
from datetime import UTC, datetime

import xlsxwriter

from data.finance.report_cells import head_cells, note_column, row_cells, scale_of
from data.finance.report_filing import Filing, Row, Sheet
from data.finance.report_style import Style

_NAMES = {"balance": ("Balance Sheet", "资产负债表"), "income": ("Income Statement", "利润表"),
          "cash_flow": ("Cash Flow", "现金流量表")}  # fmt: skip


def workbook(filing: Filing) -> bytes:
    """A sheet a statement: titles over it, headings in the first column, numbers in the unit of the page."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": datetime(2020, 1, 1, tzinfo=UTC), "title": filing.company.name})
    digits = filing.style.decimals
    money = book.add_format({"num_format": f"#,##0{'.' + '0' * digits if digits else ''}"})
    for place, sheet in enumerate(filing.statements):
        page = book.add_worksheet(_sheet_name(sheet, place, filing.company.country))
        page.set_column(0, 0, 48)
        row = 0
        for words in sheet.titles:
            page.write_string(row, 0, words)
            row += 1
        for column, words in enumerate(head_cells(sheet)):
            page.write_string(row, column, words)
        first = 2 if note_column(sheet) else 1
        for number, line in enumerate(sheet.rows, start=row + 1):
            page.write_string(number, 0, line.words)
            if line.note:
                page.write_string(number, 1, line.note)
            for column, value in enumerate(_numbers(line, filing.style), start=first):
                if value is not None:
                    page.write_number(number, column, value, money)
    book.close()
    return out.getvalue()


def statement_csv(filing: Filing) -> str:
    """The statements one under the other, as exported from a terminal: text cells, an empty line between them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n" if filing.style.wide_margin else "\n")
    for sheet in filing.statements:
        for words in sheet.titles:
            writer.writerow([words])
        writer.writerow(head_cells(sheet))
        writer.writerows(row_cells(row, sheet, filing.style) for row in sheet.rows)
        writer.writerow([])
    return out.getvalue()


def _sheet_name(sheet: Sheet, place: int, country: str) -> str:
    english, chinese = _NAMES[sheet.name or "income"]
    if country == "cn":
        return f"{'合并' if sheet.scope == 'consolidated' else '母公司'}{chinese}"
    return f"{place + 1} {english}"


def _numbers(row: Row, style: Style) -> list[float | None]:
    return [float(f.shown / scale_of(f, style)) if f.value else None for f in row.figures]

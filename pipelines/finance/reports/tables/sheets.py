"""Statements in XLSX workbooks and CSV files -> text and tables, as every reader of statements leaves them."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl

from core.errors import InputError
from data.csv_sniff import find_delimiter, find_encoding
from pipelines.finance.reports.archive import read_members
from pipelines.finance.reports.tables.paged import PagedDocument
from pipelines.finance.reports.tables.sheet_tables import Sheet, letters_of, to_document

MAX_FILE_BYTES = 64 << 20
MAX_ROWS = 20_000  # of all sheets together
MAX_COLUMNS = 512
MAX_CELL_CHARS = 32_767
SAMPLE_CHARS = 1 << 16
_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"  # .xls, and workbooks with a password
_FORMULA_ERROR = re.compile(r"#(REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!|N/A)")
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=\"([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})\"")
_DOCTYPE = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


def read_sheet(content: bytes, file: str) -> PagedDocument:
    """Text and tables of all visible sheets, or of a CSV file.

    Raises InputError: FILE_TOO_LARGE, WRONG_FORMAT (.xls), EMPTY_FILE, UNDECODABLE, UNCALCULATED, FORMULA_ERROR,
    TOO_MANY_ROWS, DAMAGED_FILE, and those of `archive.read_members` for ZIP files that unpack to too much.
    """
    if len(content) > MAX_FILE_BYTES:
        raise InputError(
            f"{file}: {len(content)} bytes; statements of up to {MAX_FILE_BYTES} bytes are read; keep the sheets with "
            "the statements",
            code="FILE_TOO_LARGE",
        )
    if content.startswith(_OLD_EXCEL):
        raise InputError(
            f"{file}: a workbook in the old .xls format or with a password; save it as .xlsx without a password",
            code="WRONG_FORMAT",
        )
    sheets, notes = _workbook(content, file) if content.startswith(_ZIP) else ([_csv(content, file)], [])
    if not any(sheet.rows for sheet in sheets):
        stated = f" ({notes[0]})" if notes else ""
        raise InputError(f"{file}: no visible sheet holds anything{stated}; give the statements", code="EMPTY_FILE")
    return to_document(sheets, notes)


def _csv(content: bytes, file: str) -> Sheet:
    encoding, _ = find_encoding(content, Path(file))
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file}, byte {error.start}: the text is no {encoding}; save the file as UTF-8", code="UNDECODABLE"
        ) from None
    if "\0" in text:
        raise InputError(f"{file}: the text holds NUL bytes; this is no text table", code="UNDECODABLE")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    delimiter = find_delimiter(_widest_part(text[:SAMPLE_CHARS]))
    rows: dict[int, list[str]] = {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                _check_size(len(rows), cells, file)
                rows[reader.line_num] = cells
    except csv.Error as error:
        raise InputError(
            f"{file}, line {reader.line_num}: {error}; close the quotes and save it again", code="DAMAGED_FILE"
        ) from None
    return Sheet(name="", number=1, rows=rows)


def _widest_part(text: str) -> str:
    """Without titles above the columns: the lines from the first that holds as many delimiters as most do."""
    lines = [line for line in text.split("\n") if line.strip()]
    counts = [max(line.count(mark) for mark in ",;\t|") for line in lines]
    most = max(counts, default=0)
    return "\n".join(line for line, count in zip(lines, counts, strict=True) if 2 * count >= most)


def _check_size(rows: int, cells: list[str], file: str) -> None:
    if rows >= MAX_ROWS:
        raise InputError(f"{file}: more than {MAX_ROWS} rows; keep the statements only", code="TOO_MANY_ROWS")
    if len(cells) > MAX_COLUMNS or any(len(cell) > MAX_CELL_CHARS for cell in cells):
        raise InputError(
            f"{file}: a row has more than {MAX_COLUMNS} columns or a cell more than {MAX_CELL_CHARS} characters; keep "
            "the statements only",
            code="TOO_MANY_COLUMNS",
        )


def _workbook(content: bytes, file: str) -> tuple[list[Sheet], list[str]]:
    members = read_members(content, file, lambda name: name.endswith((".xml", ".rels")))
    if "xl/workbook.xml" not in members:
        raise InputError(f"{file}: a ZIP file and no XLSX workbook; unpack it first", code="WRONG_FORMAT")
    for name, part in members.items():
        if _DOCTYPE.search(part[:4096].replace(b"\0", b"").decode("latin-1")):
            raise InputError(
                f"{file}: {name} declares a document type or entities, which no spreadsheet program writes; save the "
                "workbook again",
                code="DAMAGED_FILE",
            )
    values = _load(content, file, cached=True)
    has_formulas = any(b"<f" in part for name, part in members.items() if name.startswith("xl/worksheets/"))
    formulas = _load(content, file, cached=False) if has_formulas else None
    try:
        visible = [sheet for sheet in values.worksheets if sheet.sheet_state == "visible"]
        hidden = [sheet.title for sheet in values.worksheets if sheet.sheet_state != "visible"]
        sheets, total = [], 0
        for number, sheet in enumerate(visible, 1):
            written = formulas[sheet.title] if formulas is not None else None
            rows = _sheet_rows(sheet, written, total, file)
            total += len(rows)
            widths = _merged_widths(members.get(sheet._worksheet_path.lstrip("/"), b""))
            sheets.append(Sheet(name=sheet.title, number=number, rows=rows, widths=widths))
    finally:
        values.close()
        if formulas is not None:
            formulas.close()
    return sheets, [f"hidden sheets are not read: {', '.join(hidden)}"] if hidden else []


def _load(content: bytes, file: str, *, cached: bool) -> Any:
    try:
        return openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=cached, keep_links=False)
    except (KeyError, ValueError, TypeError, AttributeError, SyntaxError, OSError) as error:
        raise _damaged(file, error) from None


def _damaged(file: str, error: Exception) -> InputError:
    said = str(error)[:120] or type(error).__name__
    return InputError(f"{file}: the workbook is damaged ({said}); save it again", code="DAMAGED_FILE")


def _sheet_rows(sheet: Any, written: Any, behind: int, file: str) -> dict[int, list[str]]:
    rows: dict[int, list[str]] = {}
    formulas = iter(written.iter_rows(values_only=True)) if written is not None else None
    try:
        for number, values in _bounded_rows(sheet, file):
            marks = next(formulas, ()) if formulas is not None else ()
            _check_formulas(values, marks, number, sheet.title, file)
            cells = [_text(value) for value in values]
            if any(cells):
                _check_size(behind + len(rows), cells, file)
                rows[number] = cells
    except (KeyError, ValueError, TypeError, IndexError, SyntaxError) as error:
        if isinstance(error, InputError):
            raise
        raise _damaged(file, error) from None
    return rows


def _bounded_rows(sheet: Any, file: str) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """A sheet may claim a million empty rows; they are walked, but not for ever."""
    for number, values in enumerate(sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS), 1):
        if number > 50 * MAX_ROWS:
            raise InputError(
                f"{file}: sheet {sheet.title!r} has too many rows; delete empty rows", code="TOO_MANY_ROWS"
            )
        yield number, values


def _check_formulas(values: tuple[Any, ...], marks: tuple[Any, ...], number: int, sheet: str, file: str) -> None:
    for column, value in enumerate(values):
        cell = f"{file}, sheet {sheet!r}, cell {letters_of(column)}{number}"
        if value is None and column < len(marks) and marks[column] is not None:
            raise InputError(
                f"{cell}: a formula without its value; open the workbook in a spreadsheet program and save it",
                code="UNCALCULATED",
            )
        if isinstance(value, str) and _FORMULA_ERROR.fullmatch(value):
            raise InputError(f"{cell} holds {value}; mend the formula", code="FORMULA_ERROR")


def _text(value: object) -> str:
    """As it would be typed: exact digits, ISO dates."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = format(Decimal(repr(value)), "f")
        return text.removesuffix(".0")
    return " ".join(str(value).split())


def _merged_widths(xml: bytes) -> Mapping[tuple[int, int], int]:
    """(row, column from 0) of merged cells -> over how many columns they reach."""
    widths: dict[tuple[int, int], int] = {}
    for left, top, right, _ in _MERGED.findall(xml):
        first, last = _column(left.decode()), _column(right.decode())
        widths[int(top), first] = max(1, min(last, MAX_COLUMNS) - first + 1)
    return widths


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1

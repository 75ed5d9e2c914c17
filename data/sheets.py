"""Reads XLSX workbooks by rows: one visible sheet, values only. Every cell becomes text as a CSV would hold it."""

import zipfile
from collections.abc import Collection, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa

from core.errors import InputError
from data.csv_blocks import Piece
from data.csv_sniff import header_names
from data.source import Source, stamp_of

MAX_RATIO = 100  # unpacked to packed size of one entry, above a megabyte
MAX_UNPACKED_BYTES = 2 << 30
MAX_ENTRIES = 10_000
MAX_ROWS = 1_048_576
_ROWS_PER_PIECE = 5_000
_FORMULA_ERRORS = ("#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!")


def open_sheet(path: Path) -> Source:
    """Raises InputError for what unpacks to too much, has no visible sheet with rows, or holds merged cells."""
    _check_archive(path)
    book = _load(path, values=True)
    try:
        sheet, notes = _the_sheet(book, path)
        rows = _filled_rows(sheet)
        head = next(rows, None)
        if head is None:
            raise InputError(f"{path} is empty; a table needs a header line and rows", code="EMPTY_FILE")
        cells = [_as_text(cell) for cell in head[1]]
        while cells and not cells[-1].strip():
            cells.pop()
        columns, header_notes = header_names(cells, path)
        if next(rows, None) is None:
            raise InputError(f"{path} holds a header and no rows; nothing can be read from it", code="NO_ROWS")
    finally:
        book.close()
    return Source(
        path=path,
        format="xlsx",
        encoding="",
        delimiter="",
        columns=columns,
        notes=(*notes, *header_notes),
        header_lines=head[0],
        sheet=sheet.title,
        stamp=stamp_of(path),
    )


def sheet_pieces(source: Source, keep: Collection[str]) -> Iterator[Piece]:
    """All rows as columns of text. A row with more cells than the header, or with a formula that was never
    calculated, keeps its place with an error."""
    width = len(source.columns)
    cells: list[list[str | None]] = []
    errors: dict[int, str] = {}
    start = 0
    for number, row, formulas in _rows_with_formulas(source):
        if number > MAX_ROWS:
            raise InputError(f"{source.path} has more than {MAX_ROWS} rows; save it as CSV", code="TOO_MANY_ROWS")
        texts = [_as_text(cell) for cell in row]
        if error := _row_error(source, number, row, texts, formulas):
            errors[len(cells)] = error
            texts = [text if name in keep else "" for name, text in zip(source.columns, texts, strict=False)]
        cells.append([*texts[:width], *[""] * (width - len(texts))])
        if len(cells) == _ROWS_PER_PIECE:
            yield _piece(source, cells, errors, start)
            start += len(cells)
            cells, errors = [], {}
    if cells:
        yield _piece(source, cells, errors, start)


def _piece(source: Source, cells: list[list[str | None]], errors: dict[int, str], start: int) -> Piece:
    columns = zip(*cells, strict=True)
    table = pa.table(
        {name: pa.array(values, pa.string()) for name, values in zip(source.columns, columns, strict=True)}
    )
    return Piece(table=table, rows=np.arange(start, start + len(cells), dtype=np.int64), errors=errors)


def _row_error(source: Source, number: int, row: tuple[Any, ...], texts: list[str], formulas: tuple[Any, ...]) -> str:
    width = len(source.columns)
    if any(texts[width:]):
        return f"RAGGED_ROW: row {number} of the sheet holds more values than the header names ({width})"
    for name, cell, formula in zip(source.columns, row, formulas, strict=False):
        if cell is None and formula is not None:
            return (
                f"UNCALCULATED: column {name!r} holds a formula without its value; "
                "open the workbook in a spreadsheet program and save it"
            )
    for name, text in zip(source.columns, texts, strict=False):
        if text in _FORMULA_ERRORS:
            return f"FORMULA_ERROR: column {name!r} holds {text}"
    return ""


def _rows_with_formulas(source: Source) -> Iterator[tuple[int, tuple[Any, ...], tuple[Any, ...]]]:
    """Row number in the sheet, values, and formulas (empty where the sheet holds none at all)."""
    has_formulas = _holds(source.path, source.sheet, b"<f")
    books = [_load(source.path, values=True)] + ([_load(source.path, values=False)] if has_formulas else [])
    try:
        values = _filled_rows(books[0][source.sheet], source.header_lines)
        if not has_formulas:
            for number, row in values:
                yield number, row, ()
            return
        formulas = books[1][source.sheet].iter_rows(min_row=source.header_lines + 1, values_only=True)
        ahead = enumerate(formulas, source.header_lines + 1)
        for number, row in _all_rows(books[0][source.sheet], source.header_lines):
            written = next(ahead)[1]
            if any(cell is not None for cell in (*row, *written)):
                yield number, row, written
    finally:
        for book in books:
            book.close()


def _filled_rows(sheet: Any, behind: int = 0) -> Iterator[tuple[int, tuple[Any, ...]]]:
    return ((number, row) for number, row in _all_rows(sheet, behind) if any(cell is not None for cell in row))


def _all_rows(sheet: Any, behind: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    return enumerate(sheet.iter_rows(min_row=behind + 1, values_only=True), behind + 1)


def _as_text(cell: object) -> str:
    """As a CSV would hold it: whole numbers without a point, dates in ISO form."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)


def _the_sheet(book: Any, path: Path) -> tuple[Any, list[str]]:
    """The first visible sheet that holds anything; what was passed over is noted."""
    visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    hidden = [sheet.title for sheet in book.worksheets if sheet.sheet_state != "visible"]
    filled = [sheet for sheet in visible if next(_filled_rows(sheet), None) is not None]
    notes = [f"hidden sheets are not read: {', '.join(hidden)}"] if hidden else []
    if not filled:
        raise InputError(
            f"{path} has no visible sheet with cells" + (f"; {notes[0]}" if notes else ""), code="EMPTY_FILE"
        )
    if len(filled) > 1:
        notes.append(f"sheet {filled[0].title!r} was read; not read: {', '.join(sheet.title for sheet in filled[1:])}")
    if _holds(path, filled[0].title, b"<mergeCell "):
        raise InputError(f"{path}, sheet {filled[0].title!r}: cells are merged; unmerge them", code="MERGED_CELLS")
    return filled[0], notes


def _check_archive(path: Path) -> None:
    """Refuse archives that unpack to far more than they hold, before any entry is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, RuntimeError) as error:  # RuntimeError: a zip version that the library lacks
        raise InputError(f"{path}: the workbook is damaged ({error}); save it again", code="DAMAGED_FILE") from None
    if not any(entry.filename == "xl/workbook.xml" for entry in entries):
        raise InputError(f"{path} is a ZIP file and no XLSX workbook; unpack it first", code="WRONG_FORMAT")
    total = sum(entry.file_size for entry in entries)
    dense = [e for e in entries if e.file_size > 1 << 20 and e.file_size > MAX_RATIO * max(1, e.compress_size)]
    if dense or total > MAX_UNPACKED_BYTES or len(entries) > MAX_ENTRIES:
        raise InputError(
            f"{path}: the workbook unpacks to {total} bytes; allowed are {MAX_RATIO} times its size and "
            f"{MAX_UNPACKED_BYTES} bytes; save it as CSV",
            code="ZIP_BOMB",
        )


def _load(path: Path, *, values: bool) -> Any:
    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=values, keep_links=False)
    except (KeyError, ValueError, zipfile.BadZipFile, SyntaxError, OSError) as error:
        raise InputError(f"{path}: the workbook is damaged ({error}); save it again", code="DAMAGED_FILE") from None


def _holds(path: Path, sheet: str, mark: bytes) -> bool:
    """Whether the XML of the sheet holds these bytes; read in blocks."""
    book = _load(path, values=True)
    entry = book[sheet]._worksheet_path.lstrip("/")
    book.close()
    tail = b""
    with zipfile.ZipFile(path) as archive, archive.open(entry) as stream:
        while block := stream.read(1 << 20):
            if mark in tail + block:
                return True
            tail = block[-len(mark) :]
    return False

"""Writes tables: CSV, CSV.GZ, Parquet, XLSX. The file appears whole or not at all."""

import gzip
import os
import secrets
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xlsxwriter

from core.errors import AssayError, InputError

MAX_SHEET_ROWS = 1_048_576
# A spreadsheet program takes a cell that begins so for a formula; plain numbers are harmless.
_FORMULA = r"^[=+\-@\t\r\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


class _Writer(Protocol):
    def write(self, table: pa.Table) -> None: ...
    def close(self) -> None: ...


class TableWriter:
    """Writes frames of equal columns into one file, in the format of its suffix.

    Used as a context manager: rows go into a temporary file in the same folder, which takes the name after the last
    row was written and synced; where the block raises, nothing is left. Text that a spreadsheet program would run as
    a formula gets a leading apostrophe in CSV and XLSX, and NUL bytes become the replacement character.
    """

    def __init__(self, path: Path) -> None:
        if not path.name:
            raise InputError(f"{path} is a folder; name a file")
        self.path = path
        self.rows = 0
        self._columns: list[str] | None = None
        self._part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        opener = next((made for suffix, made in _WRITERS.items() if path.name.lower().endswith(suffix)), None)
        if opener is None:
            raise InputError(f"{path}: a table is written as {', '.join(_WRITERS)}; give the file one of these endings")
        if not path.parent.is_dir():
            raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a file")
        self._opener = opener

    def __enter__(self) -> Self:
        try:
            self._writer: _Writer = self._opener(self._part)
        except OSError as error:
            raise _disk(self.path, error) from error
        return self

    def write(self, frame: pd.DataFrame) -> None:
        """Append rows. The columns are those of the first call; ValueError where they differ or there are none."""
        names = [str(name) for name in frame.columns]
        if not names:
            raise ValueError("a table needs at least one column")
        self._columns = self._columns or names
        if names != self._columns:
            raise ValueError(f"a table's columns must stay {self._columns}, got {names}")
        try:
            self._writer.write(_to_arrow(frame))
        except OSError as error:
            raise _disk(self.path, error) from error
        self.rows += len(frame)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._writer.close()
            if kind is None:
                if self._columns is None:
                    raise ValueError(
                        f"nothing was written to {self.path}; write at least one frame, be it without rows"
                    )
                _sync(self._part)
                os.replace(self._part, self.path)
                _sync(self.path.parent)
        except OSError as fault:
            raise _disk(self.path, fault) from fault
        finally:
            self._part.unlink(missing_ok=True)


class _CsvWriter:
    def __init__(self, part: Path, *, gzipped: bool = False) -> None:
        self.file: IO[bytes] = open(part, "xb")  # noqa: SIM115 - closed by close()
        # no name and no time in the gzip head: the same rows give the same bytes
        self.out: Any = (
            gzip.GzipFile(filename="", mode="wb", fileobj=self.file, compresslevel=4, mtime=0) if gzipped else self.file
        )
        self.started = False

    def write(self, table: pa.Table) -> None:
        if not self.started:
            self.started = True
            head = pa.table({str(place): pa.array([name]) for place, name in enumerate(table.column_names)})
            self.out.write(_csv_lines(head))
        for batch in table.to_batches(max_chunksize=1 << 16):
            self.out.write(_csv_lines(pa.Table.from_batches([batch])))

    def close(self) -> None:
        if self.out is not self.file:
            self.out.close()
        self.file.close()


class _ParquetWriter:
    def __init__(self, part: Path) -> None:
        self.part = part
        self.writer: Any = None

    def write(self, table: pa.Table) -> None:
        if self.writer is None:
            # a column without one value in the first rows is text: numbers come as NaN
            fields = [f if f.type != pa.null() else pa.field(f.name, pa.string()) for f in table.schema]
            self.schema = pa.schema(fields)
            self.writer = pq.ParquetWriter(self.part, self.schema)
        self.writer.write_table(table.cast(self.schema))

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


class _SheetWriter:
    def __init__(self, part: Path) -> None:
        # beside the file, where its size was reckoned with; the library does not always remove what it puts there
        self.scratch = tempfile.TemporaryDirectory(prefix=f"{part.name}.", dir=part.parent)
        self.book = xlsxwriter.Workbook(
            part,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "tmpdir": self.scratch.name,
            },
        )
        self.sheet = self.book.add_worksheet("table")
        self.row = 0

    def write(self, table: pa.Table) -> None:
        if self.row == 0:
            self._line(_safe_text(pa.array(table.column_names)).to_pylist())
        if self.row + table.num_rows > MAX_SHEET_ROWS:
            raise InputError(f"a sheet holds at most {MAX_SHEET_ROWS} rows; write CSV or Parquet", code="TOO_MANY_ROWS")
        columns = [_safe_text(column) if _is_text(column.type) else column for column in table.columns]
        for cells in zip(*(column.to_pylist() for column in columns), strict=True):
            self._line(cells)

    def _line(self, cells: Any) -> None:
        for place, cell in enumerate(cells):
            if isinstance(cell, str):
                self.sheet.write_string(self.row, place, cell)
            elif isinstance(cell, float) and cell - cell != 0:  # NaN and infinity have no place in a sheet
                self.sheet.write_blank(self.row, place, None)
            elif cell is not None:
                self.sheet.write(self.row, place, cell if isinstance(cell, int | float | bool) else str(cell))
        self.row += 1

    def close(self) -> None:
        try:
            self.book.close()
        except xlsxwriter.exceptions.FileCreateError as error:
            raise OSError(f"the workbook could not be packed ({error})") from error
        finally:
            self.scratch.cleanup()


_WRITERS: dict[str, Any] = {
    ".csv.gz": lambda part: _CsvWriter(part, gzipped=True),
    ".csv": _CsvWriter,
    ".parquet": _ParquetWriter,
    ".xlsx": _SheetWriter,
}


def _to_arrow(frame: pd.DataFrame) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowTypeError, pa.ArrowInvalid):  # objects of several types in one column: as text
        mixed = frame.select_dtypes(object)
        return pa.Table.from_pandas(frame.assign(**mixed.astype("str").where(mixed.notna())), preserve_index=False)


def _csv_lines(table: pa.Table) -> memoryview:
    """The rows as UTF-8 lines. Joined column by column, the text lies in one buffer of the result already."""
    cells = [_csv_cells(column) for column in table.columns]
    cells[-1] = _join(cells[-1], "\n", between="")
    lines = _join(*cells, between=",")
    lines = lines.combine_chunks() if isinstance(lines, pa.ChunkedArray) else lines
    offsets = memoryview(lines.buffers()[1]).cast("q")
    start, stop = offsets[lines.offset], offsets[lines.offset + len(lines)]
    return memoryview(lines.buffers()[2])[start:stop]


def _csv_cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cells as large strings: missing is empty, text is escaped, and quoted where it must be."""
    if not _is_text(column.type):
        finite = pc.if_else(pc.is_nan(column), None, column) if pa.types.is_floating(column.type) else column
        return pc.fill_null(pc.cast(finite, pa.large_string()), "")
    cells = _safe_text(column)
    needs = pc.match_substring_regex(cells, '[",\n\r]')
    if pc.any(needs).as_py():
        quoted = _join('"', pc.replace_substring(cells, '"', '""'), '"', between="")
        cells = pc.if_else(needs, quoted, cells)
    return cells


def _safe_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    cells = pc.fill_null(pc.cast(column, pa.large_string()), "")
    if pc.any(pc.match_substring(cells, "\0")).as_py():
        cells = pc.replace_substring(cells, "\0", "\ufffd")
    risky = pc.match_substring_regex(cells, _FORMULA)
    if pc.any(risky).as_py():
        risky = pc.and_(risky, pc.invert(pc.match_substring_regex(cells, _NUMBER)))
        cells = pc.if_else(risky, _join("'", cells, between=""), cells)
    return cells


def _join(*parts: pa.ChunkedArray | str, between: str) -> pa.ChunkedArray:
    """Join row by row; a plain string stands for a column of it."""
    wide = [pa.scalar(part, pa.large_string()) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*wide, pa.scalar(between, pa.large_string()))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _disk(path: Path, error: OSError) -> AssayError:
    return AssayError(f"{path} could not be written: {error.strerror or error}; free space or choose another folder")

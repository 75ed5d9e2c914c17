"""One reader and one writer for tables: CSV (also gzipped), Parquet and XLSX.

The reader streams: memory depends on the rows of a chunk, not on those of the file. A row that cannot be read keeps
its place and gets an error. Formats are told by content, not by the file's name.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from core.errors import InputError
from data.cells import as_strings, to_numbers, with_decimal_point, without_missing
from data.csv_blocks import Piece, csv_pieces
from data.csv_sniff import sniff
from data.parquet import open_parquet, parquet_pieces
from data.selection import Selection
from data.sheets import open_sheet, sheet_pieces
from data.source import Chunk, Source, check_unchanged, stamp_of
from data.writing import TableWriter

__all__ = ["Chunk", "Source", "TableWriter", "open_source", "read_chunks", "read_table"]

NO_FILTER: Mapping[str, str] = MappingProxyType({})
_READ_WHOLE = 1 << 40


def open_source(path: Path) -> Source:
    """Look at the head of a table file.

    Raises InputError, with the file's name and the way out, where it is missing, empty, a header only, of a format
    that is not read, of no known encoding, or where its header is no good.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", code="FILE_MISSING")
    if not path.is_file():
        raise InputError(f"{path} is no file; name one table", code="FILE_MISSING")
    with open(path, "rb") as stream:
        magic = stream.read(8)
    if magic.startswith(b"PAR1"):
        return open_parquet(path)
    if magic.startswith(b"PK\x03\x04"):
        return open_sheet(path)
    if magic.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError(f"{path} is an old Excel file (xls); save it as XLSX or CSV", code="WRONG_FORMAT")
    compression = "gzip" if magic.startswith(b"\x1f\x8b") else ""
    layout = sniff(path, compression)
    return Source(
        path=path,
        format="csv",
        encoding=layout.encoding,
        delimiter=layout.delimiter,
        columns=layout.columns,
        notes=layout.notes,
        compression=compression,
        header_lines=layout.header_lines,
        decimal=layout.decimal,
        stamp=stamp_of(path),
    )


def read_chunks(
    source: Source | Path,
    *,
    rows: int = 50_000,
    text: Collection[str] = (),
    numbers: Collection[str] = (),
    where: Mapping[str, str] = NO_FILTER,
) -> Iterator[Chunk]:
    """Read a table in chunks of at most `rows` rows, in file order.

    Columns in `text` come back as written (00123 and NA stay); columns in `numbers` become numbers, or stay text
    where a cell is none; all others are inferred chunk by chunk. `where` keeps the rows whose column has that
    value: as text as written, in a column of numbers by value. Raises InputError as `open_source` does, and where a
    column is unknown, no row is kept, a quote is never closed, or the file changes meanwhile.
    """
    if rows < 1:
        raise InputError(f"rows per chunk must be at least 1, got {rows}")
    source = open_source(source) if isinstance(source, Path) else source
    selection = Selection(where, source)
    return _chunks(source, selection, rows, frozenset(text), frozenset(numbers))


def read_table(
    path: Path, *, text: Collection[str] = (), numbers: Collection[str] = (), where: Mapping[str, str] = NO_FILTER
) -> Chunk:
    """All rows at once, as one chunk; see `read_chunks`."""
    return next(read_chunks(path, rows=_READ_WHOLE, text=text, numbers=numbers, where=where))


def _chunks(
    source: Source, selection: Selection, rows: int, text: frozenset[str], numbers: frozenset[str]
) -> Iterator[Chunk]:
    waiting: list[Piece] = []
    count = kept = 0
    for piece in _pieces(source, text, min(rows, 65_536)):
        wanted = selection.keep(piece)
        if not len(wanted.rows):
            continue
        waiting.append(wanted)
        count += len(wanted.rows)
        while count >= rows:
            ready, waiting = _cut(waiting, rows)
            count -= rows
            kept += rows
            yield _to_chunk(ready, source, text, numbers)
    check_unchanged(source)
    if count:
        yield _to_chunk(waiting, source, text, numbers)
    elif not kept:
        raise selection.nothing_kept()


def _pieces(source: Source, keep: frozenset[str], rows: int) -> Iterator[Piece]:
    if source.format == "parquet":
        return parquet_pieces(source, rows)
    return sheet_pieces(source, keep) if source.format == "xlsx" else csv_pieces(source, keep)


def _cut(pieces: list[Piece], rows: int) -> tuple[list[Piece], list[Piece]]:
    """Split a list of pieces behind its first `rows` rows."""
    ready: list[Piece] = []
    for place, piece in enumerate(pieces):
        if rows >= len(piece.rows):
            ready.append(piece)
            rows -= len(piece.rows)
            continue
        front = _slice(piece, 0, rows)
        return [*ready, front] if rows else ready, [_slice(piece, rows, len(piece.rows)), *pieces[place + 1 :]]
    return ready, []


def _slice(piece: Piece, start: int, stop: int) -> Piece:
    errors = {at - start: words for at, words in piece.errors.items() if start <= at < stop}
    return Piece(table=piece.table.slice(start, stop - start), rows=piece.rows[start:stop], errors=errors)


def _to_chunk(pieces: list[Piece], source: Source, text: frozenset[str], numbers: frozenset[str]) -> Chunk:
    table = pa.concat_tables([piece.table for piece in pieces])
    rows = np.concatenate([piece.rows for piece in pieces])
    errors: dict[int, str] = {}
    start = 0
    for piece in pieces:
        errors.update({start + at: words for at, words in piece.errors.items()})
        start += len(piece.rows)
    columns = {name: _convert(table[name], name in text, name in numbers, source) for name in table.column_names}
    return Chunk(frame=pa.table(columns).to_pandas(), first_row=int(rows[0]), rows=rows, errors=errors)


def _convert(column: pa.ChunkedArray, as_text: bool, as_number: bool, source: Source) -> pa.Array:
    """The column as string, int64, float64 or timestamp."""
    if as_text:
        return without_missing(as_strings(column), empty_only=True)
    if not pa.types.is_string(column.type) or (source.format == "parquet" and not as_number):
        return column
    cells = as_strings(column)
    if source.decimal == ",":
        cells = with_decimal_point(cells)
    found = to_numbers(cells, forced=as_number)
    return without_missing(cells, empty_only=True) if found is None else found

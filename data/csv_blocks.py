"""Streams a text table as blocks of whole records, and parses each into columns of text. Bad rows keep their place."""

import codecs
import csv
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from core.errors import InputError
from data.csv_quotes import open_quote_at, record_end, torn_quote_at
from data.csv_sniff import looks_like_gb18030, open_bytes, read_bytes, unclosed_quote
from data.source import Source

BLOCK_BYTES = 8 << 20
MAX_RECORD_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some rows of a table in file order."""

    table: pa.Table
    rows: NDArray[np.int64]  # data row in the file, from 0
    errors: dict[int, str]  # position in table -> "CODE: words"
    loose: dict[int, list[str]] = field(default_factory=dict)  # position -> cells of a row that does not fit the header


@dataclass(frozen=True)
class _Block:
    """Whole records: text[start:end], not copied."""

    text: bytes
    start: int
    end: int

    def holds(self, mark: bytes) -> bool:
        return self.text.find(mark, self.start, self.end) >= 0

    def blank(self) -> bool:
        return self.end - self.start < 1 << 16 and not self.text[self.start : self.end].strip(b"\r\n")


class _TextStream:
    """Decodes a file block by block into UTF-8 bytes with line feeds."""

    def __init__(self, stream: BinaryIO, source: Source) -> None:
        self.stream, self.source = stream, source
        self.decoder = codecs.getincrementaldecoder(source.encoding)()
        self.encoding = source.encoding
        self.ascii_so_far = True
        self.old_line_ends: bool | None = None
        self.blocks = 0

    def read(self) -> bytes:
        raw = read_bytes(self.stream, BLOCK_BYTES, self.source.path)
        plain = self.encoding == "utf-8" and self.ascii_so_far and raw.isascii()
        block = raw if plain else self._decode(raw).encode()
        self.ascii_so_far = plain
        if self.old_line_ends is None:
            block = block.removeprefix(codecs.BOM_UTF8)
            self.old_line_ends = b"\n" not in block and b"\r" in block
        self.blocks += 1
        return block.replace(b"\r", b"\n") if self.old_line_ends else block

    def lines(self) -> int:
        """Line ends in all blocks so far. They are counted by a second reading, for an error only."""
        with open_bytes(self.source.path, self.source.compression) as stream:
            again = _TextStream(stream, self.source)
            return sum(again.read().count(b"\n") for _ in range(self.blocks))

    def _decode(self, raw: bytes) -> str:
        try:
            return self.decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            if self.encoding == "utf-8" and self.ascii_so_far and looks_like_gb18030(raw):
                # nothing read so far differs between the two, so the head's look could not tell them apart
                self.encoding = "gb18030"
                self.decoder = codecs.getincrementaldecoder("gb18030")()
                return self._decode(raw)
            line = self.lines() + raw.count(b"\n", 0, error.start) + 1
            raise InputError(
                f"{self.source.path}, near line {line}: the bytes are no {self.encoding} text; save the file as UTF-8",
                code="UNDECODABLE",
            ) from None


def csv_pieces(source: Source, keep: Collection[str]) -> Iterator[Piece]:
    """All rows as columns of text. A row with too many or too few cells keeps its place, with an error; of its
    cells only the columns in `keep` stay (by position), the rest is missing."""
    row = 0
    with open_bytes(source.path, source.compression) as stream:
        decoded = _TextStream(stream, source)
        for block in _blocks(decoded, source):
            piece = _parse(block, source, keep, row)
            _check_quotes(piece.table, block, decoded)
            row += len(piece.rows)
            if len(piece.rows):
                yield piece


def _blocks(stream: _TextStream, source: Source) -> Iterator[_Block]:
    """Blocks of whole records without the header."""
    rest, skip = b"", source.header_lines
    while fresh := stream.read():
        rest = rest + fresh if rest else fresh
        start, skip = _behind_lines(rest, skip)
        end = 0 if skip else record_end(rest, source.delimiter)
        if end > start:
            yield _Block(rest, start, end)
        elif len(rest) > MAX_RECORD_BYTES:
            raise _unclosed(stream, rest)
        rest = rest[max(start, end) :]
    if rest and not skip:
        if open_quote_at(rest, source.delimiter) is not None:
            raise _unclosed(stream, rest)
        yield _Block(rest, 0, len(rest))


def _behind_lines(text: bytes, count: int) -> tuple[int, int]:
    """Offset behind the first `count` lines, and how many of them are still to come."""
    start = 0
    while count and (end := text.find(b"\n", start)) >= 0:
        start, count = end + 1, count - 1
    return start, count


def _unclosed(stream: _TextStream, rest: bytes) -> InputError:
    source = stream.source
    at = open_quote_at(rest, source.delimiter) or 0
    return unclosed_quote(source.path, stream.lines() - rest.count(b"\n", at) + 1)


def _check_quotes(table: pa.Table, block: _Block, stream: _TextStream) -> None:
    """A quote that is never closed swallows rows when a later quote ends it; the cell then holds a line end."""
    if block.holds(b'"') and any(pc.any(pc.match_substring(column, "\n")).as_py() for column in table.columns):
        text, delimiter = block.text[block.start : block.end], stream.source.delimiter
        at = torn_quote_at(text, delimiter)
        if at is not None:
            line = stream.lines() - block.text.count(b"\n", block.start + at) + 1
            raise unclosed_quote(stream.source.path, line)


def _parse(block: _Block, source: Source, keep: Collection[str], first_row: int) -> Piece:
    bad: list[arrow_csv.InvalidRow] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        bad.append(row)
        return "skip"

    if block.blank() and len(source.columns) > 1:
        return Piece(table=pa.table({}), rows=np.empty(0, np.int64), errors={})
    table = _read(block, source, note, threads=True)
    if bad:  # many threads do not tell which row it was; one does
        bad.clear()
        table = _read(block, source, note, threads=False)
    errors = {row.number - 1: _ragged(source, row, first_row) for row in bad}
    loose = {row.number - 1: next(csv.reader([row.text], delimiter=source.delimiter), []) for row in bad}
    if bad:
        table = _put_back(table, loose, source, keep)
    if block.holds(b"\0"):
        table = _mark_nul(table, errors, keep)
    rows = np.arange(first_row, first_row + table.num_rows, dtype=np.int64)
    return Piece(table=table, rows=rows, errors=errors, loose=loose)


def _read(block: _Block, source: Source, note: Callable[[arrow_csv.InvalidRow], str], *, threads: bool) -> pa.Table:
    quoted = block.holds(b'"')
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(pa.py_buffer(block.text).slice(block.start, block.end - block.start)),
            read_options=arrow_csv.ReadOptions(
                column_names=list(source.columns),
                use_threads=threads,
                # a quoted record must not straddle two of the parser's own blocks; neither may the row count start anew
                block_size=block.end - block.start + 1 if quoted or not threads else 1 << 20,
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=source.delimiter,
                newlines_in_values=quoted,
                invalid_row_handler=note,
                ignore_empty_lines=len(source.columns) > 1,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in source.columns}, strings_can_be_null=False, check_utf8=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"{source.path}: the rows cannot be read as a table ({error})", code="UNREADABLE") from None


def _put_back(table: pa.Table, loose: dict[int, list[str]], source: Source, keep: Collection[str]) -> pa.Table:
    """Insert the rows that do not fit the header at the places where they stood."""
    columns = {
        name: [cells[place] if name in keep and place < len(cells) else None for cells in loose.values()]
        for place, name in enumerate(source.columns)
    }
    total = table.num_rows + len(loose)
    order = np.empty(total, np.int64)
    is_loose = np.zeros(total, bool)
    is_loose[list(loose)] = True
    order[is_loose] = np.arange(table.num_rows, total)
    order[~is_loose] = np.arange(table.num_rows)
    return pa.concat_tables([table, pa.table(columns, schema=table.schema)]).take(pa.array(order))


def _ragged(source: Source, row: arrow_csv.InvalidRow, first_row: int) -> str:
    much = "too many" if row.actual_columns > row.expected_columns else "too few"
    return (
        f"RAGGED_ROW: row {first_row + row.number} holds {much} values ({row.actual_columns}); "
        f"the header names {len(source.columns)}"
    )


def _mark_nul(table: pa.Table, errors: dict[int, str], keep: Collection[str]) -> pa.Table:
    """Rows with a NUL byte get an error; the cell stays only in the columns in `keep`."""
    for place, name in enumerate(table.column_names):
        hit = pc.match_substring(table[name], "\0")
        for position in np.flatnonzero(hit.fill_null(False).to_numpy()):
            errors.setdefault(int(position), f"NUL_BYTE: column {name!r} holds a NUL byte")
        if name not in keep:
            table = table.set_column(place, name, pc.if_else(hit, None, table[name]))
    return table

"""Finds out how a text table is written: encoding, delimiter, header, decimal sign. It reads the head only."""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from core.errors import InputError
from data.csv_quotes import open_quote_at

SAMPLE_BYTES = 1 << 18
SAMPLE_CHARACTERS = 1 << 16
DELIMITERS = ",;\t|"
_BOMS = (  # the four-byte marks first: the mark of UTF-16-LE is the beginning of that of UTF-32-LE
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?(\d*,(\d{1,2}|\d{4,})|0,\d+|\d{4,},\d+|\d{1,3}(\.\d{3})+,\d+)")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the text is written."""

    encoding: str
    delimiter: str
    header_lines: int
    columns: tuple[str, ...]
    decimal: str
    notes: tuple[str, ...]


def open_bytes(path: Path, compression: str) -> BinaryIO:
    """The bytes of the file, unpacked where it is gzipped."""
    return cast(BinaryIO, gzip.open(path)) if compression == "gzip" else open(path, "rb")


def read_bytes(stream: BinaryIO, count: int, path: Path) -> bytes:
    """Read up to `count` bytes; InputError (DAMAGED_FILE) where the gzip data are cut short or broken."""
    try:
        return stream.read(count)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}: the gzip data are damaged ({error}); copy the file again", code="DAMAGED_FILE"
        ) from None


def sniff(path: Path, compression: str) -> Layout:
    """Look at the first megabyte. Raises InputError for what is no table: empty, header only, undecodable ..."""
    with open_bytes(path, compression) as stream:
        head = read_bytes(stream, SAMPLE_BYTES, path)
        whole = not read_bytes(stream, 1, path)
    if not head.strip(b"\r\n\t \0" + codecs.BOM_UTF8):
        raise InputError(f"{path} is empty; a table needs a header line and rows", code="EMPTY_FILE")
    encoding, notes = find_encoding(head, path)
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head).lstrip("\ufeff")
    whole = whole and len(text) <= SAMPLE_CHARACTERS
    text = text[:SAMPLE_CHARACTERS]
    text = text if "\n" in text else text.replace("\r", "\n")
    if not whole and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    skipped, hinted = _skip_preamble(text)
    lines = text.split("\n")
    body = "\n".join(lines[skipped:])
    delimiter = hinted or find_delimiter(body)
    records, header_lines = _records(body, delimiter)
    columns, header_notes = header_names(records[0] if records else [], path)
    if whole and (at := open_quote_at(text.encode(), delimiter)) is not None:
        raise unclosed_quote(path, text.encode().count(b"\n", 0, at) + 1)
    if whole and not any(any(cell.strip() for cell in record) for record in records[1:]):
        raise InputError(f"{path} holds a header and no rows; nothing can be read from it", code="NO_ROWS")
    notes += header_notes
    if delimiter != ",":
        notes.append(f"columns are separated by {_spoken(delimiter)}")
    if len(columns) == 1:
        notes.append("only one column was found")
    decimal = find_decimal(records[1:], delimiter)
    if decimal == ",":
        notes.append("numbers are written with a decimal comma")
    return Layout(
        encoding=encoding,
        delimiter=delimiter,
        header_lines=skipped + header_lines,
        columns=columns,
        decimal=decimal,
        notes=tuple(notes),
    )


def find_encoding(head: bytes, path: Path) -> tuple[str, list[str]]:
    """By byte order mark, then strict UTF-8, then GB18030; never a one-byte fallback, which accepts anything."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name, [] if name == "utf-8" else [f"the text is {name} by its byte order mark"]
    if wide := _utf16_without_mark(head):
        return wide, [f"the text looks like {wide} without a byte order mark"]
    if _decodes(head, "utf-8"):
        return "utf-8", []
    if _decodes(head, "gb18030") and looks_like_gb18030(head):
        return "gb18030", ["the text is no UTF-8 and was read as GB18030 (GBK)"]
    line = _first_bad_line(head)
    raise InputError(
        f"{path}, line {line}: the text is neither UTF-8, UTF-16 nor GB18030; save the file as UTF-8",
        code="UNDECODABLE",
    )


def unclosed_quote(path: Path, line: int) -> InputError:
    """The error for a quote that is opened in this line."""
    return InputError(
        f'{path}, line {line}: a quote (") is opened and never closed; close it or double it', code="UNCLOSED_QUOTE"
    )


def looks_like_gb18030(head: bytes) -> bool:
    """Whether the pairs of bytes are mostly those of Chinese text.

    GB18030 accepts nearly any bytes. In Chinese text both bytes of a character are high; in West European
    one-byte text a high byte is mostly followed by an ASCII letter.
    """
    high = len(re.findall(rb"[\x81-\xfe][\xa1-\xfe]|[\x81-\xfe][\x30-\x39][\x81-\xfe][\x30-\x39]", head))
    low = len(re.findall(rb"[\x81-\xfe][\x40-\x7e]", head))
    return high > low and b"\0" not in head


def find_delimiter(text: str) -> str:
    """The delimiter that cuts the most records into as many cells as the header has, and more than one."""

    def fitness(delimiter: str) -> tuple[float, int]:
        records, _ = _records(text, delimiter, limit=100)
        widths = [len(record) for record in records]
        if not widths or widths[0] < 2:
            return 0.0, 0
        return round(sum(width == widths[0] for width in widths) / len(widths), 1), widths[0]

    best = max(DELIMITERS, key=fitness)
    return best if fitness(best)[1] else ","


def find_decimal(records: list[list[str]], delimiter: str) -> str:
    """Comma or point: a comma only where cells such as 1,5 or 1.234,50 outnumber those with a decimal point."""
    if delimiter == ",":
        return "."
    cells = [cell.strip() for record in records for cell in record]
    comma = sum(_DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells)
    point = sum("." in cell and "," not in cell and _NUMBER.fullmatch(cell) is not None for cell in cells)
    return "," if comma > point else "."


def header_names(cells: list[str], path: Path) -> tuple[tuple[str, ...], list[str]]:
    """Column names. Nameless columns are named by position; duplicates and headers of numbers are refused."""
    notes: list[str] = []
    names = [cell.strip().strip("\ufeff") for cell in cells]
    for place, name in enumerate(names):
        if not name:
            names[place] = f"column_{place + 1}"
            notes.append(f"column {place + 1} has no heading and is called {names[place]}")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(
            f"{path}: the header names {', '.join(map(repr, twice))} more than once; give every column its own name",
            code="DUPLICATE_COLUMN",
        )
    if any("\0" in name for name in names):
        raise InputError(f"{path}: the header holds a NUL byte; this is no text table", code="UNDECODABLE")
    if all(_NUMBER.fullmatch(cell.strip()) for cell in cells):
        raise InputError(
            f"{path}: the first line holds numbers only; the first line must name the columns", code="NO_HEADER"
        )
    return tuple(names), notes


def _records(text: str, delimiter: str, limit: int = 200) -> tuple[list[list[str]], int]:
    """The first records, without blank ones, and how many lines the first of them (the header) takes."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    found: list[list[str]] = []
    header_lines = 1
    try:
        for record in reader:
            if not record:
                continue
            found.append(record)
            if len(found) == 1:
                header_lines = reader.line_num
            if len(found) >= limit:
                break
    except csv.Error:  # a cell over csv's limit: an unclosed quote, reported with its line by the reader of the rows
        pass
    return found, header_lines


def _skip_preamble(text: str) -> tuple[int, str]:
    """How many lines stand before the header (blank ones, Excel's `sep=;`), and the delimiter named there."""
    skipped, hinted = 0, ""
    for line in text.split("\n"):
        line = line.rstrip("\r")
        if line.lower().startswith("sep=") and len(line) <= 5:
            hinted = line[4:] or ","
        elif line.strip():
            break
        skipped += 1
    return skipped, hinted


def _utf16_without_mark(head: bytes) -> str:
    """ASCII letters, digits and line ends leave NUL in every second byte; text in another encoding has none."""
    part = head[: min(len(head), 4096) // 2 * 2]
    even, odd = part[0::2].count(0), part[1::2].count(0)
    half = max(1, len(part) // 2)
    if odd / half > 0.2 and even / half < 0.02:
        return "utf-16-le"
    return "utf-16-be" if even / half > 0.2 and odd / half < 0.02 else ""


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _first_bad_line(head: bytes) -> int:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return head.count(b"\n", 0, error.start) + 1
    return 1


def _spoken(delimiter: str) -> str:
    return {"\t": "tabs", ";": "semicolons", "|": "bars"}.get(delimiter, repr(delimiter))

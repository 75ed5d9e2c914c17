"""Where records end in delimited UTF-8 text whose cells may be quoted (RFC 4180) and hold line breaks."""

import re
from functools import lru_cache


def open_quote_at(block: bytes, delimiter: str) -> int | None:
    """Offset of the quote that opens a cell and is never closed in this block; None where every cell is closed.

    A quote opens a cell only at the cell's beginning; elsewhere (5" pipe) it is an ordinary character.
    """
    if b'"' not in block:
        return None
    for match in _quoted_cell(delimiter).finditer(block):
        if not match.group(1):
            return match.start()
    return None


def torn_quote_at(block: bytes, delimiter: str) -> int | None:
    """Offset of the first quoted cell that reaches over a line end into another cell: a quote was never closed, and
    the opening quote of a later cell closed it. None where there is no such cell."""
    for match in _quoted_cell(delimiter).finditer(block):
        behind = block[match.end() : match.end() + 1]
        if behind not in (b"", b"\r", b"\n", delimiter.encode()) and b"\n" in match.group():
            return match.start()
    return None


def record_end(block: bytes, delimiter: str) -> int:
    """Offset behind the last line end that is a record's end; 0 where the block holds no whole record."""
    cut = block.rfind(b"\n") + 1
    if b'"' not in block:
        return cut
    while cut > 0 and block.count(b'"', 0, cut) % 2:
        opened = open_quote_at(block[:cut], delimiter)
        if opened is None:
            break
        cut = block.rfind(b"\n", 0, opened) + 1
    return cut


@lru_cache
def _quoted_cell(delimiter: str) -> re.Pattern[bytes]:
    start = re.escape(delimiter.encode())
    return re.compile(rb"(?:(?<=[\r\n" + start + rb"])|\A)" + rb'"[^"]*(?:""[^"]*)*("|)')

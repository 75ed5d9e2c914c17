"""Lines of plain text as rows of cells: parted by runs of spaces, tabs, bars, dotted leaders, or where numbers begin.

Where the lines are aligned, cells keep how far they reach across the page. Where one space parts everything, or the
columns run into each other, nothing is aligned: then only rows with as many numbers as most have are given columns,
and the others none, as it cannot be known which period a lone number is of.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, chain

from pipelines.finance.reports.tables.numbers import read_number
from pipelines.finance.reports.tables.periods import Heading, read_heading
from pipelines.finance.reports.tables.rows import MOST_CROWDED, Extent, TextRow, fits_twice, merged
from pipelines.finance.reports.tables.titles import find_title

LONGEST_LINE = 400  # characters; a longer line is prose
NEARBY = 10  # rows above, and as many below, by which it is told whether columns are aligned
MOST_FULLER = 0.1  # of the rows may have more numbers than most have, for full rows to be known
FEWEST_KIN = 3  # rows nearby that stand alike
NOWHERE = (-2.0, -1.0)  # an extent that no column shares
GAP = re.compile(r"[\t|│┃\u3000]+|[ \xa0]{2,}|\.{3,}|…{2,}|(?:\. ){3,}")
_AMOUNT = r"(?:[(（\-－—–]?\s?[$¥￥€£]?\s?[(（]?\d[\d,，.．]*[)）%％\-]{0,2}|[$¥￥€£]?\s?[-—–－]{1,2}(?=\s|$))"
_NOTE_MARK = r"(?:[一二三四五六七八九十]+[、.．(（][\d一二三四五六七八九十()（）、.]*)"
_TAIL = re.compile(rf"^(?P<label>.*?\S)\s(?P<tail>(?:{_NOTE_MARK}\s)?{_AMOUNT}(?:\s+{_AMOUNT})*)\s*$")
_TOKEN = re.compile(rf"{_NOTE_MARK}|{_AMOUNT}")
_NUMBERS = re.compile(rf"{_AMOUNT}(?:\s+{_AMOUNT})+")
_HAS_DIGIT = re.compile(r"\d")
_ENDS_WITH_MONTH = re.compile(r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?$", re.IGNORECASE)
_DAY = re.compile(r"[0-3]?\d(?:st|nd|rd|th)?(?:\s*,\s*(?:19|20)\d\d)?,?(?=\s|$)\s*")
SENTENCE_END = re.compile(r"[。；;]\s*$|[a-z]{3}\.\s*$")
_IN_DATE = re.compile(r"(?<=[\d年月])\s+(?=[年月日\d])(?!\s*\d{4})")


def to_rows(lines: Sequence[TextRow]) -> tuple[TextRow, ...]:
    """The rows of one table, each given as one cell."""
    rows = [row for block in _blocks([_columns(line) for line in lines]) for row in _by_order(block)]
    numeric = [line for line in lines if is_numeric(line.cells[0])]
    apart = 2 * sum(GAP.search(line.cells[0].strip()) is None for line in numeric) <= len(numeric)
    if apart and _are_aligned(rows):
        return tuple(rows)
    usual = Counter(len(_numbers(row)) for row in rows if _numbers(row)).most_common(1)[0][0]
    return tuple(_counted(row, usual) for row in rows)


def _blocks(rows: Iterable[TextRow]) -> Iterator[list[TextRow]]:
    """The rows from one title of a statement to the next."""
    block: list[TextRow] = []
    for row in rows:
        if block and len(row.cells) == 1 and find_title(row.cells[0]) is not None:
            yield block
            block = []
        block.append(row)
    yield block


def _by_order(rows: Sequence[TextRow]) -> list[TextRow]:
    """The rows of one statement; full rows whose numbers stand elsewhere than those of the usual row go by order."""
    counts = {place: len(_numbers(row)) for place, row in enumerate(rows) if len(_numbers(row)) > 1}
    usual = Counter(counts.values()).most_common(1)[0][0] if counts else 0
    full = sorted(
        (place for place, count in counts.items() if count == usual), key=lambda place: _reach(rows[place])[0][1]
    )
    if not full or sum(count > usual for count in counts.values()) > MOST_FULLER * len(counts):
        return list(rows)
    columns = _reach(rows[full[len(full) // 2]])
    elsewhere = {place for place in full if _stands_elsewhere(_reach(rows[place]), columns)}
    elsewhere -= {place for place in elsewhere if _has_kin(place, rows, full)}
    return [_moved(row, columns) if place in elsewhere else row for place, row in enumerate(rows)]


def _reach(row: TextRow) -> list[Extent]:
    return [row.extents[cell] for cell in _numbers(row)]


def _stands_elsewhere(numbers: Sequence[Extent], columns: Sequence[Extent]) -> bool:
    """Whether a number stands in the column of another, or none in its own."""
    over = [
        {place for place, column in enumerate(columns) if min(one[1], column[1]) > max(one[0], column[0])}
        for one in numbers
    ]
    return any(places - {own} for own, places in enumerate(over)) or not any(over)


def _has_kin(place: int, rows: Sequence[TextRow], full: Sequence[int]) -> bool:
    """Whether rows nearby stand as this one does: a part of the table with columns of its own."""
    own = _reach(rows[place])
    near = (other for other in full if other != place and abs(other - place) <= NEARBY)
    return sum(not _stands_elsewhere(_reach(rows[other]), own) for other in near) >= FEWEST_KIN


def _moved(row: TextRow, columns: Sequence[Extent]) -> TextRow:
    extents = list(row.extents)
    for cell, column in zip(_numbers(row), columns, strict=True):
        extents[cell] = column
    return replace(row, extents=tuple(extents))


def _are_aligned(rows: Sequence[TextRow]) -> bool:
    """Whether numbers stand in columns of their own, not the first of one row over the second of a row nearby.

    Rows near above and near below count by themselves: a statement may begin between them, with columns of its own.
    """
    placed = [[row.extents[cell] for cell in _numbers(row)] for row in rows]
    several = [extents for extents in placed if len(extents) > 1]
    crowded = 0
    for place, extents in enumerate(several):
        above, below = several[max(0, place - NEARBY) : place], several[place + 1 : place + 1 + NEARBY]
        crowded += all(_is_crowded(extents, near) for near in (above, below) if near)
    return len(several) < 2 or crowded <= MOST_CROWDED * len(several)


def _is_crowded(extents: Sequence[Extent], near: Iterable[Sequence[Extent]]) -> bool:
    return any(fits_twice(extents, stretch) for stretch in merged(chain(extents, *near)))


def is_numeric(line: str) -> bool:
    """Whether the line ends with numbers that stand apart from words before them."""
    if len(line) > LONGEST_LINE or not _HAS_DIGIT.search(line):
        return False
    *labels, last = [part for part in GAP.split(line.strip()) if part.strip()] or [""]
    if labels and read_number(last) is not None:
        return True
    tail = _tail(last)
    return tail is not None and _HAS_DIGIT.search(last, tail) is not None and not SENTENCE_END.search(line)


def _tail(part: str) -> int | None:
    """Where the numbers begin that follow words, None where none do; the day of a month is one of the words."""
    found = _TAIL.match(part)
    if found is None:
        return None
    begin = found.start("tail")
    day = _DAY.match(part, begin) if _ENDS_WITH_MONTH.search(found["label"]) else None
    if day is not None:
        begin = day.end()
    return begin if begin < len(part.rstrip()) else None


def _numbers(row: TextRow) -> list[int]:
    """The cells that hold numbers."""
    return [cell for cell, text in enumerate(row.cells) if read_number(text) is not None]


def _counted(row: TextRow, usual: int) -> TextRow:
    """The row with its numbers, or its column headings, in columns by their count."""
    numbers = _numbers(row)
    if not numbers:
        return _headings(row, usual)
    places = {cell: (10.0 + place, 11.0 + place) for place, cell in enumerate(numbers)}
    fits = len(numbers) == usual
    extents = [places[cell] if cell in places and fits else NOWHERE for cell in range(len(row.cells))]
    return replace(row, extents=tuple(extents))


def _headings(row: TextRow, usual: int) -> TextRow:
    """A line of words that tell periods, as many as there are columns, as cells of their own."""
    words = _IN_DATE.sub("", row.text).split()
    timed = [word for word in words if read_heading(word) != Heading()]
    if len(timed) != usual:
        return replace(row, extents=tuple(NOWHERE for _ in row.cells))
    others = " ".join(word for word in words if word not in timed)
    extents = (NOWHERE, *((10.0 + place, 11.0 + place) for place in range(usual)))
    return replace(row, cells=(others, *timed), spans=(), extents=extents)


def _columns(line: TextRow) -> TextRow:
    """The line's cells with where they stand, in characters and in columns of a page where wide ones take two."""
    words = line.cells[0]
    spans = [span for first, last in _parts(words) for span in _tokens(words, first, last)]
    cells = tuple(words[first:last] for first, last in spans)
    width = list(accumulate((1 + (unicodedata.east_asian_width(one) in "WF") for one in words), initial=0))
    return TextRow(
        cells=cells,
        page=line.page,
        start=line.start,
        end=line.end,
        spans=tuple((line.start + first, line.start + last) for first, last in spans),
        extents=tuple((float(width[first]), float(width[last])) for first, last in spans),
    )


def _parts(words: str) -> Iterator[tuple[int, int]]:
    """Where the parts between the gaps begin and end."""
    first = 0
    for gap in [*GAP.finditer(words), None]:
        last = len(words) if gap is None else gap.start()
        part = words[first:last]
        if part.strip():
            yield first + len(part) - len(part.lstrip()), last - (len(part) - len(part.rstrip()))
        first = len(words) if gap is None else gap.end()


def _tokens(words: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """A part split further where numbers follow words, or numbers, after one space."""
    part = words[first:last]
    tail = _tail(part)
    begin = first
    if tail is not None:
        begin = first + tail
        yield first, first + len(part[:tail].rstrip())
    elif not _NUMBERS.fullmatch(part):
        yield first, last
        return
    for token in _TOKEN.finditer(words, begin, last):
        yield token.start(), token.end()

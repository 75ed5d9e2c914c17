"""A document cut where titles of statements stand: rows with numbers, and the title and lines above them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from pipelines.finance.reports.tables.numbers import read_number
from pipelines.finance.reports.tables.periods import Heading, read_heading
from pipelines.finance.reports.tables.rows import Table, TextRow
from pipelines.finance.reports.tables.titles import Title, find_title, says_parent
from pipelines.finance.reports.tables.two_sided import one_sided
from pipelines.finance.reports.tables.units import find_unit

MOST_LINES_ABOVE = 30
_SYMBOL = re.compile(r"[\s$¥￥€£()（）%％*]+|US\$|HK\$|RMB|人民币")
_YEAR = re.compile(r"\(?(?:19|20)\d\d\)?[A-Za-z]?年?度?")
_OF_YEARS = re.compile(  # what stands left of years that head columns
    r"\W*(?:as (?:of|at) |at |for |in )?(?:the )?(?:\w+ )?(?:years?|quarters?|months|weeks|periods?)"
    r"(?:\W*$|\W+end(?:ed|ing)\b)"
    r"|\W*(?:as (?:of|at) |at |on )?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.? \d{1,2}\W*$"
    r"|\W*(?:[\w.$€£¥]+ )?in [\w.$€£¥ ]*(?:thousand|million|billion)s\b|\W*(?:un)?audited\W*$"
    r"|(?:会计)?(?:年度|年份|期间)|截至|单位",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"(?:[A-Z]{0,2}\$|[€£¥₹]|RMB|[A-Z]{3})\s?['’‘]?000['’]?s?")  # a unit that reads as no amount
_PERCENT = re.compile(r"^\s*[)）]?\s*[%％]")


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a row, the cell it stands in and how far that reaches across the page."""

    value: Decimal
    cell: int
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Row:
    """A row's heading, the other words in it and its numbers; years alone, as headings have them, are words."""

    source: TextRow
    label: str
    words: tuple[int, ...]  # cells that hold words, the label's among them
    numbers: tuple[Number, ...]

    @property
    def all_words(self) -> str:
        return " ".join(self.source.cells[cell].strip() for cell in self.words)

    @property
    def is_heading(self) -> bool:
        """Whether it heads columns: no numbers, and words of time or several words side by side."""
        if self.numbers or not self.words:
            return False
        return len(self.words) > 1 or read_heading(self.all_words).says_when


@dataclass(slots=True)
class Segment:
    """Rows under one title, or after the rows of another segment; `gap` counts characters of text between."""

    title: Title | None
    above: tuple[str, ...]
    gap: int
    after_parent: bool  # a line above says that the parent's statements follow
    rows: list[Row] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The column headings and the lines above, the nearest to the numbers first."""
        heads: list[str] = []
        for row in self.rows:
            if row.numbers and row.label:
                break
            heads.append(row.all_words)
        return [line for line in (*reversed(heads), *reversed(self.above)) if line]


def read_row(source: TextRow, years: bool = False) -> Row:
    """The row with its numbers read; a percentage is no number, nor are years alone without `years`."""
    words: list[int] = []
    numbers: list[Number] = []
    for cell, text in enumerate(source.cells):
        text = text.strip()
        if not text or _SYMBOL.fullmatch(text):
            continue
        value = None if _THOUSANDS.fullmatch(text) else read_number(text)
        if value is None:
            words.append(cell)
        elif not _is_percentage(source, cell):
            numbers.append(Number(value, cell, *source.extent(cell)))
    if not years and numbers and all(_YEAR.fullmatch(source.cells[number.cell].strip()) for number in numbers):
        words, numbers = sorted(words + [number.cell for number in numbers]), []
    first = min((number.cell for number in numbers), default=len(source.cells))
    label = next((source.cells[cell].strip() for cell in words if cell < first), "")
    return Row(source=source, label=label, words=tuple(words), numbers=tuple(numbers))


def years_as_amounts(rows: Sequence[Row]) -> list[Row]:
    """The rows of one table, with numbers that only look like years read as amounts.

    Years that head columns come first, step by one, and stand by no words or by words of time.
    """
    headed = False
    told: set[tuple[int, ...]] = set()  # years that headed columns
    read: list[Row] = []
    for row in rows:
        amounts = read_row(row.source, years=True) if not row.numbers and len(row.words) > 1 else row
        if not row.numbers and amounts.numbers:
            years = tuple(int(abs(number.value)) for number in amounts.numbers)
            if years not in told and _are_amounts(amounts.label, years, headed):
                row = amounts
            else:
                told.add(years)
        headed = headed or bool(row.numbers) or _heads_columns(row)
        read.append(row)
    return read


def _are_amounts(label: str, years: Sequence[int], headed: bool) -> bool:
    if not label or _OF_YEARS.match(label) or find_unit(label) is not None:
        return False
    stepping = {abs(one - other) for one, other in pairwise(years)} <= {0, 1}
    return headed or (not stepping and read_heading(label) == Heading())


def _heads_columns(row: Row) -> bool:
    return sum(read_heading(row.source.cells[cell]).says_when for cell in row.words) > 1


def cut(tables: Iterable[Table]) -> Iterator[Segment]:
    """The segments that hold numbers, in the order of the document."""
    reader = _Cutter()
    for table in tables:
        for line in table.before:
            reader.line(line.text)
        yield from reader.table([read_row(row) for row in one_sided(table.rows)])


@dataclass(slots=True)
class _Cutter:
    title: Title | None = None
    above: list[str] = field(default_factory=list)
    gap: int = 0
    after_parent: bool = False

    def line(self, text: str) -> None:
        """Take note of a line of text, that may be a title."""
        title = find_title(text)
        if title is not None:
            self.title, self.above, self.gap = title, [text], 0
            self.after_parent = says_parent(text) or (self.after_parent and title.scope is None)
            return
        if says_parent(text):
            self.after_parent = True
        self.above = [*self.above[-MOST_LINES_ABOVE:], text]
        self.gap += len(text)

    def table(self, rows: list[Row]) -> Iterator[Segment]:
        """The segments of one table, which titles within it part."""
        taken: list[Row] = []
        for row in rows:
            title = find_title(row.label) if not row.numbers and row.label else None
            if title is not None:
                yield from self._segment(taken)
                taken = []
                self.line(row.label)
                if len(row.words) == 1:
                    continue
            taken.append(row)
        yield from self._segment(taken)

    def _segment(self, rows: list[Row]) -> Iterator[Segment]:
        rows = years_as_amounts(rows)
        if not any(row.numbers and row.label for row in rows):
            for row in rows:
                if row.words:
                    self.line(row.all_words)
            return
        yield Segment(self.title, tuple(self.above), self.gap, self.after_parent, rows)
        self.title, self.above, self.gap, self.after_parent = None, [], 0, False


def _is_percentage(source: TextRow, cell: int) -> bool:
    """Whether a percent sign follows in a cell of its own."""
    following = next((text for text in source.cells[cell + 1 : cell + 3] if text.strip()), "")
    return _PERCENT.match(following) is not None

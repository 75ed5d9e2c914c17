"""Filled cells of sheets -> a document: a line of text for a row, a table for each statement.

A sheet is cut into tables at titles of statements, so that statements may stand on sheets of their own or below each
other. A row with a single text is a line of text where no number has come yet (a title, a unit, a company's name).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.finance.reports.tables.numbers import read_number
from pipelines.finance.reports.tables.paged import PagedDocument, language_of
from pipelines.finance.reports.tables.periods import read_heading
from pipelines.finance.reports.tables.rows import Table, TextRow
from pipelines.finance.reports.tables.titles import find_title


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The filled rows of one sheet: row number (from 1) -> texts from column A on."""

    name: str
    number: int
    rows: Mapping[int, Sequence[str]]
    widths: Mapping[tuple[int, int], int] = field(default_factory=dict)  # (row, column from 0) -> columns merged


def to_document(sheets: Iterable[Sheet], notes: Sequence[str] = ()) -> PagedDocument:
    """Text and tables of the sheets in their order. A sheet's name is the first line of its text."""
    writer = _Writer()
    for sheet in sheets:
        writer.add(sheet)
    text = "\n".join(writer.parts)
    return PagedDocument(text, tuple(writer.tables), tuple(writer.starts), language_of(text), tuple(notes))


@dataclass
class _Writer:
    """Builds the text and the tables; `at` is how long the text is."""

    parts: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    before: list[TextRow] = field(default_factory=list)
    rows: list[TextRow] = field(default_factory=list)
    at: int = 0

    def add(self, sheet: Sheet) -> None:
        self.starts.append(self.at)
        if sheet.name:
            self.before.append(self._line([sheet.name], ["name of the sheet"], [(0.0, 1.0)], sheet.number))
        for number, cells in sheet.rows.items():
            self._add_row(sheet, number, cells)
        self._close()

    def _add_row(self, sheet: Sheet, number: int, cells: Sequence[str]) -> None:
        filled = [place for place, cell in enumerate(cells) if cell.strip()]
        if not filled:
            return
        texts = [cells[place].strip() for place in filled]
        extents = [(float(place), float(place + sheet.widths.get((number, place), 1))) for place in filled]
        row = self._line(texts, [f"{letters_of(place)}{number}" for place in filled], extents, sheet.number)
        if any(_is_title(text) for text in texts) and not any(read_number(text) is not None for text in texts):
            self._close()
            self.before.append(row)
        elif not self.rows and len(filled) == 1 and not _heads_columns(filled[0], texts[0]):
            self.before.append(row)
        else:
            self.rows.append(row)

    def _close(self) -> None:
        if self.rows:
            self.tables.append(Table(tuple(self.before), tuple(self.rows)))
            self.before, self.rows = [], []

    def _line(self, texts: list[str], elements: list[str], extents: list[tuple[float, float]], page: int) -> TextRow:
        spans: list[tuple[int, int]] = []
        end = self.at
        for text in texts:
            spans.append((end, end + len(text)))
            end += len(text) + 1
        row = TextRow(
            cells=tuple(texts),
            page=page,
            start=self.at,
            end=end - 1,
            spans=tuple(spans),
            extents=tuple(extents),
            elements=tuple(elements),
        )
        self.parts.append("\t".join(texts))
        self.at = end
        return row


def _heads_columns(place: int, text: str) -> bool:
    """Whether a text alone in its row stands over columns of numbers (a merged "Year ended"), not over the table."""
    heading = read_heading(text)
    return read_number(text) is not None or (
        place > 0 and (heading.says_when or heading.day is not None or heading.months is not None)
    )


def _is_title(text: str) -> bool:
    return find_title(text) is not None


def letters_of(column: int) -> str:
    """The name of a column counted from 0.

    >>> letters_of(0), letters_of(25), letters_of(26)
    ('A', 'Z', 'AA')
    """
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name

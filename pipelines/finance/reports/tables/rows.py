"""Rows and tables as every reader of statements leaves them (HTML, text, PDF, sheets): cells and where they stand.

`recognise.py` reads nothing else. A table takes all the lines of text since the table before it, so that a list of
tables holds the whole document in its order and a title, a unit or a page break between two of them is not lost.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from data.finance.reports import Place


@dataclass(frozen=True, slots=True)
class TextRow:
    """One row of a table, or one line of text (a single cell). `start` and `end` count characters of the text.

    `spans`: where each cell's text stands, in characters. `extents`: how far each cell reaches across the page, as
    (left, right) in any unit that the rows of one table share: grid columns, points, characters; without it cell i
    is column i. `elements`: what each cell is called in its file (B7). Each is empty or as long as `cells`.
    """

    cells: tuple[str, ...]
    page: int | None = None
    start: int = 0
    end: int = 0
    spans: tuple[tuple[int, int], ...] = ()
    extents: tuple[tuple[float, float], ...] = ()
    elements: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The row as one line.

        >>> TextRow(("Cash", "", "1,234")).text
        'Cash 1,234'
        """
        return " ".join(cell.strip() for cell in self.cells if cell.strip())

    def extent(self, cell: int) -> tuple[float, float]:
        """How far the cell reaches across the page."""
        return self.extents[cell] if self.extents else (float(cell), float(cell + 1))

    def place(self, cell: int) -> Place:
        """Where the cell stands, as narrowly as its reader knew."""
        start, end = self.spans[cell] if self.spans else (self.start, self.end)
        element = self.elements[cell] if self.elements else None
        return Place(text=self.cells[cell].strip(), page=self.page, element=element, start=start, end=end)


Extent = tuple[float, float]
MOST_CROWDED = 0.25  # of the rows may have two numbers in one column of the page


def merged(extents: Iterable[Extent]) -> list[Extent]:
    """Stretches of the page, left to right: extents that overlap are one.

    >>> merged([(5, 7), (1, 3), (2, 4)])
    [(1, 4), (5, 7)]
    """
    stretches: list[Extent] = []
    for left, right in sorted(extents):
        if stretches and left < stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(right, stretches[-1][1]))
        else:
            stretches.append((left, right))
    return stretches


def fits_twice(extents: Iterable[Extent], stretch: Extent) -> bool:
    """Whether two of the extents lie within the stretch."""
    return sum(stretch[0] <= left and right <= stretch[1] for left, right in extents) > 1


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one table and the lines of text between it and the table before it.

    The text after the last table is a table without rows.
    """

    before: tuple[TextRow, ...]
    rows: tuple[TextRow, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """What a reader found: the visible text, that all places count in, and its tables in their order."""

    text: str
    tables: tuple[Table, ...]

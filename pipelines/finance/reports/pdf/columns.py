"""Columns of numbers in lines without ruled cells: where they stand, and each line cut into cells at them.

Numbers of a column end (or, where centred, overlap) at one place, whatever their length; a currency sign may stand
far to the left of its number and is not counted. Pure: knows no PDF library.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pipelines.finance.reports.pdf.lines import Line, Piece, join_words, pieces_of

SAME_END = 0.9  # of the font's size: right ends nearer than this are one column's
MIN_ROWS = 3
MIN_SHARE = 0.12  # of the lines of the fullest column
CELL_GAP = 1.6
NEAR_GAP = 0.6
HEADING_REACH = 6.0
_MONTH_NAME = r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_MONTH = re.compile(rf"{_MONTH_NAME}$", re.IGNORECASE)
_MONTH_DAY = re.compile(rf"{_MONTH_NAME}\s+\d{{1,2}},?$", re.IGNORECASE)
_DAY = re.compile(r"\d{1,2}")
_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers, in points across the page."""

    left: float
    right: float

    def overlaps(self, left: float, right: float) -> bool:
        """Whether something that reaches from left to right stands in the column."""
        return min(self.right, right) - max(self.left, left) > 0


@dataclass(frozen=True, slots=True)
class CutLine:
    """A line with its cells: `label` and what stands in the columns; `values` tells whether a number is among them."""

    line: Line
    label: str
    label_right: float
    cells: tuple[Piece, ...]
    values: bool


def find_columns(lines: Sequence[Line]) -> tuple[Column, ...]:
    """From left to right; none where fewer than three lines hold numbers at one place."""
    ends = sorted((piece for line in lines for piece in _trailing_numbers(line)), key=lambda one: one.right)
    if not ends:
        return ()
    size = median(line.size for line in lines)
    groups: list[list[Piece]] = [[ends[0]]]
    for before, piece in pairwise(ends):
        if piece.right - before.right <= SAME_END * size:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    fullest = max(len(group) for group in groups)
    full = [group for group in groups if len(group) >= max(MIN_ROWS, MIN_SHARE * fullest)]
    return _apart(full)


def _apart(groups: Sequence[Sequence[Piece]]) -> tuple[Column, ...]:
    """One column for groups whose usual numbers overlap (centred numbers end at many places)."""
    columns: list[tuple[float, float, float]] = []  # usual left, least left, right
    for group in groups:
        usual, least = median(one.core for one in group), min(one.core for one in group)
        right = max(one.right for one in group)
        if columns and columns[-1][2] > usual:
            before = columns.pop()
            columns.append((min(before[0], usual), min(before[1], least), right))
        else:
            columns.append((usual, least, right))
    found: list[Column] = []
    for usual, least, right in columns:
        left = max(least, found[-1].right) if found else least
        found.append(Column(min(left, usual), right))
    return tuple(found)


def _trailing_numbers(line: Line) -> list[Piece]:
    """Numbers at the line's end, as far as wide gaps set them apart from words."""
    pieces = pieces_of(line.words, line.size)
    numbers: list[Piece] = []
    for place in range(len(pieces) - 1, -1, -1):
        if pieces[place].kind == "text":
            if numbers and numbers[-1].left - pieces[place].right < line.size:
                numbers.pop()
            break
        numbers.append(pieces[place])
    return [piece for piece in numbers if piece.kind == "number"]


def cut_line(line: Line, columns: Sequence[Column]) -> CutLine:
    """Numbers that stand in columns become cells; so do texts there, where a gap sets them apart from the label."""
    headings_from = columns[0].left - HEADING_REACH * line.size
    pieces = _with_dates(pieces_of(line.words, line.size, headings_from), columns, line.size)
    first = len(pieces)
    while first > 0 and _is_cell(pieces, first - 1, columns, line.size):
        first -= 1
    if pieces[0].left >= headings_from:
        first = 0  # nothing stands where labels begin: headings
    label = pieces[:first]
    cells = tuple(pieces[first:])
    if label and label[-1].right > columns[0].right and not any(cell.kind != "text" for cell in cells):
        return CutLine(line, line.text, line.right, (), values=False)  # running text
    if all(piece.kind == "dash" for piece in label):
        label, cells = [], tuple(pieces)
    while len(label) > 1 and label[-1].left - label[-2].right > CELL_GAP * line.size:  # a column of notes
        cells = (label[-1], *cells)
        label = label[:-1]
    return CutLine(
        line=line,
        label=" ".join(piece.text for piece in label),
        label_right=label[-1].right if label else 0.0,
        cells=cells,
        values=any(_column_of(cell, columns) is not None for cell in cells if cell.kind != "text"),
    )


def _is_cell(pieces: Sequence[Piece], place: int, columns: Sequence[Column], size: float) -> bool:
    piece = pieces[place]
    gap = piece.left - pieces[place - 1].right if place else float("inf")
    inside = _column_of(piece, columns) is not None
    if piece.kind == "text":
        return (inside or piece.left >= columns[0].left - size) and gap > 0.8 * size
    return inside


def _with_dates(pieces: Sequence[Piece], columns: Sequence[Column], size: float) -> list[Piece]:
    """Pieces, with a number right behind words put to them ("December 31, 2021", "Note 9").

    Not so where the words are a label and the number ends where a column does.
    """
    done: list[Piece] = []
    for piece in pieces:
        last = done[-1] if done else None
        if last is None or last.kind != "text" or piece.left - last.right > NEAR_GAP * size:
            done.append(piece)
            continue
        dated = bool(_MONTH_DAY.search(last.text) and _YEAR.fullmatch(piece.text))
        dated = dated or bool(_MONTH.search(last.text) and _DAY.fullmatch(piece.text))
        aligned = not dated and any(abs(piece.right - column.right) < 0.5 * size for column in columns)
        if piece.kind != "text" and aligned and last.left < columns[0].left - size:
            done.append(piece)
        else:
            done[-1] = Piece(join_words((last.text, piece.text)), "text", last.left, piece.right, last.core)
    return done


def _column_of(piece: Piece, columns: Sequence[Column]) -> Column | None:
    """The column that holds most of it."""
    shared = [(min(column.right, piece.right) - max(column.left, piece.core), column) for column in columns]
    best = max(shared, key=lambda one: one[0])
    return best[1] if best[0] > 0 else None


def extent_of(piece: Piece, columns: Sequence[Column]) -> tuple[float, float]:
    """A number reaches over its column; a text over itself."""
    column = _column_of(piece, columns)
    if column is None or piece.kind == "text" or _YEAR.fullmatch(piece.text):
        return piece.left, piece.right
    return column.left, column.right

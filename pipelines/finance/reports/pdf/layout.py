"""One page -> its rows from top to bottom: ruled tables by their cells, the rest by columns of numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipelines.finance.reports.pdf.columns import Column
from pipelines.finance.reports.pdf.glyphs import Marks
from pipelines.finance.reports.pdf.grid import Band, find_grids
from pipelines.finance.reports.pdf.lines import Line, join_words, lines_of, pieces_of
from pipelines.finance.reports.pdf.rows import Row, is_number_line, rows_of, rows_within, text_row
from pipelines.finance.reports.pdf.titles import title_of

CROWDED_SHARE = 0.15
SAME_PT = 3.0
NEAR_PT = 60.0


@dataclass(frozen=True, slots=True)
class Laid:
    """A page's rows from top to bottom, and the columns of numbers that the last table without ruled cells had."""

    rows: tuple[Row, ...]
    columns: tuple[Column, ...]


def lay_out(marks: Marks, known: tuple[Column, ...] = ()) -> Laid:
    """Rows and lines of text of a page. `known`: the columns of the page before."""
    grids = tuple(grid for grid in find_grids(marks.rulings, marks.glyphs) if len(grid) > 1 or not _crowded(grid))
    if not _are_whole(grids, lines_of(marks.glyphs)):
        grids = ()
    spans = [(grid[0].top, grid[-1].bottom) for grid in grids]
    outside = _with_whole_titles(
        lines_of(
            one for one in marks.glyphs if not any(top < one.y - 0.35 * one.size <= bottom for top, bottom in spans)
        )
    )
    rows: list[Row] = []
    above = float("-inf")
    for grid, (top, bottom) in zip(grids, spans, strict=True):
        part, known = _unruled([line for line in outside if above < line.y <= top], known)
        rows += part
        rows += [row for band in grid for row in _band_rows(band)]
        above = bottom
        known = _columns_of(grid) or known
    part, known = _unruled([line for line in outside if line.y > above], known)
    return Laid((*rows, *part), known)


def _with_whole_titles(lines: Sequence[Line]) -> list[Line]:
    """Lines, with a title that runs over two of them as one."""
    done: list[Line] = []
    for line in lines:
        above = done[-1] if done else None
        if above and line.y - above.y < 2 * line.size and not title_of(above.text) and not title_of(line.text):
            joined = Line((*above.words, *line.words), line.y, line.size, line.bold)
            if len(above.text) > 12 and title_of(joined.text):
                done[-1] = joined
                continue
        done.append(line)
    return done


def _are_whole(grids: Sequence[Sequence[Band]], lines: Sequence[Line]) -> bool:
    """Whether the ruled lines hold whole tables, each cell one number.

    Underlined totals, shaded rows and a line beside a column make grids too, which hold parts of a table.
    """
    if any(_crowded(grid) > CROWDED_SHARE * len(grid) for grid in grids):
        return False
    for grid, following in pairwise(grids):
        between = [line for line in lines if grid[-1].bottom < line.y <= following[0].top + line.size]
        same = abs(_left(grid) - _left(following)) < SAME_PT
        if same and following[0].top - grid[-1].bottom < NEAR_PT and not any(title_of(line.text) for line in between):
            return False
    return not any(_stands_off(grid, line) for grid in grids for line in lines)


def _columns_of(grid: Sequence[Band]) -> tuple[Column, ...]:
    widest = max(grid, key=lambda band: len(band.cells))
    return tuple(Column(cell.left, cell.right) for cell in widest.cells[1:])


def _left(grid: Sequence[Band]) -> float:
    return grid[0].cells[0].left


def _crowded(grid: Sequence[Band]) -> int:
    """Bands in which a line of a cell holds two numbers, or words and a number far behind them."""
    return sum(any(_is_crowded(line) for cell in band.cells for line in lines_of(cell.glyphs)) for band in grid)


def _is_crowded(line: Line) -> bool:
    pieces = pieces_of(line.words, line.size)
    return len(pieces) > 1 and pieces[-1].kind == "number" and pieces[-1].left - pieces[-2].right > 2 * line.size


def _stands_off(grid: Sequence[Band], line: Line) -> bool:
    """Whether a line right above or below the grid has two numbers in its columns."""
    above, below = grid[0].top - line.y, line.y - grid[-1].bottom
    if not (0 <= above < 1.8 * line.size or 0 < below < 2.2 * line.size):
        return False
    columns = _columns_of(grid)
    pieces = pieces_of(line.words, line.size)
    last = max((place for place, piece in enumerate(pieces) if piece.kind == "text"), default=-1)
    pieces = pieces[last + 1 :]
    return sum(any(column.overlaps(piece.left, piece.right) for column in columns) for piece in pieces) >= 2


def _unruled(lines: Sequence[Line], known: tuple[Column, ...]) -> tuple[list[Row], tuple[Column, ...]]:
    """A page may hold the end of one statement and the beginning of the next: each is cut by itself."""
    parts: list[list[Line]] = [[]]
    for line in lines:
        if title_of(line.text) and any(_ends_in_number(one) for one in parts[-1]):
            parts.append([])
        parts[-1].append(line)
    rows: list[Row] = []
    for part in parts:
        found, columns = rows_of(part, known)
        known = columns or known
        rows += found
    return rows, known


def _ends_in_number(line: Line) -> bool:
    return any(letter.isdigit() for letter in line.words[-1].text)


def _band_rows(band: Band) -> Iterable[Row]:
    """One row, or several where the lines between the rows are not drawn."""
    cells = [lines_of(cell.glyphs) for cell in band.cells]
    if not any(cells):
        return
    extents = tuple((cell.left, cell.right) for cell in band.cells)
    if _holds_several(cells):
        columns = [Column(left, right) for left, right in extents[1:]]
        lines = lines_of(glyph for cell in band.cells for glyph in cell.glyphs)
        yield from rows_within(lines, columns)
        return
    if len(cells) == 1 and not _is_heading(cells[0]):
        yield from (text_row(line) for line in cells[0])
        return
    label, *others = (join_words(line.text for line in lines) for lines in cells)
    texts = (label, *(_tidy(text, lines) for text, lines in zip(others, cells[1:], strict=True)))
    yield Row(texts, extents, band.bottom, in_table=True)


def _tidy(text: str, lines: Sequence[Line]) -> str:
    """A number with its currency sign and parentheses as one word."""
    pieces = pieces_of(lines[0].words, lines[0].size) if len(lines) == 1 else ()
    return pieces[0].text if len(pieces) == 1 else text


def _is_heading(lines: Sequence[Line]) -> bool:
    """A cell as wide as the table with a line or two, not a paragraph in a frame."""
    return len(lines) <= 2


def _holds_several(cells: Sequence[Sequence[Line]]) -> bool:
    """Whether a column of numbers has two or more of them in this band."""
    return any(sum(is_number_line(line) for line in lines) > 1 for lines in cells[1:])

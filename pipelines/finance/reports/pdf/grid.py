"""Ruled lines -> the cells of tables that are drawn as grids: bands between level lines, cut by upright ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipelines.finance.reports.pdf.glyphs import Glyph, Ruling

SAME_PT = 2.5  # lines nearer than this are one
MIN_WIDTH_PT = 120.0
MIN_BAND_PT = 4.0


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a band with the letters that stand in it."""

    left: float
    right: float
    glyphs: tuple[Glyph, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """The part of a table between two level lines."""

    top: float
    bottom: float
    cells: tuple[Cell, ...]


def find_grids(rulings: Sequence[Ruling], glyphs: Sequence[Glyph]) -> tuple[tuple[Band, ...], ...]:
    """Grids from top to bottom, each of bands that follow each other without a gap.

    A table without upright lines is no grid, nor is one whose text stands outside its lines.
    """
    levels, uprights = _merged(rulings)
    heights = _clustered([one.top for one in levels] + [end for one in uprights for end in (one.top, one.bottom)])
    grids: list[list[Band]] = []
    for top, bottom in pairwise(heights):
        edges = _edges(top, bottom, levels, uprights) if bottom - top >= MIN_BAND_PT else ()
        inside = [one for one in glyphs if top < one.y - 0.35 * one.size <= bottom]
        if len(edges) < 2 or edges[-1] - edges[0] < MIN_WIDTH_PT or _sticks_out(inside, edges):
            continue
        band = Band(top, bottom, _cells(edges, inside))
        if grids and abs(grids[-1][-1].bottom - top) <= SAME_PT:
            grids[-1].append(band)
        else:
            grids.append([band])
    return tuple(_spanned(grid, levels) for grid in grids if _is_table(grid))


def _is_table(grid: Sequence[Band]) -> bool:
    """A single band may be the rest of a table from the page before."""
    filled = sum(bool(cell.glyphs) for cell in grid[0].cells)
    return max(len(band.cells) for band in grid) >= 2 if len(grid) >= 2 else filled >= 2


def _edges(top: float, bottom: float, levels: Sequence[Ruling], uprights: Sequence[Ruling]) -> tuple[float, ...]:
    """Where cells of this band begin and end. A table open at its sides ends where its level lines do."""
    middle = (top + bottom) / 2
    across = [one.left for one in uprights if one.top - 0.5 <= middle <= one.bottom + 0.5]
    if not across:
        return ()
    near = [one for one in levels if min(abs(one.top - top), abs(one.top - bottom)) <= SAME_PT]
    reach = [one for one in near if one.left <= min(across) + SAME_PT and one.right >= min(across) - SAME_PT]
    reach += [one for one in near if one.left <= max(across) + SAME_PT and one.right >= max(across) - SAME_PT]
    return tuple(_clustered([*across, *(end for one in reach for end in (one.left, one.right))]))


def _sticks_out(glyphs: Sequence[Glyph], edges: Sequence[float]) -> bool:
    outside = sum(one.right < edges[0] or one.left > edges[-1] for one in glyphs)
    return outside > 0.1 * len(glyphs)


def _cells(edges: Sequence[float], glyphs: Sequence[Glyph]) -> tuple[Cell, ...]:
    found: list[list[Glyph]] = [[] for _ in edges[1:]]
    for glyph in glyphs:
        middle = (glyph.left + glyph.right) / 2
        place = sum(edge <= middle for edge in edges[1:-1])
        found[place].append(glyph)
    return tuple(Cell(left, right, tuple(inside)) for (left, right), inside in zip(pairwise(edges), found, strict=True))


def _spanned(grid: Sequence[Band], levels: Sequence[Ruling]) -> tuple[Band, ...]:
    """Bands, with the text of a cell that reaches over several of them put into the first."""
    bands = list(grid)
    for place in range(len(bands) - 2, -1, -1):
        upper, lower = bands[place], bands[place + 1]
        open_below = {
            (round(cell.left), round(cell.right)) for cell in upper.cells if not _is_closed(cell, upper.bottom, levels)
        }
        taken = {
            (round(cell.left), round(cell.right)): cell.glyphs
            for cell in lower.cells
            if (round(cell.left), round(cell.right)) in open_below
        }
        if len(taken) == len(upper.cells) == len(lower.cells):  # no line at all between them: one band
            bands[place : place + 2] = [_one_band(upper, lower)]
        elif taken:
            bands[place] = Band(upper.top, upper.bottom, tuple(_with(cell, taken) for cell in upper.cells))
            bands[place + 1] = Band(lower.top, lower.bottom, tuple(_without(cell, taken) for cell in lower.cells))
    return tuple(bands)


def _one_band(upper: Band, lower: Band) -> Band:
    cells = tuple(
        Cell(one.left, one.right, one.glyphs + other.glyphs)
        for one, other in zip(upper.cells, lower.cells, strict=True)
    )
    return Band(upper.top, lower.bottom, cells)


def _with(cell: Cell, taken: dict[tuple[int, int], tuple[Glyph, ...]]) -> Cell:
    return Cell(cell.left, cell.right, cell.glyphs + taken.get((round(cell.left), round(cell.right)), ()))


def _without(cell: Cell, taken: dict[tuple[int, int], tuple[Glyph, ...]]) -> Cell:
    return Cell(cell.left, cell.right, () if (round(cell.left), round(cell.right)) in taken else cell.glyphs)


def _is_closed(cell: Cell, height: float, levels: Sequence[Ruling]) -> bool:
    middle = (cell.left + cell.right) / 2
    return any(abs(one.top - height) <= SAME_PT and one.left <= middle <= one.right for one in levels)


def _merged(rulings: Sequence[Ruling]) -> tuple[list[Ruling], list[Ruling]]:
    """Level and upright lines, short pieces that follow each other made one."""
    levels: list[Ruling] = []
    for one in sorted((r for r in rulings if r.is_level), key=lambda r: (r.top, r.left)):
        last = levels[-1] if levels else None
        if last and abs(last.top - one.top) <= 1.0 and one.left - last.right <= SAME_PT:
            levels[-1] = Ruling(last.left, max(last.right, one.right), last.top, last.top)
        else:
            levels.append(one)
    uprights: list[Ruling] = []
    for one in sorted((r for r in rulings if not r.is_level), key=lambda r: (r.left, r.top)):
        last = uprights[-1] if uprights else None
        if last and abs(last.left - one.left) <= 1.0 and one.top - last.bottom <= SAME_PT:
            uprights[-1] = Ruling(last.left, last.left, last.top, max(last.bottom, one.bottom))
        else:
            uprights.append(one)
    wide = [one for one in levels if one.right - one.left > 4]
    return wide, [one for one in uprights if one.bottom - one.top > MIN_BAND_PT]


def _clustered(values: Sequence[float]) -> list[float]:
    """Ascending, one for all that lie together."""
    found: list[float] = []
    for value in sorted(values):
        if not found or value - found[-1] > SAME_PT:
            found.append(value)
    return found

"""Balance sheets with two sides, 资产 | 期末 | 年初 | 负债和所有者权益 | 期末 | 年初, as one side below the other."""

import re
from collections.abc import Iterable, Iterator, Sequence

from pipelines.finance.reports.tables.rows import TextRow
from pipelines.finance.reports.tables.titles import find_title

_LEFT = re.compile(r"\W*(?:资\s*产|資\s*產|项\s*目|項\s*目|(?:total )?assets)\W*", re.IGNORECASE)
_RIGHT = re.compile(r"\W*(?:负\s*债|負\s*債|所有者权益|股东权益|liabilities|equity)", re.IGNORECASE)


def one_sided(rows: Iterable[TextRow]) -> list[TextRow]:
    """The rows of a table; below the headings of two sides, those of the left side and then those of the right."""
    taken: list[TextRow] = []
    sides: tuple[list[TextRow], list[TextRow]] = ([], [])
    middle: float | None = None
    for row in rows:
        begins = _middle(row)
        if begins is not None or find_title(row.text) is not None:
            taken += [*sides[0], *sides[1], row]
            sides, middle = ([], []), begins
        elif middle is None:
            taken.append(row)
        else:
            for side, part in zip(sides, _parts(row, middle), strict=True):
                side += part
    return [*taken, *sides[0], *sides[1]]


def _middle(row: TextRow) -> float | None:
    """Where the right side begins, if the row heads two sides of as many columns each."""
    filled = [cell for cell, text in enumerate(row.cells) if text.strip()]
    if len(filled) < 4 or not _LEFT.fullmatch(row.cells[filled[0]]):
        return None
    half, rest = divmod(len(filled), 2)
    if rest or not _RIGHT.match(row.cells[filled[half]]):
        return None
    return row.extent(filled[half])[0]


def _parts(row: TextRow, middle: float) -> Iterator[list[TextRow]]:
    """The row's cells left and right of the middle, as a row each; none where a side is empty."""
    left = [cell for cell in range(len(row.cells)) if row.extent(cell)[0] < middle]
    for side in (left, range(len(left), len(row.cells))):
        yield [_slice(row, side)] if any(row.cells[cell].strip() for cell in side) else []


def _slice(row: TextRow, cells: Sequence[int]) -> TextRow:
    return TextRow(
        cells=tuple(row.cells[cell] for cell in cells),
        page=row.page,
        start=row.spans[cells[0]][0] if row.spans else row.start,
        end=row.spans[cells[-1]][1] if row.spans else row.end,
        spans=tuple(row.spans[cell] for cell in cells) if row.spans else (),
        extents=tuple(row.extent(cell) for cell in cells),
        elements=tuple(row.elements[cell] for cell in cells) if row.elements else (),
    )

"""The cells of a made-up report's tables as they are printed, and its numbers as they are printed in a unit."""

from decimal import Decimal

from data.finance.report_filing import Figure, Row, Sheet
from data.finance.report_style import Style


def scale_of(figure: Figure, style: Style) -> Decimal:
    """What 1 on paper is: money in the unit of the page, shares with it where the page says so, a share's never."""
    if figure.measure == "money":
        return style.scale
    thousand = style.unit in ("thousands", "millions") and figure.measure == "shares"
    return style.scale if thousand else Decimal(1)


def printed(figure: Figure, style: Style) -> str:
    """The number as it stands on paper."""
    if figure.nil:
        return style.nothing
    digits = {"money": None, "shares": 0, "per_share": 2}[figure.measure]
    return style.written(figure.shown / scale_of(figure, style), digits)


def note_column(sheet: Sheet) -> bool:
    """Whether the table has a column of note numbers."""
    return any(row.note for row in sheet.rows)


def head_cells(sheet: Sheet) -> list[str]:
    """The cells of the head: over the words, over the notes, over each year."""
    return [sheet.heads[0], *([sheet.heads[1]] if note_column(sheet) else []), *sheet.columns]


def row_cells(row: Row, sheet: Sheet, style: Style) -> list[str]:
    """The cells of a row; a heading has empty ones."""
    figures = [printed(figure, style) for figure in row.figures] or [""] * len(sheet.columns)
    return [row.words, *([row.note] if note_column(sheet) else []), *figures]

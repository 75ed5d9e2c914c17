"""The columns of a statement: which stretch of the page holds which period's numbers, of whom."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from data.finance.reports import Scope
from pipelines.finance.reports.chinese import simplified
from pipelines.finance.reports.tables.periods import Heading, month_end, read_heading, same_day
from pipelines.finance.reports.tables.rows import MOST_CROWDED, fits_twice, merged
from pipelines.finance.reports.tables.segments import Number, Row

FULL_YEAR = 12  # months
_SKIPPED = re.compile(
    r"附[注註]|注释|行次|^\s*注\s*$|\bnotes?\b|\brefs?\b|%|％|\bpercent|比例|增减|变动(?!前|后)|调整数|影响(?:数|金额)?$|差异"
    r"|\bchanges?\b|\bvariance\b|\badjustments?\b|\beliminations?\b",
    re.IGNORECASE,
)
_NOTES = re.compile(r"附[注註]|注释|行次|^\s*注\s*$|\bnotes?\b", re.IGNORECASE)
_CONSOLIDATED = re.compile(r"合并|本?集团|consolidated|\bgroup\b", re.IGNORECASE)
_PARENT = re.compile(r"母公司|本公司|本行|^公司|\s公司$|\bparent\b|\bcompany\b", re.IGNORECASE)
NEAR = 7  # days
_NOTE_NUMBER = 100  # a column of bare whole numbers below this, left of the others, holds notes


@dataclass(frozen=True, slots=True)
class Calendar:
    """What the document says of itself: the last day of its period, and how many months that is."""

    period_end: date | None = None
    months: int | None = None
    chinese: bool = False
    days: tuple[date, ...] = ()  # last days of years that some statement of the document names


@dataclass(frozen=True, slots=True)
class Column:
    """A stretch of the page and the period that its numbers are of; `end` None: no number of a period."""

    left: float
    right: float
    end: date | None
    months: int | None = None
    scope: Scope | None = None
    is_change: bool = False  # holds changes, shares or adjustments of other columns
    is_usual: bool = False  # has no heading; the period is that of its place


def read_columns(rows: Sequence[Row], above: Sequence[str], calendar: Calendar, instant: bool) -> tuple[Column, ...]:
    """The columns of the rows, left to right; those of notes are left out.

    `above`: the lines over the rows, which may name the day or the months that the headings leave out.
    """
    stretches = _stretches([row for row in rows if row.numbers])
    heads = [row for row in _heads(rows) if row.words]
    words = _words_above(heads, stretches)
    context = [read_heading(line) for line in (*(row.label for row in reversed(heads)), *reversed(above)) if line]
    kept = [place for place, text in enumerate(words) if not _is_note_column(rows, stretches, place, text)]
    headings = [read_heading(words[place]) for place in kept]
    usual = bool(kept) and len(kept) <= 2 and not any(heading.says_when for heading in headings)
    if usual:
        headings = _usual(context, calendar, len(kept))
    shift = _fiscal_shift(headings, context, calendar)
    scopes = _scopes([words[place] for place in kept])
    columns = []
    for place, heading, scope in zip(kept, headings, scopes, strict=True):
        left, right = stretches[place]
        change = _SKIPPED.search(words[place]) is not None and not heading.dates
        unknown = change or _is_crowded(rows, stretches[place])
        end, months = (None, None) if unknown else _period(heading, context, calendar, instant, shift)
        columns.append(Column(left, right, end, months, scope, change, usual))
    return tuple(columns)


def column_of(number: Number, columns: Sequence[Column]) -> Column | None:
    """The column that holds most of the number."""
    shared = [(min(number.right, one.right) - max(number.left, one.left), one) for one in columns]
    width, column = max(shared, key=lambda pair: pair[0], default=(0.0, None))
    return column if width > 0 else None


def _heads(rows: Sequence[Row]) -> list[Row]:
    """The rows above the first with a heading of its own and numbers."""
    first = next((place for place, row in enumerate(rows) if row.numbers and row.label), len(rows))
    return list(rows[:first])


def _stretches(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """Where numbers stand across the page: what overlaps is one column; a number across many does not join them."""
    numbers = [number for row in rows for number in row.numbers if number.right > 0]  # of negative extent: nowhere
    widths = sorted(number.right - number.left for number in numbers)
    widest = 3 * widths[len(widths) // 2] if widths else 0.0
    return merged((one.left, one.right) for one in numbers if one.right - one.left <= widest)


def _is_crowded(rows: Sequence[Row], stretch: tuple[float, float]) -> bool:
    """Whether several columns run into each other here, so that it cannot be told which period a number is of."""
    held = [[(one.left, one.right) for one in row.numbers] for row in rows]
    filled = [extents for extents in held if any(left < stretch[1] and right > stretch[0] for left, right in extents)]
    return sum(fits_twice(extents, stretch) for extents in filled) > MOST_CROWDED * len(filled)


def _words_above(heads: Sequence[Row], stretches: Sequence[tuple[float, float]]) -> list[str]:
    """For each column the words over it, top to bottom."""
    words = [""] * len(stretches)
    for row in heads:
        if _is_context(row, heads, stretches):
            continue
        cells = [cell for cell in row.words if cell != row.words[0] or _is_over(row, cell, stretches)]
        timed = [cell for cell in cells if read_heading(row.source.cells[cell]) != Heading()]
        chosen = _by_order(timed, len(stretches)) or [_over(row, cells, stretch) for stretch in stretches]
        for place, cell in enumerate(chosen):
            if cell is not None:
                words[place] = f"{words[place]} {row.source.cells[cell].strip()}".strip()
    return words


def _is_context(row: Row, heads: Sequence[Row], stretches: Sequence[tuple[float, float]]) -> bool:
    """Whether the row is a line over the whole table ("For the years ended December 31, 2022 and 2021").

    It stands alone and names several periods, or one where another row gives every column its own.
    """
    said = read_heading(row.all_words)
    if len(row.words) > 1 or len(stretches) < 2 or not said.says_when:
        return False
    is_span = said.months is not None and len(said.dates) == 2 and said.dates[0] < said.dates[1]  # from, to
    several = not is_span and (len(said.years) > 1 or len(said.dates) > 1)
    return several or any(_tells_all(other, stretches) for other in heads)


def _tells_all(row: Row, stretches: Sequence[tuple[float, float]]) -> bool:
    """Whether every column has words of time of its own in the row, but for one at the left that may hold notes."""
    timed = [cell for cell in row.words if read_heading(row.source.cells[cell]).says_when]
    own = [_over(row, timed, stretch) for stretch in stretches]
    told = own[1:] if own[0] is None else own
    return len(told) > 1 and None not in told and len(set(told)) == len(told)


def _is_over(row: Row, cell: int, stretches: Sequence[tuple[float, float]]) -> bool:
    left, right = row.source.extent(cell)
    return any(min(right, end) > max(left, begin) for begin, end in stretches)


def _by_order(cells: Sequence[int], columns: int) -> list[int | None]:
    """As many headings as columns go with them one by one, whatever their widths."""
    return list(cells) if len(cells) == columns else []


def _over(row: Row, cells: Sequence[int], stretch: tuple[float, float]) -> int | None:
    """The cell that lies over most of the stretch."""
    extents = [(row.source.extent(cell), cell) for cell in cells]
    shared = [(min(right, stretch[1]) - max(left, stretch[0]), cell) for (left, right), cell in extents]
    width, cell = max(shared, default=(0.0, -1))
    return cell if width > 0 else None


def _is_note_column(rows: Sequence[Row], stretches: Sequence[tuple[float, float]], place: int, words: str) -> bool:
    if (
        re.search(r"附[注註]|注释|行次|^\s*注\s*$|\bnotes?\b", words, re.IGNORECASE)
        and not read_heading(words).says_when
    ):
        return True
    if place or len(stretches) < 2 or read_heading(words).says_when:
        return False
    left, right = stretches[place]
    values = [one.value for row in rows for one in row.numbers if left <= one.left and one.right <= right]
    return all(0 < value < _NOTE_NUMBER and value == int(value) for value in values)


def _usual(context: Sequence[Heading], calendar: Calendar, columns: int) -> list[Heading]:
    """Columns without any heading: this period, then the last; a single one is this period's."""
    if calendar.period_end is None and not any(heading.dates for heading in context):
        return [Heading()] * columns
    return [Heading(role="current"), Heading(role="prior")][:columns]


def _scopes(words: Sequence[str]) -> list[Scope | None]:
    """Of whom each column is, where the headings tell the group's from the parent's."""
    said: list[Scope | None] = []
    for text in words:
        text = simplified(text)
        group = _CONSOLIDATED.search(text) is not None
        said.append("consolidated" if group else "parent" if _PARENT.search(text) else None)
    return said if {"consolidated", "parent"} <= set(said) else [None] * len(said)


def _fiscal_shift(headings: Sequence[Heading], context: Sequence[Heading], calendar: Calendar) -> int:
    """1 where fiscal years are named after the calendar year before they end: 2024 for 1 February 2025."""
    years = [heading.years[-1] for heading in headings if heading.years and not heading.dates]
    end = calendar.period_end
    if not years or end is None or any(day.year == max(years) for heading in context for day in heading.dates):
        return 0
    return 1 if max(years) == end.year - 1 and end.month <= 2 else 0


def _period(
    heading: Heading, context: Sequence[Heading], calendar: Calendar, instant: bool, shift: int
) -> tuple[date | None, int | None]:
    """The last day and the months of a column."""
    said = heading.months or next((one.months for one in context if one.months), None) or calendar.months
    months = None if instant else said or FULL_YEAR
    if heading.dates:
        return heading.dates[-1], months
    if heading.years:
        return _in_year(heading.years[-1] + shift, heading, context, calendar, months), months
    if heading.role is None:
        return None, months
    base = (
        next((max(one.dates) for one in context if one.dates), None)
        or _year_above(context, months)
        or calendar.period_end
    )
    if base is None:
        return None, months
    if heading.role == "current":
        return base, months
    return (month_end(base.year - 1, 12) if instant else same_day(base.year - 1, (base.month, base.day))), months


def _year_above(context: Sequence[Heading], months: int | None) -> date | None:
    """The end of a year that a Chinese title names, 2019年度, or of its first months."""
    year = next((one.years[0] for one in context if one.years), None)
    return None if year is None else month_end(year, months if months in (6, 9) else 12)


def _in_year(year: int, heading: Heading, context: Sequence[Heading], calendar: Calendar, months: int | None) -> date:
    """The day in a year: as the heading or a line above says, else the day of the document's own period."""
    if heading.day is None:
        dated = next((day for one in context for day in one.dates if day.year == year), None)
        if dated is not None:
            return dated
    day = heading.day or next((one.day for one in context if one.day), None)
    named = next((one for one in calendar.days if one.year == year), None)
    if named is not None and months in (None, FULL_YEAR) and (day is None or abs(named.day - day[1]) < NEAR):
        return named
    if day is None and calendar.period_end is not None:
        day = (calendar.period_end.month, calendar.period_end.day)
    if day is None or (calendar.chinese and heading.day is None and months == FULL_YEAR):
        return month_end(year, 12)
    return same_day(year, day)

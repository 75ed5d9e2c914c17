"""From tables to the lines of the three statements, whatever reader found the tables.

`candidates.py` finds the stretches that may be a statement, `columns.py` gives their columns periods, `row_items.py`
their rows items, `signs.py` their numbers signs. Of several candidates the one with the most items wins; a title that
says whose statement it is counts for it, columns of changes and adjustments count against it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from data.finance.reports import STATEMENTS, Line, Scope, StatementName
from pipelines.finance.reports.items import PER_SHARE, SHARES, Language
from pipelines.finance.reports.tables.calendars import read_calendar
from pipelines.finance.reports.tables.candidates import Candidate, titled_candidates, untitled_candidates
from pipelines.finance.reports.tables.columns import Calendar, Column, column_of, read_columns
from pipelines.finance.reports.tables.periods import read_heading, same_day
from pipelines.finance.reports.tables.row_items import Found
from pipelines.finance.reports.tables.rows import Document
from pipelines.finance.reports.tables.segments import Number, Segment, cut
from pipelines.finance.reports.tables.signs import Printed, signed
from pipelines.finance.reports.tables.units import Unit, find_unit

SCOPED, TITLED, CHANGES = 8, 4, -15  # in items, for the choice between candidates
SUMS = frozenset(("revenue", "cost_of_revenue"))  # two rows that mean them equally well are parts of them
LEAP_WEEK = 10  # days by which the ends of fiscal years differ


def recognise(
    document: Document,
    language: Language,
    calendar: Calendar | None = None,
    currency: str | None = None,
    plain: bool = False,
) -> Mapping[StatementName, tuple[Line, ...]]:
    """The statements that the document holds, consolidated and parent, each number with its period and place.

    `calendar` (without it, that of the first page) and `currency` are what the document says of itself elsewhere; a
    statement's own words go before them. `plain`: tables may be statements without any title.
    """
    segments = list(cut(document.tables))
    candidates = [one for one in titled_candidates(segments, language) if one.only_comprehensive or one.is_statement]
    missing = [name for name in STATEMENTS if not any(one.statement == name and one.is_statement for one in candidates)]
    if missing:
        candidates += [one for one in untitled_candidates(segments, language, missing, plain) if one.is_statement]
    usual = _usual_unit(candidates)
    calendar = _with_days(calendar or read_calendar(document.text, language), candidates)
    read = [_read(one, language, calendar, usual, currency) for one in _with_scopes(candidates, language)]
    return {name: lines for name in STATEMENTS if (lines := _choose([one for one in read if one.statement == name]))}


def _with_days(calendar: Calendar, candidates: Iterable[Candidate]) -> Calendar:
    """The calendar with the last days of years that any statement names; another may name the years alone."""
    end = calendar.period_end
    if end is None:
        return calendar
    lines = (line for one in candidates for segment, _ in one.parts for line in segment.lines)
    days = {day for line in lines for day in read_heading(line).dates}
    near = (day for day in days if abs((day - same_day(day.year, (end.month, end.day))).days) <= LEAP_WEEK)
    return replace(calendar, days=tuple(sorted(near)))


@dataclass(frozen=True, slots=True)
class _Read:
    """A candidate's lines, with the rank of each heading, and how much speaks for the candidate."""

    statement: StatementName
    only_comprehensive: bool
    score: int
    lines: tuple[tuple[int, Line], ...]

    def of(self, scope: Scope) -> list[tuple[int, Line]]:
        return [(rank, line) for rank, line in self.lines if line.scope == scope]


def _with_scopes(candidates: Sequence[Candidate], language: Language) -> list[Candidate]:
    """A Chinese title that says nothing of whom, beside one that says consolidated, is the parent's."""
    grouped = {one.statement for one in candidates if one.scope == "consolidated" and one.is_statement}
    for one in candidates:
        if one.scope is None and language == "zh" and one.titled and one.statement in grouped:
            one.scope = "parent"
    return list(candidates)


def _choose(read: Sequence[_Read]) -> tuple[Line, ...]:
    """The lines of the best candidate of each scope, and what a statement of comprehensive income adds to them."""
    chosen: list[Line] = []
    scopes: tuple[Scope, ...] = ("consolidated", "parent")
    for scope in scopes:
        whole = [one for one in read if one.of(scope) and _is_whole(one)]
        if not whole:
            continue
        best = max(whole, key=lambda one: one.score + len({line.item for _, line in one.of(scope)}))
        lines = _once(best.of(scope)) + _other_months(best, whole, scope)
        for one in read:
            if one.only_comprehensive and one is not best:
                known = {line.item for line in lines}
                lines += [line for line in _once(one.of(scope)) if line.item not in known]
        chosen += lines
    return tuple(chosen)


def _other_months(best: _Read, whole: Sequence[_Read], scope: Scope) -> list[Line]:
    """The quarter's lines, where it has a statement of its own beside that of the year so far, or the reverse."""
    told = {line.months for _, line in best.of(scope)}
    for one in whole:
        months = {line.months for _, line in one.of(scope)}
        if one is not best and one.score >= best.score and not months & told:
            return _once(one.of(scope))
    return []


def _is_whole(read: _Read) -> bool:
    """A statement of comprehensive income that has revenue or a profit before tax holds profit or loss too."""
    items = {line.item for _, line in read.lines}
    return not read.only_comprehensive or bool(items & {"revenue", "total_revenue", "pretax_income"})


def _once(ranked: Iterable[tuple[int, Line]]) -> list[Line]:
    """One line an item and period: that of the best heading, the first of equals; parts of a sum are not the sum."""
    best: dict[tuple[str, date, int | None], tuple[int, Line]] = {}
    doubtful = set()
    for rank, line in ranked:
        key = (line.item, line.period_end, line.months)
        known = best.get(key)
        if known is None or rank < known[0]:
            best[key] = (rank, line)
            doubtful.discard(key)
        elif rank == known[0] and rank and line.item in SUMS and line.words.lower() != known[1].words.lower():
            doubtful.add(key)
    return [line for key, (_, line) in best.items() if key not in doubtful]


def _read(candidate: Candidate, language: Language, calendar: Calendar, usual: Unit, currency: str | None) -> _Read:
    """All lines of a candidate."""
    lines: list[tuple[int, Line]] = []
    columns: tuple[Column, ...] = ()
    changes = False
    unit = next((unit for segment, _ in candidate.parts if (unit := _unit(segment)) is not None), usual)
    for segment, found in candidate.parts:
        own = read_columns(segment.rows, segment.above, calendar, candidate.statement == "balance")
        columns = _continued_columns(columns, own)
        changes = changes or any(column.is_change for column in columns)
        unit = _unit(segment) or unit
        for column in columns:
            if column.end is not None:
                lines += _column_lines(candidate, found, column, columns, unit, language, currency)
    score = (SCOPED if candidate.scope else 0) + (TITLED if candidate.titled else 0) + (CHANGES if changes else 0)
    return _Read(candidate.statement, candidate.only_comprehensive, score, tuple(lines))


def _continued_columns(before: tuple[Column, ...], own: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns of a table; one without headings of its own goes on with those of the table before it."""
    if any(column.end is not None for column in own) and not (before and all(one.is_usual for one in own)):
        return own
    if len(before) == len(own):
        return tuple(
            Column(mine.left, mine.right, theirs.end, theirs.months, theirs.scope, theirs.is_change)
            for mine, theirs in zip(own, before, strict=True)
        )
    return before


def _column_lines(
    candidate: Candidate,
    found: Sequence[Found],
    column: Column,
    columns: Sequence[Column],
    unit: Unit,
    language: Language,
    currency: str | None,
) -> Iterator[tuple[int, Line]]:
    """The lines of one column of one table."""
    assert column.end is not None
    held = [(one, number) for one in found if (number := _number_in(one, column, columns)) is not None]
    printed = [
        Printed(one.item, one.words, number.value * _scale(one, unit), one.row.label, _is_mixed(one, columns))
        for one, number in held
    ]
    values = signed(printed, language)
    for (one, number), value in zip(held, values, strict=True):
        yield (
            one.rank,
            Line(
                item=one.item,
                words=one.words,
                value=value,
                period_end=column.end,
                months=column.months,
                scope=column.scope or candidate.scope or "consolidated",
                currency=unit.currency or currency,
                source=one.row.source.place(number.cell),
            ),
        )


def _number_in(found: Found, column: Column, columns: Sequence[Column]) -> Number | None:
    return next((number for number in found.row.numbers if column_of(number, columns) is column), None)


def _is_mixed(found: Found, columns: Sequence[Column]) -> bool:
    """Whether the row has gains and losses among its periods; changes are no period's."""
    held = [number.value for number in found.row.numbers if (one := column_of(number, columns)) is not None and one.end]
    return any(value < 0 for value in held) and any(value > 0 for value in held)


def _scale(found: Found, unit: Unit) -> int:
    if found.item in PER_SHARE:
        return 1
    if found.item in SHARES:
        own = find_unit(found.row.label)
        return own.scale if own is not None else unit.shares
    return unit.scale


def _unit(segment: Segment) -> Unit | None:
    """The unit that the lines above or the column headings name, the nearest first."""
    return next((unit for line in segment.lines if (unit := find_unit(line)) is not None), None)


def _usual_unit(candidates: Iterable[Candidate]) -> Unit:
    """The unit that most statements name, for those that name none; whole ones where none does."""
    named = Counter(unit for one in candidates for segment, _ in one.parts if (unit := _unit(segment)) is not None)
    return named.most_common(1)[0][0] if named else Unit()

"""XBRL facts -> the three statements: the right line, period and scope of every item.

A fact counts without dimensions only, and on the face of its statement; a few items that many statements leave to
the notes may come from there. Nothing is derived: every line is a fact of the report.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from data.finance.reports import STATEMENTS, Fact, Line, Scope, StatementName
from pipelines.finance.reports.items import ITEMS, PER_SHARE, SHARES, Item, Language, clean_words, find_words
from pipelines.finance.reports.tags.faces import (
    Faces,
    Figure,
    faces_by_order,
    faces_by_roles,
    figures_of,
    items_by_concept,
)

NOTED_PROFITS = """interest_expense rd_expense comprehensive_income comprehensive_income_parent eps_basic eps_diluted
comprehensive_income_minority other_comprehensive_income shares_basic shares_diluted"""
NOTED_FLOWS = "depreciation_amortization depreciation amortization interest_paid taxes_paid"
FROM_NOTES: Mapping[StatementName, frozenset[str]] = {
    "income": frozenset(NOTED_PROFITS.split()),
    "balance": frozenset(),
    "cash_flow": frozenset(NOTED_FLOWS.split()),
}
ADDED_BACK = ("depreciation_amortization", "asset_impairment")  # items of either statement
COLUMN_SHARE = 0.6  # of the fullest column's items: fewer are no column of the statement
MONTH_DAYS = 30.4375
LONGEST_MONTHS = 24
GOODS_OR_SERVICES = ("us-gaap:SalesRevenueGoodsNet", "us-gaap:SalesRevenueServicesNet")
REVENUE_PARTS = (("gross_profit", "cost_of_revenue"), ("operating_income", "total_operating_cost"))
Words = Callable[[Fact], str]


@dataclass(frozen=True, slots=True)
class _Headings:
    """What rows are called, and in which language."""

    of: Words
    language: Language


@dataclass(frozen=True, slots=True)
class Column:
    """A period of a statement: `months` None is a date."""

    end: date
    months: int | None
    start: date | None
    scope: Scope


def statements(
    facts: Sequence[Fact],
    currency: str | None = None,
    roles: Mapping[str, Sequence[str]] | None = None,
    words: Words | None = None,
    in_order: bool = True,
    language: Language = "en",
) -> Mapping[StatementName, tuple[Line, ...]]:
    """The lines of the statements, newest column first, in the order of the items.

    `roles` are presentation trees; without them the order of the facts tells the faces, unless it means nothing
    (`in_order` false): then every fact may count. `words` gives the heading of a fact's row.
    """
    figures = tuple(figure for figure in figures_of(facts) if _unit_fits(figure, currency))
    if roles:
        faces = faces_by_roles(figures, roles)
    else:
        faces = faces_by_order(figures) if in_order else dict.fromkeys(STATEMENTS, figures)
    headings = _Headings(words or _no_words, language)
    lines = {name: _lines(name, faces, figures, headings) for name in STATEMENTS}
    return lines if roles else lines | {"income": _without_flows(lines["income"], lines["cash_flow"])}


def _without_flows(income: Sequence[Line], flows: Sequence[Line]) -> tuple[Line, ...]:
    """The income statement without charges that only the cash flow statement shows (it may follow on the page)."""
    shown = {(line.item, line.source) for line in flows}
    return tuple(line for line in income if line.item not in ADDED_BACK or (line.item, line.source) not in shown)


def months_between(start: date, end: date) -> int:
    """Whole months of a period, its last day inclusive; 52 and 53 weeks are twelve.

    >>> months_between(date(2023, 10, 1), date(2024, 9, 28)), months_between(date(2024, 12, 29), date(2025, 3, 29))
    (12, 3)
    """
    return max(1, round(((end - start).days + 1) / MONTH_DAYS))


def _lines(name: StatementName, faces: Faces, figures: Sequence[Figure], words: _Headings) -> tuple[Line, ...]:
    face = faces[name]
    on_face = _by_column(face, name)
    columns = _columns(on_face, name)
    notes = _by_column(figures, name)
    lines: list[Line] = []
    for column in columns:
        chosen = _choose(name, on_face[column], notes.get(column, {}))
        if name == "cash_flow":
            chosen |= _cash_of(column, face, figures)
        else:
            chosen |= _right_revenue(chosen, on_face[column]) if name == "income" else {}
        chosen |= _by_words(name, on_face[column], chosen, words)
        lines += [_line(item, *chosen[item.name], column, words) for item in ITEMS.values() if item.name in chosen]
    return tuple(lines)


Chosen = dict[str, tuple[Figure, bool]]  # item -> its figure, and whether the value is negated


def _choose(name: StatementName, face: Mapping[str, Sequence[Figure]], notes: Mapping[str, Sequence[Figure]]) -> Chosen:
    chosen: Chosen = {}
    both_parts = all(part in face for part in GOODS_OR_SERVICES)
    for item in (item for item in ITEMS.values() if name in item.statements):
        places = (face, notes) if item.name in FROM_NOTES[name] else (face,)
        for place in places:
            for concept in item.concepts:
                if both_parts and concept in GOODS_OR_SERVICES:
                    continue
                found = [figure for figure in place.get(concept.lstrip("-"), ()) if _kind_fits(item, figure)]
                if found:
                    chosen.setdefault(item.name, (_finest(found), concept.startswith("-")))
    return chosen


def _right_revenue(chosen: Chosen, face: Mapping[str, Sequence[Figure]]) -> Chosen:
    """Revenue by its arithmetic: where profit and cost add up to another sales line of the face, that is the total."""
    for profit, cost in REVENUE_PARTS:
        if profit not in chosen or cost not in chosen:
            continue
        total = chosen[profit][0].value + chosen[cost][0].value
        if "revenue" in chosen and chosen["revenue"][0].value == total:
            return {}
        for concept, figures in face.items():
            if "Revenue" in concept or "Sales" in concept:
                for figure in figures:
                    if figure.value == total:
                        return {"revenue": (figure, False)}
    return {}


def _cash_of(column: Column, face: Sequence[Figure], figures: Sequence[Figure]) -> Chosen:
    """Cash at the two ends of a period: the same concept at both, on the face where possible."""
    if column.start is None:
        return {}
    for place in (face, figures):
        held: dict[tuple[str, date | None], Figure] = {}
        for figure in place:
            if figure.scope == column.scope:
                held.setdefault((figure.name, figure.fact.instant), figure)
        for concept in ITEMS["cash_end"].concepts:
            last = held.get((concept, column.end))
            first = next((held[concept, day] for day in _days_before(column.start) if (concept, day) in held), None)
            if first and last:
                return {"cash_beginning": (first, False), "cash_end": (last, False)}
    return {}


def _days_before(start: date) -> Iterable[date]:
    """The day before the period, or the first day where a report writes it so."""
    return (start - timedelta(days=1), start)


def _by_words(name: StatementName, face: Mapping[str, Sequence[Figure]], chosen: Chosen, words: _Headings) -> Chosen:
    """Items that no known concept gave, by the headings of the rows of the face that no item took."""
    taken = {figure.name for figure, _ in chosen.values()}
    known = items_by_concept(name)
    added: Chosen = {}
    for concept, figures in face.items():
        if concept in taken or concept in known:
            continue
        item = find_words(words.of(figures[0].fact), words.language, name)
        if item and item.name not in chosen and item.name not in added and _kind_fits(item, figures[0]):
            added[item.name] = (_finest(figures), item.sign == "amount" and figures[0].value < 0)
    return added


def _by_column(figures: Iterable[Figure], name: StatementName) -> Mapping[Column, Mapping[str, list[Figure]]]:
    found: dict[Column, dict[str, list[Figure]]] = defaultdict(lambda: defaultdict(list))
    for figure in figures:
        column = _column(figure)
        if column is not None and (column.months is None) == (name == "balance"):
            found[column][figure.name].append(figure)
    return found


def _column(figure: Figure) -> Column | None:
    fact = figure.fact
    if fact.instant is not None:
        return Column(fact.instant, None, None, figure.scope)
    if fact.start is None or fact.end is None:
        return None
    months = months_between(fact.start, fact.end)
    return Column(fact.end, months, fact.start, figure.scope) if months <= LONGEST_MONTHS else None


def _columns(by_column: Mapping[Column, Mapping[str, Sequence[Figure]]], name: StatementName) -> list[Column]:
    """The columns that the statement shows: those that hold many of its items."""
    known = items_by_concept(name)
    counts = {
        column: len({i for concept in held for i in known.get(concept, ())}) for column, held in by_column.items()
    }
    least = max(2.0, COLUMN_SHARE * max(counts.values(), default=0))
    shown = [column for column, count in counts.items() if count >= least]
    return sorted(shown, key=lambda column: (column.scope, -column.end.toordinal(), -(column.months or 0)))


def _finest(figures: Sequence[Figure]) -> Figure:
    """The first of those with the finest precision: a statement rounds less than the notes beside it."""
    return max(figures, key=lambda figure: _decimals(figure.fact.decimals))


def _decimals(written: str | None) -> int:
    try:
        return int(written or "0")
    except ValueError:  # INF
        return 99


def _unit_fits(figure: Figure, currency: str | None) -> bool:
    """Amounts in another currency (translated for convenience) are left to the facts."""
    unit = figure.fact.unit or ""
    amount = unit.partition("/")[0]
    return currency is None or amount == currency or not (len(amount) == 3 and amount.isupper())


def _kind_fits(item: Item, figure: Figure) -> bool:
    unit = (figure.fact.unit or "").lower()
    if item.name in PER_SHARE:
        return "/" in unit
    if item.name in SHARES:
        return "share" in unit and "/" not in unit
    return "/" not in unit and len(unit) == 3  # ISO 4217


def _line(item: Item, figure: Figure, negated: bool, column: Column, words: _Headings) -> Line:
    fact = figure.fact
    value = -figure.value if negated and figure.value else figure.value
    return Line(
        item=item.name,
        words=clean_words(words.of(fact)) or item.heading(words.language),
        value=value + Decimal(0),
        period_end=column.end,
        months=column.months,
        scope=column.scope,
        currency=None if item.name in SHARES else (fact.unit or "").partition("/")[0],
        source=fact.source,
    )


def _no_words(fact: Fact) -> str:
    return ""

"""Where the primary statements stand among a report's facts: their faces, apart from notes and segments.

Two ways: a presentation tree says which concepts a statement holds; without one, the face is the run of facts, in
the order of the page, in which the items of the statement stand most and closest.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from types import MappingProxyType

from data.finance.reports import STATEMENTS, Fact, Scope, StatementName
from pipelines.finance.reports.items import ITEMS

OTHER_ROW = -0.15  # what a row of no item costs a run; one of a new item brings 1, of one seen before nothing
LOST = 3.0  # so far below its best a run is over
MOST_ROWS_BELOW_HEAD = 20  # of no item, between the first line of a statement (revenue, cash) and the next known one
CONSOLIDATION = ("ConsolidatedAndSeparateFinancialStatementsAxis", "ConsolidatedSoloDimension")
NO_FACES = ("parenthetical", "details", "detail)", "policies", "(tables)", "(table)")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number without dimensions (but for the scope), as the statements use it."""

    fact: Fact
    value: Decimal
    name: str  # prefix:Name with the prefix that the items use
    scope: Scope


PLACE = {name: place for place, name in enumerate(ITEMS)}
Faces = Mapping[StatementName, Sequence[Figure]]


def figures_of(facts: Iterable[Fact]) -> tuple[Figure, ...]:
    """The numbers that no dimension narrows, in the order of the facts."""
    known = list(facts)
    foreign = not any(fact.concept.startswith(("us-gaap:", "ifrs-full:")) for fact in known)
    found = []
    for fact in known:
        scope = _scope(fact.dimensions)
        if scope is not None and isinstance(fact.value, Decimal) and fact.unit is not None:
            name = _foreign_name(fact.concept) if foreign else fact.concept
            found.append(Figure(fact, fact.value, name, scope))
    return tuple(found)


def faces_by_order(figures: Sequence[Figure]) -> Faces:
    """The faces of a page whose facts stand in its order; the parent's own statements have faces of their own."""
    scopes = [[figure for figure in figures if figure.scope == scope] for scope in ("consolidated", "parent")]
    rows = [list(_rows(own)) for own in scopes]
    return {name: [figure for own in rows for figure in _best_run(own, name)] for name in STATEMENTS}


def faces_by_roles(figures: Sequence[Figure], roles: Mapping[str, Sequence[str]]) -> Faces:
    """The faces by presentation trees: title of a role -> its concepts, in order."""
    present = {figure.name for figure in figures}
    faces: dict[StatementName, Sequence[Figure]] = {}
    for name in STATEMENTS:
        known = items_by_concept(name)
        best: tuple[int, Sequence[str]] = (0, ())
        for title, concepts in roles.items():
            if not any(word in title.lower() for word in NO_FACES):
                items = {item for concept in concepts if concept in present for item in known.get(concept, ())}
                best = max(best, (len(items), concepts), key=lambda pair: pair[0])
        place = {concept: order for order, concept in enumerate(best[1])}
        chosen = [figure for figure in figures if figure.name in place]
        faces[name] = sorted(chosen, key=lambda figure: place[figure.name])
    return faces


@cache
def items_by_concept(statement: StatementName) -> Mapping[str, tuple[str, ...]]:
    """Concept -> names of the items of a statement that it may stand for."""
    found: dict[str, tuple[str, ...]] = {}
    for item in ITEMS.values():
        if statement in item.statements:
            for concept in item.concepts:
                found[concept.lstrip("-")] = (*found.get(concept.lstrip("-"), ()), item.name)
    return MappingProxyType(found)


def _scope(dimensions: Mapping[str, str]) -> Scope | None:
    if not dimensions:
        return "consolidated"
    if len(dimensions) > 1:
        return None
    axis, member = next(iter(dimensions.items()))
    if axis.rpartition(":")[2] not in CONSOLIDATION:
        return None
    return "parent" if "Separate" in member or "Solo" in member else "consolidated"


@cache
def _by_local_name() -> Mapping[str, str]:
    concepts = (concept.lstrip("-") for item in ITEMS.values() for concept in reversed(item.concepts))
    return {concept.rpartition(":")[2]: concept for concept in concepts}


def _foreign_name(concept: str) -> str:
    """National taxonomies name many things as IFRS does."""
    return _by_local_name().get(concept.rpartition(":")[2], concept)


def _rows(figures: Sequence[Figure]) -> Iterator[list[Figure]]:
    """Runs of the same concept: a row of the page, over its columns."""
    row: list[Figure] = []
    for figure in figures:
        if row and figure.name != row[0].name:
            yield row
            row = []
        row.append(figure)
    if row:
        yield row


def _best_run(rows: Sequence[Sequence[Figure]], statement: StatementName) -> Sequence[Figure]:
    """The run of rows in which new items outweigh rows of none, and of items seen before, most."""
    known = items_by_concept(statement)
    names = [row[0].name for row in rows]
    best, best_run = 0.0, (0, 0)
    for start, first in enumerate(names):
        if first not in known:
            continue
        here, peak, seen = 0.0, 0.0, set[str]()
        for index in range(start, len(names)):
            items = known.get(names[index])
            here += OTHER_ROW if items is None else 0.0 if items[0] in seen else 1.0
            seen.update(items or ())
            if here > peak:
                peak = here
                if here > best:
                    best, best_run = here, (start, index + 1)
            elif here < peak - LOST:
                break
    if not best:
        return ()
    start = _head(names, best_run[0], known)
    return [figure for row in rows[start : best_run[1]] for figure in row]


def _head(names: Sequence[str], start: int, known: Mapping[str, tuple[str, ...]]) -> int:
    """Where the run truly starts: many rows of a company's own may part its first line from the others."""
    first = PLACE[known[names[start]][0]]
    for index in range(start - 1, max(-1, start - 1 - MOST_ROWS_BELOW_HEAD), -1):
        if names[index] in known:
            return index if PLACE[known[names[index]][0]] < first else start
    return start

"""Stretches of a document that may be a statement: under its title, or where enough of its items stand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from data.finance.reports import STATEMENTS, Scope, StatementName
from pipelines.finance.reports.items import Language
from pipelines.finance.reports.tables.row_items import Found, find_items
from pipelines.finance.reports.tables.segments import Segment

LARGEST_GAP = 700  # characters of text between two tables of one statement
FEWEST_ITEMS = 5  # that make rows without a title a statement
FEWEST_ROWS, MOST_ROWS = 6, 2000  # with numbers
FEWEST_PLAIN_ITEMS, FEWEST_PLAIN_ROWS = 2, 3  # the same of a sheet that holds hardly anything else
MOSTLY = 0.5  # of its rows
SHARED = 0.4  # of the items of a table: more than these in common with the statement so far, and it is another one
KNOWN = 0.25  # of the rows of a table: fewer items, and it does not continue the statement
ANCHORS: Mapping[StatementName, tuple[str, ...]] = {  # one of each group must be there
    "balance": (
        "total_assets liabilities_and_equity",
        "total_liabilities total_equity equity_parent liabilities_and_equity current_liabilities",
    ),
    "income": (
        "net_income net_income_parent continuing_net_income comprehensive_income",
        "revenue total_revenue operating_income pretax_income income_tax operating_expenses total_operating_cost"
        " net_interest_income eps_basic interest_income admin_expense",
    ),
    "cash_flow": ("operating_cash_flow", "investing_cash_flow financing_cash_flow cash_end net_change_in_cash"),
}
LAST: Mapping[StatementName, str] = {
    "balance": "liabilities_and_equity",
    "income": "eps_diluted",
    "cash_flow": "cash_end",
}


@dataclass(slots=True)
class Candidate:
    """What may be a statement; its segments each with the items found in it."""

    statement: StatementName
    scope: Scope | None
    titled: bool
    only_comprehensive: bool = False  # the title says comprehensive income, not profit or loss
    parts: list[tuple[Segment, list[Found]]] = field(default_factory=list)

    @property
    def items(self) -> set[str]:
        return {found.item for _, rows in self.parts for found in rows}

    @property
    def is_complete(self) -> bool:
        return LAST[self.statement] in self.items

    @property
    def is_statement(self) -> bool:
        """Whether it has what every such statement has."""
        items = self.items
        if self.titled and self.scope == "consolidated":  # the title is evidence too
            return len(items & set(" ".join(ANCHORS[self.statement]).split())) > 1
        return all(items & set(group.split()) for group in ANCHORS[self.statement])

    def takes(self, segment: Segment, found: Sequence[Found]) -> bool:
        """Whether the segment goes on with this statement."""
        new = {row.item for row in found}
        if not new or len(new & self.items) > SHARED * len(new):
            return False
        return len(found) >= KNOWN * sum(bool(row.numbers) for row in segment.rows)


def titled_candidates(segments: Iterable[Segment], language: Language) -> list[Candidate]:
    """The stretches that begin under a title."""
    candidates: list[Candidate] = []
    active: Candidate | None = None
    for segment in segments:
        title = segment.title
        if title is not None and title.kind == "other":
            active = None
        elif title is not None:
            statement: StatementName = "income" if title.kind in ("income", "comprehensive") else title.kind  # type: ignore[assignment]
            found = find_items(segment.rows, language, statement)
            scope = title.scope or ("parent" if segment.after_parent else None)
            begun = active is not None and active.statement == statement and scope in (None, active.scope)
            if active is None or not begun or title.kind == "comprehensive" or not active.takes(segment, found):
                active = Candidate(statement, scope, titled=True, only_comprehensive=title.kind == "comprehensive")
                candidates.append(active)
            active.parts.append((segment, found))
        elif active is not None:
            active = _continued(active, segment, language)
    return candidates


def untitled_candidates(
    segments: Iterable[Segment], language: Language, statements: Sequence[StatementName], plain: bool = False
) -> list[Candidate]:
    """For statements that no title leads to: stretches that hold enough of their items; fewer will do in a `plain`
    table, whose rows are hardly anything else.
    """
    candidates: list[Candidate] = []
    active: dict[StatementName, Candidate | None] = dict.fromkeys(statements)
    for segment in segments:
        few = plain and _holds_mostly_items(segment, language)
        for statement in statements:
            begun = active[statement]
            if begun is not None and segment.title is None:
                active[statement] = begun = _continued(begun, segment, language)
            else:
                begun = None
            fewest, rows = (FEWEST_PLAIN_ITEMS, FEWEST_PLAIN_ROWS) if few else (FEWEST_ITEMS, FEWEST_ROWS)
            numeric = sum(bool(row.numbers) for row in segment.rows)
            if begun is not None or not rows <= numeric <= MOST_ROWS:
                continue
            found = find_items(segment.rows, language, statement)
            if len({row.item for row in found}) >= fewest:
                scope: Scope | None = "parent" if segment.after_parent else None
                active[statement] = Candidate(statement, scope, titled=False, parts=[(segment, found)])
                candidates.append(active[statement])  # type: ignore[arg-type]
    return candidates


def _holds_mostly_items(segment: Segment, language: Language) -> bool:
    numbered = [row for row in segment.rows if row.numbers]
    known = {found.row.source.start for name in STATEMENTS for found in find_items(segment.rows, language, name)}
    return len(numbered) <= MOST_ROWS and len(known) >= MOSTLY * len(numbered)


def _continued(active: Candidate, segment: Segment, language: Language) -> Candidate | None:
    """The candidate with the segment taken up, or None where the segment ends it."""
    if segment.gap > LARGEST_GAP or len(segment.rows) > MOST_ROWS or active.is_complete:
        return None
    found = find_items(segment.rows, language, active.statement)
    if not active.takes(segment, found):
        return None
    active.parts.append((segment, found))
    return active

"""Lines that mean two items: without a minority the owners' equity is the equity, their profit the profit."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from data.finance.reports import Line, Scope, StatementName
from pipelines.finance.reports.items import ITEMS

TWINS: Mapping[StatementName, tuple[tuple[str, str, str], ...]] = {  # of the owners, of all, of the minority
    "income": (
        ("net_income_parent", "net_income", "net_income_minority"),
        ("comprehensive_income_parent", "comprehensive_income", "comprehensive_income_minority"),
    ),
    "balance": (("equity_parent", "total_equity", "minority_interest"),),
    "cash_flow": (),
}
ORDER = {name: place for place, name in enumerate(ITEMS)}
Column = tuple[Scope, date, int | None]


def settle(statements: Mapping[StatementName, Sequence[Line]]) -> dict[StatementName, tuple[Line, ...]]:
    """The statements with such a line under both items; columns keep their order, items that of the table."""
    return {name: _settled(lines, TWINS[name]) for name, lines in statements.items()}


def by_column(lines: Sequence[Line]) -> dict[Column, list[Line]]:
    """Lines of one scope and period each, in their order."""
    columns: dict[Column, list[Line]] = defaultdict(list)
    for line in lines:
        columns[line.scope, line.period_end, line.months].append(line)
    return dict(columns)


def _settled(lines: Sequence[Line], twins: Sequence[tuple[str, str, str]]) -> tuple[Line, ...]:
    settled: list[Line] = []
    for column in by_column(lines).values():
        known = {line.item: line for line in reversed(column)}
        both = [
            replace(known[owners], item=everyone)
            for owners, everyone, minority in twins
            if owners in known and everyone not in known and minority not in known
        ]
        settled += sorted([*column, *both], key=lambda line: ORDER[line.item])
    return tuple(settled)

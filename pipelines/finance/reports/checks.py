"""What must hold among the figures of a report: sums, signs, units, whose report it is. What fails is said, not hidden.

Sums are compared within the rounding of their column: half a unit of the last digit shown for every figure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import pairwise
from statistics import median

from data.finance.reports import STATEMENTS, Check, Line, StatementName, plain
from pipelines.finance.reports.items import PER_SHARE, SHARES
from pipelines.finance.reports.tables.settle import Column, by_column

JUMP = 300  # times between two periods: a unit of a thousand was lost or added
FEWEST_TO_COMPARE = 3  # items
CENT = Decimal("0.01")
TOTALS = """revenue total_revenue cost_of_revenue total_operating_cost cash current_assets noncurrent_assets
total_assets inventory ppe current_liabilities noncurrent_liabilities total_liabilities liabilities_and_equity
shares_basic shares_diluted cash_end cash_beginning"""
NEVER_NEGATIVE = frozenset(TOTALS.split())
NAMES: Mapping[StatementName, str] = {
    "income": "income statement",
    "balance": "balance sheet",
    "cash_flow": "cash flow statement",
}
Figures = Mapping[str, Decimal]
Statements = Mapping[StatementName, Sequence[Line]]


@dataclass(frozen=True, slots=True)
class Sum:
    """`ways` are equations of which one must hold, if all its items without a ? are there.

    `otherwise` counts where none of the ways has its items.
    """

    name: str
    statement: StatementName
    ways: tuple[str, ...]
    otherwise: tuple[str, ...] = ()


SUMS = (
    Sum(
        "balance_sheet_balances",
        "balance",
        (
            "total_liabilities + mezzanine_equity? + total_equity = total_assets",
            "total_liabilities + total_equity = total_assets",
            "total_liabilities + mezzanine_equity? + equity_parent + minority_interest? = total_assets",
            "total_liabilities + provisions + total_equity = total_assets",  # Danish liabilities leave them out
        ),
        ("liabilities_and_equity = total_assets",),
    ),
    Sum("both_sides_are_equal", "balance", ("liabilities_and_equity = total_assets",)),
    Sum("assets_add_up", "balance", ("current_assets + noncurrent_assets = total_assets",)),
    Sum("liabilities_add_up", "balance", ("current_liabilities + noncurrent_liabilities = total_liabilities",)),
    Sum("equity_adds_up", "balance", ("equity_parent + minority_interest = total_equity",)),
    Sum("gross_profit_adds_up", "income", ("revenue - cost_of_revenue = gross_profit",)),
    Sum(
        "operating_profit_adds_up",  # the form of Chinese statements since 2019, and before (impairment a cost)
        "income",
        (
            "total_revenue - total_operating_cost + other_income? + investment_income? + hedge_gain? + fair_value_gain?"
            " + credit_impairment? + asset_impairment? + disposal_gain? + fx_gain? = operating_income",
            "total_revenue - total_operating_cost + other_income? + investment_income? + hedge_gain? + fair_value_gain?"
            " + disposal_gain? + fx_gain? = operating_income",
            "total_revenue - total_operating_cost + other_income? + investment_income? + hedge_gain? + fair_value_gain?"
            " - credit_impairment? - asset_impairment? + disposal_gain? + fx_gain? = operating_income",
        ),
    ),
    Sum(
        "pretax_income_adds_up",
        "income",
        ("operating_income + non_operating_income - non_operating_expense = pretax_income",),
    ),
    Sum(
        "net_income_adds_up",
        "income",
        (
            "pretax_income - income_tax = net_income",
            "pretax_income - income_tax = continuing_net_income",
            "pretax_income - income_tax + associates_income = net_income",
            "pretax_income - income_tax + discontinued_net_income = net_income",
            "pretax_income - income_tax + associates_income + discontinued_net_income = net_income",
        ),
    ),
    Sum("continuing_and_discontinued", "income", ("continuing_net_income + discontinued_net_income = net_income",)),
    Sum("parent_and_minority", "income", ("net_income_parent + net_income_minority = net_income",)),
    Sum("comprehensive_income_adds_up", "income", ("net_income + other_comprehensive_income = comprehensive_income",)),
    Sum(
        "cash_flows_add_up",
        "cash_flow",
        (
            "operating_cash_flow + investing_cash_flow? + financing_cash_flow? + fx_effect? + discontinued_cash_flow?"
            " = net_change_in_cash",
            "operating_cash_flow + investing_cash_flow? + financing_cash_flow? + fx_effect? = net_change_in_cash",
            "operating_cash_flow + investing_cash_flow? + financing_cash_flow? = net_change_in_cash",
        ),
    ),
    Sum(
        "cash_articulates",
        "cash_flow",
        (
            "cash_beginning + net_change_in_cash = cash_end",
            "cash_beginning + net_change_in_cash + fx_effect = cash_end",
        ),
        ("cash_beginning + operating_cash_flow + investing_cash_flow? + financing_cash_flow? + fx_effect? = cash_end",),
    ),
    Sum("operating_flows_add_up", "cash_flow", ("operating_inflow - operating_outflow = operating_cash_flow",)),
    Sum("investing_flows_add_up", "cash_flow", ("investing_inflow - investing_outflow = investing_cash_flow",)),
    Sum("financing_flows_add_up", "cash_flow", ("financing_inflow - financing_outflow = financing_cash_flow",)),
)


def check(statements: Statements, expected: bool = True) -> tuple[Check, ...]:
    """All checks that the figures allow. `expected`: a whole report, that should hold all three statements."""
    columns = {name: by_column(statements.get(name, ())) for name in STATEMENTS}
    found = [_check_sum(rule, columns[rule.statement]) for rule in SUMS]
    found += [_found(statements, expected), _same_profit(columns), _signs(columns), _units(columns)]
    return tuple(result for result in found if result is not None)


def _check_sum(rule: Sum, columns: Mapping[Column, Sequence[Line]]) -> Check | None:
    held, broken = 0, []
    for column, lines in columns.items():
        values = {line.item: line.value for line in reversed(lines)}
        ways = [way for way in rule.ways if _applies(way, values)] or [
            way for way in rule.otherwise if _applies(way, values)
        ]
        if not ways:
            continue
        unit = rounding(lines)
        if any(_gap(way, values) <= unit * _present(way, values) / 2 for way in ways):
            held += 1
        else:
            broken.append(f"{_when(column)}: {_written(ways[0], values)}")
    if not held and not broken:
        return None
    return Check(rule.name, not broken, "; ".join(broken) or f"holds in {held} period{'s' * (held > 1)}")


def rounding(lines: Iterable[Line]) -> Decimal:
    """The unit that all amounts of a column are whole in: 1000000, 1, 0.01."""
    unit: Decimal | None = None
    for line in lines:
        if line.value and line.item not in PER_SHARE and line.item not in SHARES:
            digits = line.value.normalize().as_tuple()
            place = Decimal(1).scaleb(int(digits.exponent))
            unit = place if unit is None else min(unit, place)
    return max(unit or CENT, CENT)


@cache
def _terms(way: str) -> tuple[tuple[int, str, bool], ...]:
    """Sign, item, whether it may be missing; the right side is subtracted."""
    left, _, right = way.partition("=")
    terms = []
    for side, turn in ((left, 1), (right, -1)):
        for sign, item, optional in re.findall(r"([+-]?)\s*([a-z_]+)(\??)", side):
            terms.append((-turn if sign == "-" else turn, item, bool(optional)))
    return tuple(terms)


def _applies(way: str, values: Figures) -> bool:
    return all(optional or item in values for _, item, optional in _terms(way))


def _present(way: str, values: Figures) -> int:
    return sum(item in values for _, item, _ in _terms(way))


def _gap(way: str, values: Figures) -> Decimal:
    return abs(sum((sign * values.get(item, Decimal(0)) for sign, item, _ in _terms(way)), Decimal(0)))


def _written(way: str, values: Figures) -> str:
    """The equation with its figures, and by how much it fails."""
    shown = [(sign, item) for sign, item, _ in _terms(way) if item in values]
    *left, (_, total) = shown
    words = " ".join(f"{'-' if sign < 0 else '+'} {item} {plain(values[item])}" for sign, item in left).lstrip("+ ")
    return f"{words} is not {total} {plain(values[total])} (apart by {plain(_gap(way, values))})"


def _when(column: Column) -> str:
    scope, end, months = column
    return (
        f"{end.isoformat()}{'' if months is None else f' ({months} months)'}{', parent company' * (scope == 'parent')}"
    )


def _found(statements: Statements, expected: bool) -> Check | None:
    missing = [NAMES[name] for name in STATEMENTS if not statements.get(name)]
    parents = [
        NAMES[name]
        for name in STATEMENTS
        if statements.get(name) and all(line.scope == "parent" for line in statements[name])
    ]
    if not missing and not parents:
        return Check("statements_found", True, "all three")
    if not expected and len(missing) == len(STATEMENTS):
        return None
    said = [f"no {', no '.join(missing)} was found; it may stand in another document"] if missing else []
    said += [f"of the {', of the '.join(parents)} only the parent company's was found"] if parents else []
    return Check("statements_found", False, "; ".join(said))


def _same_profit(columns: Mapping[StatementName, Mapping[Column, Sequence[Line]]]) -> Check | None:
    """Net income of the cash flow statement is that of the income statement."""
    apart, held = [], 0
    for column, lines in columns["cash_flow"].items():
        flows = {line.item: line.value for line in reversed(lines)}
        others = columns["income"].get(column, ())
        profits = {line.value for line in others if line.item.startswith(("net_income", "continuing_net_income"))}
        if "net_income" in flows and profits:
            unit = max(rounding(lines), rounding(others))
            if any(abs(flows["net_income"] - profit) <= unit for profit in profits):
                held += 1
            else:
                known = ", ".join(plain(profit) for profit in sorted(profits))
                apart.append(f"{_when(column)}: {plain(flows['net_income'])} in the cash flow, {known} in the income")
    if not held and not apart:
        return None
    return Check("net_income_agrees", not apart, "; ".join(apart) or f"holds in {held} period{'s' * (held > 1)}")


def _signs(columns: Mapping[StatementName, Mapping[Column, Sequence[Line]]]) -> Check | None:
    lines = [(column, line) for held in columns.values() for column, rows in held.items() for line in rows]
    wrong = [
        f"{_when(column)}: {line.item} {plain(line.value)} is negative"
        for column, line in lines
        if line.item in NEVER_NEGATIVE and line.value < 0
    ]
    return Check("signs", not wrong, "; ".join(wrong) or "no total is negative") if lines else None


def _units(columns: Mapping[StatementName, Mapping[Column, Sequence[Line]]]) -> Check | None:
    """Whether the figures of a statement jump, as they do where a unit was read wrong in one period."""
    jumps, compared = [], False
    for name, held in columns.items():
        tables = [(column, {line.item: line.value for line in lines}) for column, lines in held.items()]
        for (column, new), (other, old) in pairwise(tables):
            ratios = [
                abs(new[item] / old[item])
                for item in new.keys() & old.keys()
                if new[item] and old[item] and item not in PER_SHARE and item not in SHARES
            ]
            if len(ratios) < FEWEST_TO_COMPARE or column[0] != other[0]:
                continue
            compared = True
            usual = median(ratios)
            if usual >= JUMP or usual * JUMP <= 1:
                jumps.append(f"{NAMES[name]}: {_when(column)} is {plain(usual.quantize(CENT))} times {_when(other)}")
    return Check("units", not jumps, "; ".join(jumps) or "no jump between periods") if compared else None

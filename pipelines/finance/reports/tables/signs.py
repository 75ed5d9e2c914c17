"""From numbers as printed to numbers as items mean them: a cost is positive, a loss negative, however it is marked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pipelines.finance.reports.items import ITEMS, Language, says_loss

_REVERSED = re.compile(  # (income) expense, (benefit): what stands in brackets is what parentheses mean
    r"\((?:income|gains?|earnings|benefits?|profits?|credits?|收益|利润)\)", re.IGNORECASE
)
_TAX_REVERSED = re.compile(
    r"benefits?\s*/?\s*\((?:expense|provision)|^\s*(?:income tax(?:es)? )?\(?(?:expense|provision)\)"
    r"|^\W*\(provision|benefit (?:from|for) \(provision|\((?:expense|provision)[^()]*\)\s*/?\s*benefit",
    re.IGNORECASE,
)
_ONLY_EXPENSE = re.compile(r"\b(?:expenses?|charges?|deductions?|costs?)\b", re.IGNORECASE)
_ANY_INCOME = re.compile(r"\b(?:income|gains?|earnings|benefits?|credits?|revenues?|net)\b", re.IGNORECASE)
_RECOVERY = re.compile(r"revers|recover|gain|转回|收益", re.IGNORECASE)
_FILL_IN = re.compile(r"填列|号列示|号填")
_PLAIN_EXPENSE = frozenset(("other_non_operating", "total_non_operating", "interest_expense"))
_PROFITS = """gross_profit operating_income pretax_income net_income continuing_net_income discontinued_net_income
net_income_parent net_income_minority net_income_common comprehensive_income comprehensive_income_parent
other_comprehensive_income eps_basic eps_diluted ebit ebitda"""
_MAY_BE_LOSSES = frozenset(
    f"""{_PROFITS} retained_earnings accumulated_oci equity_parent total_equity fair_value_gain fx_gain disposal_gain
    associates_income investment_income""".split()
)
_IMPAIRMENTS = frozenset(("credit_impairment", "asset_impairment"))
_COST_ITEMS = """cost_of_revenue taxes_and_surcharges selling_expense admin_expense rd_expense finance_expense
interest_expense fee_expense surrenders claims reserve_change policy_dividends reinsurance_expense"""
_GAIN_ITEMS = """other_income investment_income associates_income fair_value_gain hedge_gain fx_gain disposal_gain
operating_income"""
_COSTS, _GAINS = frozenset(_COST_ITEMS.split()), frozenset(_GAIN_ITEMS.split())
_BALANCE = [name for name, item in ITEMS.items() if "balance" in item.statements]
_LIABILITIES = frozenset(_BALANCE[_BALANCE.index("short_term_debt") : _BALANCE.index("total_liabilities") + 1])
_ROUNDING = Decimal("0.005")  # of an impairment, by which a total may miss its parts


@dataclass(frozen=True, slots=True)
class Printed:
    """A number of an item as printed, scaled, with the heading it stands by, cleaned and as it stands in its row.

    `mixed`: the row's periods have both signs, so that each number has its own, whatever the heading says.
    """

    item: str
    words: str
    value: Decimal
    label: str = ""
    mixed: bool = False


def signed(numbers: Sequence[Printed], language: Language) -> list[Decimal]:
    """The numbers of one statement and period as their items mean them."""
    deducted = _deducts(numbers, language)
    meant = [_meant(number, language, deducted) for number in numbers]
    if language == "zh":
        for place in _costs_of_impairment(numbers):
            meant[place] = -numbers[place].value
    first = {number.item: value for number, value in reversed(list(zip(numbers, meant, strict=True)))}
    owed = first.get("total_liabilities", first.get("current_liabilities", Decimal(0)))
    return [
        _fitting_tax(value, first)
        if number.item == "income_tax"
        else -value
        if owed < 0 and number.item in _LIABILITIES  # printed as what is taken off the assets
        else value
        for number, value in zip(numbers, meant, strict=True)
    ]


def _deducts(numbers: Sequence[Printed], language: Language) -> bool:
    """Whether the statement prints sums that it deducts as negative numbers."""
    costs = [one.value for one in numbers if ITEMS[one.item].sign == "amount" and one.value]
    return 2 * sum(value < 0 for value in costs) > len(costs)


def _meant(number: Printed, language: Language, deducted: bool) -> Decimal:
    value, words, item = number.value, number.words, number.item
    sign = ITEMS[item].sign
    if sign == "amount":
        return abs(value) if language == "en" or deducted else value
    if item in _IMPAIRMENTS:
        return _impairment(value, words, language)
    if sign == "cost":
        return _cost(value, words, item, deducted)
    if _REVERSED.search(words):
        return -value
    is_loss = item in _MAY_BE_LOSSES and not number.mixed and says_loss(words, language)
    if value > 0 and (is_loss or _says_expense(item, words)):
        return -value
    return value


def _cost(value: Decimal, words: str, item: str, deducted: bool) -> Decimal:
    if item == "interest_expense" and not _ANY_INCOME.search(words):
        return abs(value)
    if item == "income_tax" and _TAX_REVERSED.search(words):
        return -value
    return -value if deducted else value


def _impairment(value: Decimal, words: str, language: Language) -> Decimal:
    """A loss is negative; Chinese statements since 2019 print it so, for those before see `_costs_of_impairment`."""
    if language == "zh" or _RECOVERY.search(words):
        return value
    return -abs(value)


def _costs_of_impairment(numbers: Sequence[Printed]) -> list[int]:
    """Where impairments stand among the costs, as they did before 2019: there a positive number is a loss.

    A heading that says how losses are marked decides alone. A negative number among the costs is one of them only if
    the total of costs comes out with it: else the gains between the costs and it may all be blank.
    """
    costs: list[int] = []
    among = False
    for place, number in enumerate(numbers):
        if number.item in _COSTS | _GAINS:
            among = number.item in _COSTS
        elif number.item not in _IMPAIRMENTS or not among or _FILL_IN.search(number.label):
            continue
        elif number.value > 0 or _completes_total(numbers, number):
            costs.append(place)
    return costs


def _completes_total(numbers: Sequence[Printed], number: Printed) -> bool:
    total = next((one.value for one in numbers if one.item == "total_operating_cost"), None)
    parts = {one.item: one.value for one in reversed(numbers) if one.item in _COSTS | _IMPAIRMENTS}
    parts.pop("interest_expense", None)  # a part of finance expense
    return total is not None and abs(total - sum(parts.values())) <= _ROUNDING * abs(number.value)


def _says_expense(item: str, words: str) -> bool:
    return item in _PLAIN_EXPENSE and _ONLY_EXPENSE.search(words) is not None and not _ANY_INCOME.search(words)


def _fitting_tax(value: Decimal, first: Mapping[str, Decimal]) -> Decimal:
    """The tax with the sign that leads from the profit before it to the profit after it."""
    before = first.get("pretax_income")
    after = next((first[name] for name in ("continuing_net_income", "net_income") if name in first), None)
    if before is None or after is None or not value:
        return value
    return value if abs(before - value - after) <= abs(before + value - after) else -value

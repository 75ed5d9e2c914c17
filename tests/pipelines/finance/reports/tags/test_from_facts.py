"""Tagged facts become the right lines: no parts for totals, no notes for the face, every column with its months."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest

from data.finance.reports import Fact, Line, Place
from pipelines.finance.reports.tags.from_facts import months_between, statements

YEAR = (date(2024, 1, 1), date(2024, 12, 31))
LAST = (date(2023, 1, 1), date(2023, 12, 31))
END, START = date(2024, 12, 31), date(2023, 12, 31)


def fact(
    concept: str,
    value: int | str,
    when: date | tuple[date, date] = YEAR,
    unit: str = "USD",
    dimensions: Mapping[str, str] | None = None,
    decimals: str = "-3",
) -> Fact:
    name = concept if ":" in concept else f"us-gaap:{concept}"
    start, end, instant = (*when, None) if isinstance(when, tuple) else (None, None, when)
    return Fact(name, Decimal(value), unit, decimals, start, end, instant, dimensions or {}, Place(str(value)))


def income(revenue: list[Fact], profit: int = 100) -> list[Fact]:
    return [
        *revenue,
        fact("CostOfRevenue", 400),
        fact("GrossProfit", 600),
        fact("OperatingIncomeLoss", 150),
        fact("IncomeTaxExpenseBenefit", 50),
        fact("NetIncomeLoss", profit),
        fact("EarningsPerShareBasic", "1.25", unit="USD/shares"),
    ]


def values(lines: tuple[Line, ...], end: date = END, months: int | None = 12) -> dict[str, Decimal]:
    return {line.item: line.value for line in lines if line.period_end == end and line.months == months}


@pytest.mark.parametrize(
    "revenue",
    [
        [fact("Revenues", 1000), fact("RevenueFromContractWithCustomerExcludingAssessedTax", 900)],
        [fact("RevenueFromContractWithCustomerExcludingAssessedTax", 900), fact("Revenues", 1000)],
        [fact("SalesRevenueGoodsNet", 700), fact("SalesRevenueServicesNet", 300), fact("SalesRevenueNet", 1000)],
        [
            fact("Revenues", 800, dimensions={"srt:ProductOrServiceAxis": "us-gaap:ProductMember"}),
            fact("Revenues", 1000),
            fact("Revenues", 200, dimensions={"srt:ProductOrServiceAxis": "us-gaap:ServiceMember"}),
        ],
        # the total has a concept of the company's own; what profit and cost add up to is revenue
        [fact("RevenueFromContractWithCustomerExcludingAssessedTax", 900), fact("acme:TotalRevenuesAndMore", 1000)],
    ],
)
def test_revenue_is_the_total_line(revenue: list[Fact]) -> None:
    assert values(statements(income(revenue))["income"])["revenue"] == 1000


def test_goods_and_services_alone_are_no_revenue() -> None:
    parts = [fact("SalesRevenueGoodsNet", 700), fact("SalesRevenueServicesNet", 250)]
    assert "revenue" not in values(statements(income(parts))["income"])


def test_a_fact_of_the_notes_is_no_line_of_the_balance_sheet() -> None:
    face = {"Cash": 10, "AssetsCurrent": 60, "Assets": 100, "Liabilities": 70, "StockholdersEquity": 30}
    gap = [fact(f"acme:Note{number}", number, END) for number in range(60)]
    facts = [*(fact(name, value, END) for name, value in face.items()), *gap, fact("LongTermDebt", 55, END)]
    found = values(statements(facts)["balance"], months=None)
    assert list(found) == ["cash", "current_assets", "total_assets", "total_liabilities", "equity_parent"]


def test_a_statement_rounds_less_than_the_notes() -> None:
    facts = [fact("NetIncomeLoss", 100_000_000, decimals="-8"), *income([fact("Revenues", 1000)], profit=98_765_000)]
    assert values(statements(facts)["income"])["net_income"] == 98_765_000


def test_each_column_keeps_its_months() -> None:
    quarter = (date(2024, 10, 1), date(2024, 12, 31))
    names = ("Revenues", "OperatingIncomeLoss", "NetIncomeLoss")
    facts = [fact(name, 10 * place, when) for name in names for place, when in enumerate((YEAR, quarter, LAST), 1)]
    lines = statements(facts)["income"]
    assert [(line.period_end, line.months, line.value) for line in lines if line.item == "revenue"] == [
        (END, 12, 10),
        (END, 3, 20),
        (START, 12, 30),
    ]


def test_a_period_with_few_figures_is_no_column() -> None:
    facts = [*income([fact("Revenues", 1000)]), fact("NetIncomeLoss", 7, LAST)]
    assert {line.period_end for line in statements(facts)["income"]} == {END}


def test_cash_at_both_ends_comes_from_one_concept() -> None:
    restricted = "CashCashEquivalentsRestrictedCashAndRestrictedCashEquivalents"
    facts = [
        fact("NetCashProvidedByUsedInOperatingActivities", 30),
        fact("NetCashProvidedByUsedInInvestingActivities", -20),
        fact("NetCashProvidedByUsedInFinancingActivities", 5),
        fact("PaymentsToAcquirePropertyPlantAndEquipment", 20),
        fact("IncreaseDecreaseInAccountsReceivable", 8),
        fact(f"{restricted}PeriodIncreaseDecreaseIncludingExchangeRateEffect", 15),
        fact(restricted, 45, START),
        fact(restricted, 60, END),
        fact("CashAndCashEquivalentsAtCarryingValue", 50, END),
    ]
    found = values(statements(facts)["cash_flow"])
    assert (found["cash_beginning"], found["cash_end"], found["net_change_in_cash"]) == (45, 60, 15)
    assert (found["capex"], found["change_in_receivables"]) == (20, -8)


def test_amounts_translated_for_convenience_are_left_out() -> None:
    facts = income([fact("Revenues", 1000), fact("Revenues", 7000, unit="CNY")])
    assert values(statements(facts, currency="USD")["income"])["revenue"] == 1000


def test_separate_accounts_are_the_parents_lines() -> None:
    axis = "ifrs-full:ConsolidatedAndSeparateFinancialStatementsAxis"
    names = ("ifrs-full:Assets", "ifrs-full:Equity", "ifrs-full:Liabilities")
    facts = [fact(name, 100, END) for name in names]
    facts += [fact(name, 40, END, dimensions={axis: "ifrs-full:SeparateMember"}) for name in names]
    lines = statements(facts)["balance"]
    assert {(line.scope, line.value) for line in lines} == {("consolidated", 100), ("parent", 40)}


def test_a_row_with_a_concept_of_its_own_is_known_by_its_words() -> None:
    facts = [one for one in income([fact("Revenues", 1000)]) if one.concept != "us-gaap:NetIncomeLoss"]
    facts.insert(5, fact("acme:LossAndComprehensiveLoss", -44))
    words = {"acme:LossAndComprehensiveLoss": "Net loss and comprehensive loss (Note 3)"}
    lines = statements(facts, words=lambda one: words.get(one.concept, ""))["income"]
    found = next(line for line in lines if line.item == "net_income")
    assert (found.value, found.words) == (-44, "Net loss and comprehensive loss")


def test_presentation_trees_tell_the_statements_whatever_the_order() -> None:
    facts = [*income([fact("Revenues", 1000)])[::-1], fact("LongTermDebt", 9, END)]
    shown = ["us-gaap:Revenues", "us-gaap:NetIncomeLoss", "us-gaap:OperatingIncomeLoss"]
    roles = {
        "02 - Statement - OPERATIONS": shown,
        "03 - Statement - OPERATIONS (Parenthetical)": [*shown, "us-gaap:CostOfRevenue"],
        "40 - Disclosure - Debt (Details)": ["us-gaap:LongTermDebt", "us-gaap:Assets", "us-gaap:Liabilities"],
    }
    found = statements(facts, roles=roles)
    assert set(values(found["income"])) >= {"revenue", "net_income", "operating_income"}
    assert "cost_of_revenue" not in values(found["income"])
    assert found["balance"] == ()


def test_national_taxonomies_are_read_by_the_names_that_they_share() -> None:
    facts = [fact(name, 5, END, unit="DKK") for name in ("fsa:Assets", "fsa:Equity", "fsa:CurrentAssets")]
    assert set(values(statements(facts)["balance"], months=None)) == {"total_assets", "total_equity", "current_assets"}


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        (date(2023, 10, 1), date(2024, 9, 28), 12),
        (date(2022, 12, 31), date(2024, 1, 6), 12),  # 53 weeks
        (date(2024, 12, 29), date(2025, 3, 29), 3),
        (date(2025, 1, 1), date(2025, 6, 30), 6),
        (date(2024, 9, 29), date(2025, 6, 28), 9),
        (date(2025, 1, 1), date(2025, 1, 1), 1),
    ],
)
def test_weeks_are_counted_as_months(start: date, end: date, months: int) -> None:
    assert months_between(start, end) == months


def test_no_facts_give_no_lines() -> None:
    assert not any(statements([]).values())

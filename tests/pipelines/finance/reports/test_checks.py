"""What does not hold is flagged with its figures; what holds within rounding is not."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.finance.reports import Check, Line, Place, Scope, StatementName
from pipelines.finance.reports.checks import check, rounding
from pipelines.finance.reports.tables.settle import settle

END, BEFORE = date(2024, 12, 31), date(2023, 12, 31)


def line(
    item: str, value: int | str, end: date = END, months: int | None = None, scope: Scope = "consolidated"
) -> Line:
    return Line(item, item, Decimal(value), end, months, scope, "USD", Place(str(value)))


def lines(months: int | None = None, end: date = END, **values: int | str) -> list[Line]:
    return [line(item, value, end, months) for item, value in values.items()]


def checks(name: StatementName, *rows: Line) -> dict[str, Check]:
    return {one.name: one for one in check({name: rows}, expected=False)}


def test_a_balance_sheet_that_does_not_balance_is_flagged_with_the_gap() -> None:
    found = checks("balance", *lines(total_assets=1000, total_liabilities=700, total_equity=291))
    failed = found["balance_sheet_balances"]
    assert not failed.passed
    assert "2024-12-31: total_liabilities 700 + total_equity 291 is not total_assets 1000 (apart by 9)" in failed.detail


@pytest.mark.parametrize(
    "rows",
    [
        lines(total_assets=1000, total_liabilities=700, total_equity=300),
        lines(total_assets=1000, total_liabilities=600, mezzanine_equity=100, total_equity=300),
        lines(total_assets=1000, total_liabilities=700, mezzanine_equity=100, total_equity=300),
        lines(total_assets=1000, total_liabilities=700, equity_parent=280, minority_interest=20),
        lines(total_assets=1000, liabilities_and_equity=1000),
        lines(total_assets="1000000", total_liabilities="699000", total_equity="300000"),  # each rounded to thousands
    ],
)
def test_a_balance_sheet_balances_with_minority_mezzanine_and_rounding(rows: list[Line]) -> None:
    assert checks("balance", *rows)["balance_sheet_balances"].passed


def test_cents_are_not_rounded_away() -> None:
    rows = lines(total_assets="1000.02", total_liabilities="700.01", total_equity="299.95")
    assert not checks("balance", *rows)["balance_sheet_balances"].passed


SUMS = """
balance assets_add_up: current_assets=60 noncurrent_assets=41 total_assets=101
balance liabilities_add_up: current_liabilities=60 noncurrent_liabilities=41 total_liabilities=101
balance equity_adds_up: equity_parent=60 minority_interest=41 total_equity=101
income gross_profit_adds_up: revenue=1001 cost_of_revenue=400 gross_profit=601
income net_income_adds_up: pretax_income=101 income_tax=-20 net_income=121
income net_income_adds_up: pretax_income=101 income_tax=20 associates_income=5 net_income=86
income net_income_adds_up: pretax_income=101 income_tax=20 discontinued_net_income=-5 net_income=76
income parent_and_minority: net_income_parent=91 net_income_minority=-4 net_income=87
income pretax_income_adds_up: operating_income=91 non_operating_income=3 non_operating_expense=4 pretax_income=90
income operating_profit_adds_up: total_revenue=501 total_operating_cost=400 asset_impairment=-8 operating_income=93
income operating_profit_adds_up: total_revenue=501 total_operating_cost=400 asset_impairment=8 operating_income=93
income continuing_and_discontinued: continuing_net_income=11 discontinued_net_income=2 net_income=13
income comprehensive_income_adds_up: net_income=11 other_comprehensive_income=-2 comprehensive_income=9
cash_flow operating_flows_add_up: operating_inflow=91 operating_outflow=60 operating_cash_flow=31
cash_flow investing_flows_add_up: investing_inflow=91 investing_outflow=60 investing_cash_flow=31
cash_flow financing_flows_add_up: financing_inflow=91 financing_outflow=60 financing_cash_flow=31
"""


@pytest.mark.parametrize("case", SUMS.strip().splitlines())
def test_lines_add_up_or_are_flagged(case: str) -> None:
    head, _, equation = case.partition(": ")
    statement, name = head.split()
    good = dict(pair.split("=") for pair in equation.split())
    months = None if statement == "balance" else 12
    assert checks(statement, *lines(months, **good))[name].passed  # type: ignore[arg-type]
    wrong = good | {list(good)[-1]: "777"}
    assert not checks(statement, *lines(months, **wrong))[name].passed  # type: ignore[arg-type]


FLOWS = {"operating_cash_flow": 311, "investing_cash_flow": -200, "financing_cash_flow": 50, "fx_effect": -11}


@pytest.mark.parametrize("flow", FLOWS)
def test_cash_flows_articulate(flow: str) -> None:
    good = FLOWS | {"net_change_in_cash": 150, "cash_beginning": 450, "cash_end": 600}
    found = checks("cash_flow", *lines(12, **good))
    assert found["cash_flows_add_up"].passed
    assert found["cash_articulates"].passed
    assert not checks("cash_flow", *lines(12, **good | {flow: 777}))["cash_flows_add_up"].passed
    assert not checks("cash_flow", *lines(12, **good | {"cash_end": 700}))["cash_articulates"].passed


def test_without_a_net_change_the_flows_must_lead_from_cash_to_cash() -> None:
    good = FLOWS | {"cash_beginning": 450, "cash_end": 600}
    assert checks("cash_flow", *lines(12, **good))["cash_articulates"].passed
    assert not checks("cash_flow", *lines(12, **good | {"cash_end": 700}))["cash_articulates"].passed


def test_a_negative_total_is_flagged() -> None:
    found = checks("balance", *lines(total_assets=-5))["signs"]
    assert (found.passed, found.detail) == (False, "2024-12-31: total_assets -5 is negative")


def test_a_period_in_another_unit_is_flagged() -> None:
    now = lines(total_assets=1200, total_liabilities=700, total_equity=500)
    before = lines(end=BEFORE, total_assets=1_000_000, total_liabilities=600_000, total_equity=400_000)
    assert not checks("balance", *now, *before)["units"].passed
    grown = lines(end=BEFORE, total_assets=1, total_liabilities=600, total_equity=400)
    assert checks("balance", *now, *grown)["units"].passed


def test_another_net_income_in_the_cash_flow_statement_is_flagged() -> None:
    income, flows = lines(12, net_income=51, revenue=100), lines(12, net_income=43, operating_cash_flow=9)
    found = {one.name: one for one in check({"income": income, "cash_flow": flows})}
    assert not found["net_income_agrees"].passed
    assert "43 in the cash flow, 51" in found["net_income_agrees"].detail


def test_a_missing_statement_is_said() -> None:
    found = {one.name: one for one in check({"income": lines(12, revenue=1)})}
    assert found["statements_found"].detail.startswith("no balance sheet, no cash flow statement was found")
    assert check({}, expected=False) == ()
    assert [(one.name, one.passed) for one in check({})] == [("statements_found", False)]


def test_a_statement_of_the_parent_alone_is_said() -> None:
    group = lines(12, revenue=1, net_income=1)
    parent = [line("total_assets", 5, scope="parent"), line("total_liabilities", 2, scope="parent")]
    found = {one.name: one for one in check({"income": group, "balance": parent, "cash_flow": lines(12, cash_end=1)})}
    assert not found["statements_found"].passed
    assert found["statements_found"].detail == "of the balance sheet only the parent company's was found"


def test_parent_and_group_are_not_mixed() -> None:
    group = [line("total_assets", 100), line("total_liabilities", 60), line("total_equity", 40)]
    parent = [line("total_assets", 50, scope="parent"), line("total_liabilities", 60, scope="parent")]
    assert checks("balance", *group, *parent)["balance_sheet_balances"].passed


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12), st.sampled_from([1, 1000, 10**6]))
def test_rounding_to_a_unit_never_flags_true_sums(one: int, other: int, unit: int) -> None:
    rounded = [round(number / unit) * unit for number in (one, other, one + other)]
    rows = lines(total_liabilities=rounded[0], total_equity=rounded[1], total_assets=rounded[2])
    rows += lines(cash=unit)  # a line that shows the unit
    assert checks("balance", *rows)["balance_sheet_balances"].passed


def test_the_unit_of_a_column_is_that_of_its_finest_amount() -> None:
    assert rounding(lines(12, revenue="1200000", net_income="35000", eps_basic="1.27")) == 1000
    assert rounding(lines(12, revenue="12.34")) == Decimal("0.01")
    assert rounding([]) == Decimal("0.01")


def test_equity_of_the_owners_is_the_equity_unless_a_minority_is_there() -> None:
    alone = settle({"balance": lines(total_assets=5, equity_parent=5), "income": lines(12, net_income_parent=2)})
    assert [(one.item, one.value) for one in alone["balance"]][-2:] == [("equity_parent", 5), ("total_equity", 5)]
    assert {one.item for one in alone["income"]} == {"net_income_parent", "net_income"}
    shared = settle({"balance": lines(equity_parent=5, minority_interest=1)})
    assert {one.item for one in shared["balance"]} == {"equity_parent", "minority_interest"}

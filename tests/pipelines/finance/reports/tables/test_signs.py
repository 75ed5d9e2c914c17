"""What printed numbers mean; all are made up."""

from decimal import Decimal

import pytest

from pipelines.finance.reports.tables.signs import Printed, signed

MARKED = "资产减值损失（损失以“-”号填列）"


def printed(item: str, value: int, label: str = "") -> Printed:
    return Printed(item, label, Decimal(value), label)


def meant(*numbers: Printed) -> list[int]:
    return [int(value) for value in signed(numbers, "zh")]


def test_an_impairment_among_the_costs_of_an_old_chinese_statement_is_a_loss() -> None:
    rows = [
        printed("total_operating_cost", 120),
        printed("cost_of_revenue", 100),
        printed("finance_expense", 5),
        printed("asset_impairment", 15, "资产减值损失"),
        printed("investment_income", 7),
        printed("operating_income", 30),
    ]
    assert meant(*rows) == [120, 100, 5, -15, 7, 30]


@pytest.mark.parametrize(("total", "value"), [(97, 8), (105, -8), (None, -8)])
def test_a_negative_impairment_among_the_costs_is_a_gain_if_the_total_holds_it(total: int | None, value: int) -> None:
    rows = [
        *([printed("total_operating_cost", total)] if total else []),
        printed("cost_of_revenue", 100),
        printed("finance_expense", 5),
        printed("interest_expense", 4),
        printed("asset_impairment", -8, "资产减值损失"),
    ]
    assert meant(*rows)[-1] == value


@pytest.mark.parametrize("value", [8, -8])
def test_the_heading_of_an_impairment_decides_where_it_says_how_losses_are_marked(value: int) -> None:
    assert meant(printed("finance_expense", 5), printed("asset_impairment", value, MARKED))[-1] == value


@pytest.mark.parametrize("value", [8, -8])
def test_an_impairment_among_the_gains_stays_as_printed(value: int) -> None:
    rows = [printed("finance_expense", 5), printed("other_income", 2), printed("credit_impairment", value, "减值")]
    assert meant(*rows)[-1] == value

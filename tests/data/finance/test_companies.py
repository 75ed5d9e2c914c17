"""Made-up companies: their statements articulate to the grain, and failure can be foretold, but not for sure."""

import lightgbm
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from core.errors import InputError
from data.finance.companies import Company, make_companies, statement_table


@pytest.fixture(scope="module")
def companies() -> tuple[Company, ...]:
    return make_companies(6000, 0)


@pytest.fixture(scope="module")
def table(companies: tuple[Company, ...]) -> pd.DataFrame:
    return statement_table(companies)


def all_books(companies: tuple[Company, ...]) -> list[dict[str, int]]:
    own = [dict(company.books[year]) for company in companies for year in company.books]
    return own + [dict(company.parent_books[year]) for company in companies for year in company.parent_books]


def test_every_balance_sheet_balances_exactly_the_parent_companies_too(companies: tuple[Company, ...]) -> None:
    for books in all_books(companies):
        assert books["total_assets"] == books["total_liabilities"] + books["total_equity"]
        assert books["total_assets"] == books["current_assets"] + books["noncurrent_assets"]
        assert books["total_liabilities"] == books["current_liabilities"] + books["noncurrent_liabilities"]
        assert min(books["cash"], books["ppe"], books["accounts_receivable"], books["long_term_debt"]) >= 0


def test_cash_flows_end_in_the_cash_of_the_balance_sheet(companies: tuple[Company, ...]) -> None:
    for books in all_books(companies):
        flows = ("operating_cash_flow", "investing_cash_flow", "financing_cash_flow", "fx_effect")
        assert sum(books[flow] for flow in flows) == books["net_change_in_cash"]
        assert books["cash_beginning"] + books["net_change_in_cash"] == books["cash_end"] == books["cash"]


def test_each_year_starts_where_the_last_one_ended(companies: tuple[Company, ...]) -> None:
    for company in companies:
        for books in (company.books, company.parent_books):
            for year in company.years if books else ():
                last, now = books[year - 1], books[year]
                assert now["cash_beginning"] == last["cash_end"]
                paid = now["dividends_paid"] if company.country == "us" else None
                saved = now.get("surplus_reserve", 0) - last.get("surplus_reserve", 0)
                if paid is not None:
                    earned = now["net_income_parent"] - paid - saved
                    assert now["retained_earnings"] == last["retained_earnings"] + earned


def test_chinese_lines_add_up_in_their_own_form(companies: tuple[Company, ...]) -> None:
    for company in companies:
        for books in (company.books, company.parent_books):
            for year in company.years if company.country == "cn" else ():
                one = books[year]
                assert one["operating_inflow"] - one["operating_outflow"] == one["operating_cash_flow"]
                assert one["investing_inflow"] - one["investing_outflow"] == one["investing_cash_flow"]
                assert one["financing_inflow"] - one["financing_outflow"] == one["financing_cash_flow"]
                gains = ("other_income", "investment_income", "fair_value_gain", "credit_impairment")
                others = ("asset_impairment", "disposal_gain")
                operating = one["total_revenue"] - one["total_operating_cost"] + sum(one[g] for g in (*gains, *others))
                assert operating == one["operating_income"]
                extra = one["non_operating_income"] - one["non_operating_expense"]
                assert operating + extra == one["pretax_income"]
                assert one["pretax_income"] - one["income_tax"] == one["net_income"]
                assert min(one["cash_to_suppliers"], one["cash_from_customers"], one["taxes_paid"]) >= 0


def test_a_failed_company_has_no_later_rows_and_about_one_row_in_thirteen_fails(table: pd.DataFrame) -> None:
    assert len(table) == 6000
    last = table.groupby("company_id")["year"].transform("max")
    assert (table.loc[table["failed"] == 1, "year"] == last[table["failed"] == 1]).all()
    assert 0.05 < table["failed"].mean() < 0.11
    assert table.groupby("company_id")["split"].nunique().max() == 1
    assert table["company"].nunique() == table["company_id"].nunique()


def test_a_plain_model_on_ratios_foretells_failure_well_and_not_perfectly(table: pd.DataFrame) -> None:
    debt = table["short_term_debt"] + table["current_portion_debt"] + table["long_term_debt"]
    ratios = pd.DataFrame(
        {
            "roa": table["net_income"] / table["total_assets"],
            "debt": debt / table["total_assets"],
            "burden": table["total_liabilities"] / table["total_assets"],
            "liquidity": table["current_assets"] / table["current_liabilities"],
            "margin": table["operating_income"] / table["revenue"],
            "cash": table["cash"] / table["total_assets"],
            "flow": table["operating_cash_flow"] / table["revenue"],
            "worth": table["market_value"] / table["total_liabilities"],
            "coverage": table["operating_income"] / table["interest_expense"],
            "investment": table["capex"] / table["revenue"],
            "growth": table["revenue"] / table.groupby("company_id")["revenue"].shift(1),
        }
    )
    train = table["split"] == "train"
    options = {"objective": "binary", "learning_rate": 0.05, "num_leaves": 15, "num_threads": 1, "verbose": -1}
    model = lightgbm.train(options | {"seed": 0}, lightgbm.Dataset(ratios[train], table["failed"][train]), 120)
    assert 0.8 < roc_auc_score(table["failed"][~train], model.predict(ratios[~train])) < 0.92
    alone = [roc_auc_score(table["failed"][r.notna()], r.dropna()) for _, r in ratios.items()]
    assert max(max(auc, 1 - auc) for auc in alone) < 0.84


@pytest.mark.parametrize("rows", [1, 2, 7, 100])
def test_as_many_rows_as_were_asked_for_and_the_same_for_the_same_seed(rows: int) -> None:
    first, again = (statement_table(make_companies(rows, 3)) for _ in range(2))
    assert len(first) == rows
    pd.testing.assert_frame_equal(first, again)
    with pytest.raises(InputError, match="at least 1"):
        make_companies(0, 3)

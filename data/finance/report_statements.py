"""The books of a year in the words of a chart of accounts: all lines and subtotals of an American or Chinese firm."""

import numpy as np

from data.finance.report_books import ASSETS, EQUITY, LIABILITIES, Ints, Values, total, whole

_CURRENT_ASSETS = (
    "cash", "trading_assets", "notes_receivable", "accounts_receivable", "prepayments", "inventory",
    "other_current_assets",
)  # fmt: skip
_CURRENT_LIABILITIES = (
    "short_term_debt", "accounts_payable", "contract_liabilities", "payroll_payable", "taxes_payable",
    "accrued_liabilities", "current_portion_debt",
)  # fmt: skip


def american(values: Values) -> Values:
    """Items as US GAAP statements show them: overhead in one line, cash flow from the result down."""
    both = _balance(values) | _comprehensive(values) | _shared(values)
    overhead = values["selling_expense"] + values["admin_expense"] - values["credit_impairment"]
    charges = values["restructuring"] - values["asset_impairment"]
    operating = values["revenue"] - values["cost_of_revenue"] - overhead - values["rd_expense"] - charges
    others = values["pretax_income"] - operating + values["interest_expense"] - values["interest_income"]
    current = ("accounts_payable", "payroll_payable", "taxes_payable", "accrued_liabilities")
    flows = ("net_income", "depreciation_amortization", "stock_compensation", "deferred_tax", "change_in_payables")
    rest = values["operating_cash_flow"] - total(values, flows)
    rest += values["change_in_receivables"] + values["change_in_inventory"]
    return both | {
        "gross_profit": values["revenue"] - values["cost_of_revenue"],
        "sga_expense": overhead,
        "restructuring": charges,
        "operating_expenses": overhead + values["rd_expense"] + charges,
        "operating_income": operating,
        "interest_expense": values["interest_expense"],
        "interest_income": values["interest_income"],
        "other_non_operating": others,
        "short_term_investments": values["trading_assets"],
        "other_current_assets": values["prepayments"] + values["other_current_assets"],
        "accrued_liabilities": total(values, current[1:]),
        "other_noncurrent_liabilities": values["provisions"],
        "_written_down": values["_written_down"],
        "_other_changes": rest - values["_written_down"],
        "change_in_receivables": -values["change_in_receivables"],  # as cash sees it
        "change_in_inventory": -values["change_in_inventory"],
        **_same(values, ("stock_compensation", "deferred_tax", "change_in_payables")),
        **_same(values, ("buybacks", "dividends_paid", "treasury_stock")),
    }


def chinese(values: Values) -> Values:
    """Items as the Ministry of Finance's forms show them: cost by function, cash flow by payer and payee."""
    both = _balance(values) | _comprehensive(values) | _shared(values)
    finance = values["interest_expense"] - values["interest_income"] + values["_fees"]
    costs = ("cost_of_revenue", "taxes_and_surcharges", "selling_expense", "admin_expense", "rd_expense")
    operating = values["pretax_income"] - values["non_operating_income"] + values["non_operating_expense"]
    names = ("taxes_and_surcharges", "selling_expense", "admin_expense", "interest_expense", "interest_income")
    gains = ("other_income", "investment_income", "associates_income", "fair_value_gain", "credit_impairment")
    others = ("asset_impairment", "disposal_gain", "non_operating_income", "non_operating_expense")
    return both | _payers(values) | {
        "total_revenue": values["revenue"],
        "total_operating_cost": total(values, costs) + finance,
        "finance_expense": finance,
        "operating_income": operating,
        "continuing_net_income": values["net_income"],
        "other_payables": values["accrued_liabilities"],
        **_same(values, (*names, *gains, *others)),
        **_same(values, ("notes_receivable", "prepayments", "trading_assets", "construction_in_progress")),
        **_same(values, ("other_current_assets", "equity_investments", "payroll_payable", "taxes_payable")),
        **_same(values, ("provisions", "surplus_reserve", "dividends_interest_paid", "investment_income_received")),
    }  # fmt: skip


def _same(values: Values, items: tuple[str, ...]) -> Values:
    return {item: values[item] for item in items}


def _balance(values: Values) -> Values:
    assets, liabilities = total(values, ASSETS), total(values, LIABILITIES)
    equity = total(values, EQUITY) - values["treasury_stock"]
    current_assets, current_liabilities = total(values, _CURRENT_ASSETS), total(values, _CURRENT_LIABILITIES)
    shared = ("cash", "accounts_receivable", "inventory", "ppe", "right_of_use_assets", "intangible_assets")
    debts = ("short_term_debt", "accounts_payable", "contract_liabilities", "current_portion_debt", "long_term_debt")
    owners = ("share_capital", "capital_reserve", "accumulated_oci", "retained_earnings", "minority_interest")
    return {
        **_same(values, (*shared, "goodwill", "deferred_tax_assets", *debts, "lease_liabilities", *owners)),
        "current_assets": current_assets,
        "noncurrent_assets": assets - current_assets,
        "total_assets": assets,
        "current_liabilities": current_liabilities,
        "noncurrent_liabilities": liabilities - current_liabilities,
        "total_liabilities": liabilities,
        "equity_parent": equity - values["minority_interest"],
        "total_equity": equity,
        "liabilities_and_equity": liabilities + equity,
    }


def _comprehensive(values: Values) -> Values:
    income = values["net_income"] + values["other_comprehensive_income"]
    return {
        "other_comprehensive_income": values["other_comprehensive_income"],
        "comprehensive_income": income,
        "comprehensive_income_parent": income - values["net_income_minority"],
        "comprehensive_income_minority": values["net_income_minority"],
    }


def _shared(values: Values) -> Values:
    income = ("revenue", "cost_of_revenue", "rd_expense", "pretax_income", "income_tax", "net_income")
    parts = ("net_income_parent", "net_income_minority", "depreciation_amortization")
    flows = ("operating_cash_flow", "investments_recovered", "disposal_proceeds", "capex", "investments_made")
    money = ("investing_cash_flow", "equity_raised", "borrowings_received", "debt_repaid", "financing_cash_flow")
    return _same(
        values, (*income, *parts, *flows, *money, "fx_effect", "net_change_in_cash", "cash_beginning", "cash_end")
    )


def _payers(values: Values) -> Values:
    """The direct form: what suppliers got is what is left, so that the net amount is that of the books."""
    rises = values["change_in_receivables"] - values["credit_impairment"]
    customers = np.clip(values["revenue"] - rises, 0, None)
    refunds = whole(0.002 * values["revenue"])
    others = values["other_income"] + values["interest_income"] + values["non_operating_income"]
    employees = values["_payroll"]
    taxes = np.clip(values["income_tax"] + values["deferred_tax"] * -1, 0, None) + values["taxes_and_surcharges"]
    spent = whole(0.35 * (values["selling_expense"] + values["admin_expense"])) + values["_fees"]
    inflow = customers + refunds + others
    suppliers = inflow - employees - taxes - spent - values["operating_cash_flow"]
    short = np.clip(-suppliers, 0, None)  # suppliers cannot pay: such a rest came from elsewhere
    investing = total(values, ("investments_recovered", "investment_income_received", "disposal_proceeds"))
    flows: dict[str, Ints] = {
        "cash_from_customers": customers,
        "tax_refunds": refunds,
        "other_operating_inflow": others + short,
        "operating_inflow": inflow + short,
        "cash_to_suppliers": suppliers + short,
        "cash_to_employees": employees,
        "taxes_paid": taxes,
        "other_operating_outflow": spent,
        "operating_outflow": employees + taxes + spent + suppliers + short,
        "investing_inflow": investing,
        "investing_outflow": values["capex"] + values["investments_made"],
        "financing_inflow": values["equity_raised"] + values["borrowings_received"],
        "financing_outflow": values["debt_repaid"] + values["dividends_interest_paid"],
    }
    return flows

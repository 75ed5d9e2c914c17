"""Where the cash of a year comes from and goes to: operations, lenders, owners; and what the owners are left with."""

import numpy as np

from data.finance.report_books import ASSETS, Firms, Floats, Values, total, whole

_OPERATING_ASSETS = ("notes_receivable", "accounts_receivable", "prepayments", "inventory", "other_current_assets")
_OPERATING_LIABILITIES = (
    "accounts_payable", "contract_liabilities", "payroll_payable", "taxes_payable", "accrued_liabilities", "provisions",
)  # fmt: skip


def operations(firms: Firms, last: Values, year: Values) -> Values:
    """Cash from operations; American firms count interest and what associates pay in it, Chinese ones do not."""
    rise = {item: year[item] - last[item] for item in (*_OPERATING_ASSETS, *_OPERATING_LIABILITIES)}
    losses = -year["credit_impairment"] - year["asset_impairment"]
    written_down = losses - year["fair_value_gain"] - year["disposal_gain"] - year["investment_income"]
    change = {
        "change_in_receivables": rise["notes_receivable"] + rise["accounts_receivable"] - year["credit_impairment"],
        "change_in_inventory": rise["inventory"] - year["asset_impairment"] - (last["goodwill"] - year["goodwill"]),
        "change_in_payables": rise["accounts_payable"],
    }
    others = total(rise, _OPERATING_LIABILITIES[1:]) - rise["prepayments"] - rise["other_current_assets"]
    flow = year["net_income"] + year["depreciation_amortization"] + year["stock_compensation"] + year["deferred_tax"]
    flow += written_down + others + change["change_in_payables"]
    flow -= change["change_in_receivables"] + change["change_in_inventory"]
    return change | {
        "_written_down": written_down,
        "_other_changes": others,
        "operating_cash_flow": flow + np.where(firms.chinese, year["interest_expense"], 0),
        "investing_cash_flow": year["investments_recovered"]
        + year["investment_income_received"]
        + year["disposal_proceeds"]
        - year["capex"]
        - year["investments_made"],
    }


def financing(rng: np.random.Generator, firms: Firms, health_N: Floats, last: Values, year: Values) -> Values:
    """Debt that falls due is paid; what is short is borrowed; what is over goes to owners and lenders."""
    size = len(health_N)
    due = last["short_term_debt"] + last["current_portion_debt"]
    well = np.clip(0.6 + 0.5 * health_N, 0, 1.4) * (year["net_income"] > 0)
    dividends = whole(np.clip(year["net_income_parent"] * firms.payout * well, 0, None))
    interest = np.where(firms.chinese, year["interest_expense"], 0)
    before = last["cash"] + year["operating_cash_flow"] + year["investing_cash_flow"] + year["fx_effect"]
    before = before - due - dividends - interest
    assets = total(year, tuple(item for item in ASSETS if item != "cash"))
    floor = whole(firms.cash_floor * year["revenue"] * np.exp(0.3 * rng.normal(size=size) + 0.18 * health_N))
    wanted = whole(firms.debt_wanted * assets * np.exp(0.15 * rng.normal(size=size))) - last["long_term_debt"]
    borrowed = np.clip(np.maximum(wanted, floor - before), 0, None)
    issues = (rng.random(size) < 0.10) & (health_N > -0.6)
    raised = whole(0.08 * year["revenue"] * rng.random(size) * issues)
    spare = np.clip(before + borrowed + raised - 2 * floor, 0, None)
    buybacks = np.where(firms.chinese, 0, whole(0.55 * spare * (health_N > 0)))
    prepaid = np.minimum(whole(0.35 * spare), whole(0.5 * last["long_term_debt"]))
    short = whole(borrowed * np.clip(0.45 - 0.12 * health_N + 0.08 * rng.normal(size=size), 0.05, 0.95))
    long = last["long_term_debt"] - prepaid + borrowed - short
    falls_due = whole(long * np.clip(0.14 - 0.03 * health_N, 0.05, 0.5))
    return {
        "borrowings_received": borrowed,
        "debt_repaid": due + prepaid,
        "equity_raised": raised,
        "buybacks": buybacks,
        "dividends_paid": dividends,
        "dividends_interest_paid": dividends + interest,
        "financing_cash_flow": borrowed + raised - due - prepaid - buybacks - dividends - interest,
        "cash": before + borrowed + raised - buybacks - prepaid,
        "short_term_debt": short,
        "current_portion_debt": falls_due,
        "long_term_debt": long - falls_due,
    }


def equity(rng: np.random.Generator, firms: Firms, last: Values, year: Values) -> Values:
    saved = np.where(firms.chinese & firms.parent, whole(0.1 * np.clip(year["net_income_parent"], 0, None)), 0)
    price = 4 + 4 * rng.random(len(saved))
    shares = whole(year["equity_raised"] / price * firms.chinese)  # par 1 yuan; American par is nothing to speak of
    return {
        "share_capital": last["share_capital"] + shares,
        "capital_reserve": last["capital_reserve"] + year["equity_raised"] - shares + year["stock_compensation"],
        "treasury_stock": last["treasury_stock"] + year["buybacks"],
        "accumulated_oci": last["accumulated_oci"] + year["other_comprehensive_income"],
        "surplus_reserve": last["surplus_reserve"] + saved,
        "retained_earnings": last["retained_earnings"] + year["net_income_parent"] - year["dividends_paid"] - saved,
        "minority_interest": last["minority_interest"] + year["net_income_minority"],
        "cash_beginning": last["cash"],
        "net_change_in_cash": year["cash"] - last["cash"],
        "cash_end": year["cash"],
    }

"""One year of made-up firms, articulated: what is earned, paid, lent and invested meets in a balance that balances."""

import numpy as np

from data.finance.report_books import Firms, Floats, Values, total, whole
from data.finance.report_money import equity, financing, operations


def next_year(rng: np.random.Generator, firms: Firms, health_N: Floats, last: Values) -> Values:
    """The year after `last`: flows and closing balances. `health_N`: about 0 on average, below -1 in distress."""
    year = _trade(rng, firms, health_N, last)
    year |= _plant(rng, firms, health_N, last, year)
    year |= _working_capital(rng, firms, health_N, last, year)
    year |= _gains(rng, firms, health_N, last, year)
    year |= _result(rng, firms, health_N, last, year)
    year |= operations(firms, last, year)
    year |= financing(rng, firms, health_N, last, year)
    return year | equity(rng, firms, last, year)


def _trade(rng: np.random.Generator, firms: Firms, health_N: Floats, last: Values) -> Values:
    size = len(health_N)
    growth = firms.trend + 0.045 * health_N + 0.09 * rng.normal(size=size)
    revenue = whole(last["revenue"] * np.exp(np.clip(growth, -0.6, 0.6))) + 20
    margin = np.clip(firms.gross_margin + 0.016 * health_N + 0.02 * rng.normal(size=size), 0.02, 0.9)
    cost = whole(revenue * (1 - margin))
    sticky = 0.6 * revenue + 0.4 * last["revenue"]  # overhead follows sales slowly
    noise = np.exp(0.06 * rng.normal(size=(3, size)))
    selling, admin, research = (
        whole(sticky * share * wave)
        for share, wave in zip((firms.selling, firms.admin, firms.research), noise, strict=True)
    )
    trouble = np.clip(-health_N - 0.6, 0, None)
    restructuring = whole(revenue * 0.012 * trouble * rng.random(size) * (rng.random(size) < 0.6))
    payroll = whole(0.22 * cost + 0.55 * (selling + admin + research))
    return {
        "revenue": revenue,
        "cost_of_revenue": cost,
        "taxes_and_surcharges": whole(revenue * firms.surcharge * firms.chinese),
        "selling_expense": selling,
        "admin_expense": admin,
        "rd_expense": research,
        "restructuring": np.where(firms.chinese, 0, restructuring),
        "stock_compensation": whole(0.02 * payroll * ~firms.chinese),
        "_payroll": payroll,
    }


def _plant(rng: np.random.Generator, firms: Firms, health_N: Floats, last: Values, year: Values) -> Values:
    size = len(health_N)
    spirit = np.clip(1 + 0.25 * health_N + 0.25 * rng.normal(size=size), 0.15, 2.5)
    capex = whole(year["revenue"] * firms.capex * spirit)
    depreciation = whole(last["ppe"] / firms.life_years)
    amortization = whole(last["intangible_assets"] / 12)
    sold = whole(last["ppe"] * 0.02 * rng.random(size) * np.clip(1 - health_N, 0.2, 4))
    gain = np.maximum(whole(sold * (0.15 * rng.normal(size=size) + 0.03 * health_N)), -sold)
    built = last["construction_in_progress"] + capex
    done = np.where(firms.chinese, whole(built * (0.5 + 0.3 * rng.random(size))), built)
    bought = whole(0.06 * done)  # software and rights among what is bought
    lease = whole(last["right_of_use_assets"] * np.exp(0.1 * rng.normal(size=size)))
    return {
        "capex": capex,
        "depreciation_amortization": depreciation + amortization,
        "disposal_gain": gain,
        "disposal_proceeds": sold + gain,
        "ppe": last["ppe"] - depreciation - sold + done - bought,
        "construction_in_progress": built - done,
        "intangible_assets": last["intangible_assets"] - amortization + bought,
        "right_of_use_assets": lease,
        "lease_liabilities": lease,
    }


def _working_capital(rng: np.random.Generator, firms: Firms, health_N: Floats, last: Values, year: Values) -> Values:
    size = len(health_N)
    slow = np.exp(-0.07 * health_N + 0.12 * rng.normal(size=(3, size)))  # the weak are paid late and pay late
    owed = whole(year["revenue"] * firms.receivable_days / 365 * slow[0])
    bad = whole(owed * np.clip(0.006 - 0.01 * health_N + 0.012 * rng.normal(size=size), 0, 0.3))
    notes = np.where(firms.chinese, whole(0.15 * owed), 0)
    goods = whole(year["cost_of_revenue"] * firms.inventory_days / 365 * slow[1])
    written_off = whole(goods * np.clip(-0.004 - 0.012 * health_N + 0.012 * rng.normal(size=size), 0, 0.4))
    spoiled = whole(last["goodwill"] * 0.35 * ((health_N < -0.9) & (rng.random(size) < 0.35)))
    revenue, wave = year["revenue"], np.exp(0.15 * rng.normal(size=(6, size)))
    return {
        "notes_receivable": notes,
        "accounts_receivable": owed - bad - notes,
        "inventory": goods - written_off,
        "prepayments": whole(0.018 * revenue * wave[0]),
        "other_current_assets": whole(0.012 * revenue * wave[1]),
        "goodwill": last["goodwill"] - spoiled,
        "accounts_payable": whole(year["cost_of_revenue"] * firms.payable_days / 365 * slow[2]),
        "contract_liabilities": whole(0.035 * revenue * wave[2] * np.exp(0.1 * health_N)),
        "payroll_payable": whole(0.09 * year["_payroll"] * wave[3]),
        "accrued_liabilities": whole(0.04 * revenue * wave[4] * np.exp(-0.1 * health_N)),
        "provisions": whole(0.01 * revenue * wave[5] * np.exp(-0.15 * health_N)),
        "credit_impairment": -bad,
        "asset_impairment": -written_off - spoiled,
    }


def _gains(rng: np.random.Generator, firms: Firms, health_N: Floats, last: Values, year: Values) -> Values:
    size = len(health_N)
    associates = whole(last["equity_investments"] * (0.04 + 0.02 * health_N + 0.05 * rng.normal(size=size)))
    received = np.clip(whole(0.5 * associates), 0, None)
    bought = whole(year["revenue"] * 0.02 * rng.random(size) * np.clip(1 + 0.5 * health_N, 0.1, 3))
    sold = whole(last["trading_assets"] * np.clip(0.2 + 0.5 * rng.random(size) - 0.1 * health_N, 0, 0.95))
    fair = whole(0.02 * (last["trading_assets"] - sold) * rng.normal(size=size) * firms.chinese)
    marked = whole(0.01 * (last["trading_assets"] - sold) * rng.normal(size=size))  # beside the result
    abroad = whole(last["cash"] * firms.abroad * 0.05 * rng.normal(size=size))
    wave = np.exp(0.6 * rng.normal(size=(3, size)))
    return {
        "other_income": np.where(firms.chinese, whole(0.004 * year["revenue"] * wave[0]), 0),
        "associates_income": associates,
        "investment_income": associates,
        "investment_income_received": received,
        "investments_made": bought,
        "investments_recovered": sold,
        "fair_value_gain": fair,
        "non_operating_income": whole(0.0015 * year["revenue"] * wave[1]),
        "non_operating_expense": whole(0.0012 * year["revenue"] * wave[2] * np.exp(-0.3 * health_N)),
        "trading_assets": last["trading_assets"] + bought - sold + fair + marked,
        "equity_investments": last["equity_investments"] + associates - received,
        "fx_effect": abroad,
        "other_comprehensive_income": abroad + marked,
    }


def _result(rng: np.random.Generator, firms: Firms, health_N: Floats, last: Values, year: Values) -> Values:
    size = len(health_N)
    spread = 0.012 * np.clip(-health_N, -0.5, 4)  # lenders see some of it
    owed = last["short_term_debt"] + last["current_portion_debt"] + last["long_term_debt"]
    interest = whole(owed * np.clip(firms.rate + spread + 0.004 * rng.normal(size=size), 0.01, 0.25))
    earned = whole(last["cash"] * 0.012)
    fees = whole(0.0006 * year["revenue"])
    costs = ("cost_of_revenue", "taxes_and_surcharges", "selling_expense", "admin_expense", "rd_expense")
    gains = ("other_income", "investment_income", "fair_value_gain", "credit_impairment", "asset_impairment")
    operating = year["revenue"] - total(year, costs) - year["restructuring"] + total(year, gains)
    operating += year["disposal_gain"] + earned - interest - fees
    pretax = operating + year["non_operating_income"] - year["non_operating_expense"]
    rate = np.where(firms.chinese, 0.2, 0.23) * np.exp(0.1 * rng.normal(size=size))
    deferred = np.clip(whole(-0.15 * pretax * (pretax < 0)), 0, None) - whole(0.3 * last["deferred_tax_assets"])
    tax = whole(np.clip(rate * pretax, 0, None)) - deferred
    net = pretax - tax
    return {
        "interest_expense": interest,
        "interest_income": earned,
        "_fees": fees,
        "pretax_income": pretax,
        "deferred_tax": -deferred,
        "deferred_tax_assets": last["deferred_tax_assets"] + deferred,
        "income_tax": tax,
        "taxes_payable": whole(0.25 * np.clip(tax, 0, None)) + whole(0.004 * year["revenue"]),
        "net_income": net,
        "net_income_minority": whole(net * firms.minority),
        "net_income_parent": net - whole(net * firms.minority),
    }

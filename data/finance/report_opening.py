"""Made-up firms as they start: what stays with each of them, and the books before the first year."""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.finance.report_books import ASSETS, EQUITY, LIABILITIES, Firms, Floats, Ints, Values, total, whole
from data.finance.report_names import INDUSTRIES

CHINESE_SHARE = 0.5
PARENT_SIZE = 0.45  # of the group's revenue


def draw_firms(rng: np.random.Generator, count: int) -> tuple[Firms, Ints, NDArray[np.int64]]:
    """Firms (N companies, then the P parent companies of the Chinese ones), grains (N + P) and industries (N)."""
    industry_N = rng.integers(0, len(INDUSTRIES), count)
    chinese = rng.random(count) < CHINESE_SHARE
    grain = np.where(
        chinese,
        rng.choice([1, 1, 1, 100, 10_000, 1_000_000], count),
        rng.choice([100_000, 100_000, 100_000_000], count),
    )
    firms = _drawn(rng, chinese, industry_N)
    both = Firms(**{f.name: _with_parents(f.name, getattr(firms, f.name), chinese) for f in fields(Firms)})
    return both, np.concatenate([grain, grain[chinese]]).astype(np.int64), industry_N


def open_books(rng: np.random.Generator, firms: Firms, grain_N: Ints) -> Values:
    """The closing balance before the first year, and the revenue of that year; it balances."""
    size = len(grain_N)
    count = size - int(firms.parent.sum())
    typical = np.where(grain_N >= 100_000_000, 9e9, np.where(firms.chinese, 1.6e9, 6e8))  # in currency
    revenue = typical * np.exp(0.9 * rng.normal(size=size))
    revenue[count:] = PARENT_SIZE * revenue[:count][firms.chinese[:count]]
    revenue = revenue * 100 / grain_N
    wave = np.exp(0.25 * rng.normal(size=(8, size)))
    debt = revenue * 0.8 * firms.debt_wanted
    shares = {
        "cash": firms.cash_floor * 1.5 * wave[0],
        "trading_assets": 0.04 * wave[1],
        "accounts_receivable": firms.receivable_days / 365,
        "inventory": firms.inventory_days / 365 * (1 - firms.gross_margin),
        "prepayments": np.full(size, 0.018),
        "other_current_assets": np.full(size, 0.012),
        "equity_investments": np.where(firms.parent, 0.5, np.where(firms.chinese, 0.03, 0.0)) * wave[2],
        "ppe": firms.capex * firms.life_years * 0.75 * wave[3],
        "construction_in_progress": np.where(firms.chinese, 0.02, 0.0) * wave[4],
        "right_of_use_assets": 0.03 * wave[5],
        "intangible_assets": 0.05 * wave[6],
        "goodwill": np.where(firms.parent, 0.0, 0.09) * wave[7] * (rng.random(size) < 0.6),
        "accounts_payable": firms.payable_days / 365 * (1 - firms.gross_margin),
        "contract_liabilities": np.full(size, 0.035),
        "payroll_payable": np.full(size, 0.02),
        "taxes_payable": np.full(size, 0.01),
        "accrued_liabilities": np.full(size, 0.04),
        "provisions": np.full(size, 0.01),
    }
    books = {item: whole(share * revenue) for item, share in shares.items()}
    books |= {item: np.zeros(size, dtype=np.int64) for item in (*ASSETS, *LIABILITIES, *EQUITY) if item not in books}
    books |= {"lease_liabilities": books["right_of_use_assets"], "revenue": whole(revenue)}
    books |= {"short_term_debt": whole(0.3 * debt), "long_term_debt": whole(0.7 * debt)}
    books["minority_interest"] = whole(0.3 * revenue * firms.minority)
    return books | _owners(rng, firms, books)


def _owners(rng: np.random.Generator, firms: Firms, books: Values) -> Values:
    """What the owners paid in and left in is the rest of the balance."""
    size = len(firms.trend)
    net = total(books, ASSETS) - total(books, LIABILITIES) - books["minority_interest"]
    shares = whole(np.where(firms.chinese, 0.25, 0.002) * np.abs(net)) + 1
    treasury = np.where(firms.chinese, 0, whole(0.1 * np.abs(net) * rng.random(size)))
    reserve = np.where(firms.chinese, whole(0.03 * np.abs(net)), 0)
    paid_in = whole(np.abs(net) * (0.3 + 0.2 * rng.random(size)))
    return {
        "share_capital": shares,
        "treasury_stock": treasury,
        "surplus_reserve": reserve,
        "capital_reserve": paid_in,
        "retained_earnings": net - shares - reserve - paid_in + treasury,
    }


def _drawn(rng: np.random.Generator, chinese: NDArray[np.bool_], industry_N: NDArray[np.int64]) -> Firms:
    size = len(chinese)

    def of(name: str) -> Floats:
        return np.array([getattr(industry, name) for industry in INDUSTRIES])[industry_N]

    overhead = of("overhead") * 1.16 * np.exp(0.08 * rng.normal(size=size))
    selling = rng.uniform(0.35, 0.65, size)
    wave = np.exp(0.3 * rng.normal(size=(6, size)))
    minority = np.where(rng.random(size) < 0.5, rng.uniform(0.01, 0.15, size), 0.0)
    return Firms(
        chinese=chinese,
        parent=np.zeros(size, dtype=bool),
        gross_margin=of("gross_margin") + 0.03 * rng.normal(size=size) - 0.005,
        selling=overhead * selling,
        admin=overhead * (1 - selling),
        research=of("research") * wave[0],
        trend=rng.normal(0.035, 0.03, size),
        receivable_days=of("receivable_days") * wave[1],
        inventory_days=of("inventory_days") * wave[2],
        payable_days=55 * wave[3],
        capex=of("capex") * wave[4],
        life_years=rng.uniform(7, 14, size),
        minority=minority,
        payout=rng.uniform(0, 0.6, size),
        cash_floor=0.07 * wave[5],
        debt_wanted=rng.beta(2.4, 4.5, size),
        rate=rng.uniform(0.03, 0.06, size),
        abroad=np.where(rng.random(size) < 0.6, rng.uniform(0.05, 0.4, size), 0.0),
        surcharge=rng.uniform(0.004, 0.01, size),
    )


def _with_parents(name: str, drawn: NDArray[Any], chinese: NDArray[np.bool_]) -> NDArray[Any]:
    own = drawn[chinese]
    if name == "parent":
        own = np.ones_like(own)
    elif name == "minority":
        own = np.zeros_like(own)
    return np.concatenate([drawn, own])

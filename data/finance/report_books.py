"""What the books of made-up firms hold, and what stays with a firm over the years.

Amounts are whole numbers of a firm's `grain` (US: thousands or millions of dollars; China: fen or hundreds of yuan),
so that every subtotal is exact. N firms at a time; items carry the canonical names, those that no statement shows
begin with an underscore. Gains and losses bear their sign; costs, payments and treasury stock are positive.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Values = dict[str, Ints]  # item -> (N,)

ASSETS = (
    "cash", "trading_assets", "notes_receivable", "accounts_receivable", "prepayments", "inventory",
    "other_current_assets", "equity_investments", "ppe", "construction_in_progress", "right_of_use_assets",
    "intangible_assets", "goodwill", "deferred_tax_assets",
)  # fmt: skip
LIABILITIES = (
    "short_term_debt", "accounts_payable", "contract_liabilities", "payroll_payable", "taxes_payable",
    "accrued_liabilities", "current_portion_debt", "long_term_debt", "lease_liabilities", "provisions",
)  # fmt: skip
EQUITY = (
    "share_capital",
    "capital_reserve",
    "accumulated_oci",
    "surplus_reserve",
    "retained_earnings",
    "minority_interest",
)  # fmt: skip  - less treasury_stock


@dataclass(frozen=True, kw_only=True)
class Firms:
    """What stays with a firm over the years; shares are of revenue unless told otherwise. Each field (N,)."""

    chinese: NDArray[np.bool_]
    parent: NDArray[np.bool_]  # a parent company's own books, without its subsidiaries
    gross_margin: Floats
    selling: Floats
    admin: Floats
    research: Floats
    trend: Floats  # growth of revenue a year
    receivable_days: Floats
    inventory_days: Floats
    payable_days: Floats
    capex: Floats
    life_years: Floats  # of plant and equipment
    minority: Floats  # share of the result
    payout: Floats  # share of the result, when healthy
    cash_floor: Floats  # cash that the treasurer wants to hold
    debt_wanted: Floats  # share of assets
    rate: Floats  # interest, healthy
    abroad: Floats  # share of cash in other currencies
    surcharge: Floats  # taxes and surcharges (China)


def whole(values: ArrayLike) -> Ints:
    """Rounded to whole grains."""
    return np.rint(values).astype(np.int64)


def total(values: Values, items: tuple[str, ...]) -> Ints:
    """The sum of items."""
    return np.asarray(sum(values[item] for item in items), dtype=np.int64)

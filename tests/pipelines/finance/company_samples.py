"""Made-up statements: companies with debt and losses fail more often."""

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd

from data.finance.reports import Check, Line, Place, Report, StatementName
from pipelines.finance.rules.names import name_of

KEYS = {"target": "failed", "id_column": "firm", "period": "year"}


def make_companies(seed: int, companies: int = 300, years: int = 4, rate: float = 0.3) -> pd.DataFrame:
    """One row a company and year, in no order; `failed` is the same in all years of a company."""
    rng = np.random.default_rng(seed)
    failed = rng.random(companies) < rate
    firm = np.repeat(np.arange(companies), years)
    year = np.tile(np.arange(2015, 2015 + years), companies)
    bad = failed[firm]
    size = np.exp(rng.normal(5, 1, companies))[firm] * (1 + 0.05 * (year - 2015))
    worse = np.where(bad, (year - 2014) / years, 0.0)  # the nearer the end, the plainer
    assets = size * (1 + 0.05 * rng.normal(size=len(firm)))
    liabilities = assets * np.clip(0.5 + 0.25 * worse + 0.12 * rng.normal(size=len(firm)), 0.05, 1.5)
    income = assets * (0.05 - 0.1 * worse + 0.05 * rng.normal(size=len(firm)))
    table = pd.DataFrame(
        {
            "firm": [f"F{number:04d}" for number in firm],
            "year": year,
            "total_assets": assets,
            "current_assets": 0.5 * assets * np.exp(0.2 * rng.normal(size=len(firm))),
            "total_current_liabilities": 0.6 * liabilities,
            "total_liabilities": liabilities,
            "retained_earnings": assets * (0.2 - 0.2 * worse + 0.1 * rng.normal(size=len(firm))),
            "net_sales": assets * np.exp(0.3 * rng.normal(size=len(firm))),
            "ebit": 1.3 * income,
            "net_income": income,
            "failed": bad.astype(int),
        }
    )
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def make_report(
    firm: pd.DataFrame, *, currency: str = "USD", unbalanced: bool = False, only: tuple[str, ...] | None = None
) -> Report:
    """The report of a company's latest year with the years before it, from its rows of the table."""
    lines: dict[StatementName, list[Line]] = {"balance": [], "income": []}
    for row in firm.sort_values("year", ascending=False).to_dict("records"):
        for column, value in row.items():
            if column in ("firm", "year", "failed") or (only is not None and column not in only):
                continue
            item = name_of(str(column))
            income = item in ("revenue", "ebit", "net_income")
            line = Line(
                item=item,
                words=str(column),
                value=Decimal(repr(float(value))),
                period_end=date(int(row["year"]), 12, 31),
                months=12 if income else None,
                scope="consolidated",
                currency=currency,
                source=Place(text=str(value)),
            )
            lines["income" if income else "balance"].append(line)
    checks = (Check("balance_sheet_balances", not unbalanced, "assets differ" if unbalanced else "holds"),)
    return Report(
        file="made.htm",
        kind="html",
        language="en",
        period_end=date(int(firm["year"].max()), 12, 31),
        currency=currency,
        statements={name: tuple(found) for name, found in lines.items()},
        checks=checks,
    )

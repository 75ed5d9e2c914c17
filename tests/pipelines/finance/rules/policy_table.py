"""A table of hard rules for the tests."""

from datetime import date
from pathlib import Path

from pipelines.finance.rules.columns import Panel, Period, panel_of
from pipelines.finance.rules.policy import COLUMNS

LIQUIDITY = (
    "liquidity,covenant,1,2020-01-01,5,current_ratio < 0.5,review,,review,Current ratio {current_ratio:.2f} < 0.50,"
    "流动比率{current_ratio:.2f} < 0.50"
)
INSOLVENT = (
    'insolvent,knock_out,1,2020-01-01,1,total_equity < 0,decline,,ignore,"Equity {total_equity:,.0f}",'
    '"股东权益{total_equity:,.0f}"'
)
LOSS = "loss,policy,1,2020-01-01,9,net_income < 0,floor,0.3,ignore,A loss of {net_income:.0f},亏损{net_income:.0f}"


def write_policy(folder: Path, *lines: str) -> Path:
    path = folder / "policy.csv"
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")
    return path


def one(**figures: float) -> Panel:
    return panel_of([Period(end=date(2023, 12, 31), values=figures)])

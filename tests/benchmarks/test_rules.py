"""All features of a table beside the same ratios by pandas. Prints a table; fails where they differ."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.finance.rules.evaluate import evaluate
from pipelines.finance.rules.findings import apply_policy
from pipelines.finance.rules.panel import Panel, make_panel
from pipelines.finance.rules.policy import load_policy
from pipelines.finance.rules.rulebook import load_rules

pytestmark = [pytest.mark.bench, pytest.mark.realdata]
SAME = (
    *("current_ratio", "liabilities_to_assets", "return_on_assets", "gross_margin", "receivable_days", "altman_z"),
    *("revenue_growth", "asset_growth", "return_on_average_assets", "current_ratio_change", "loss_two_years"),
    *("return_on_assets_volatility", "liabilities_to_assets_percentile", "return_on_assets_percentile"),
)


def least_seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def by_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """The features named in SAME, as an analyst would write them."""
    company = frame["company_id"]
    before = frame.groupby("company_id").shift(1)
    assets, sales = frame["total_assets"], frame["net_sales"].where(frame["net_sales"] > 0)
    found = pd.DataFrame({"fyear": frame["fyear"]})
    found["current_ratio"] = frame["current_assets"] / frame["total_current_liabilities"]
    found["liabilities_to_assets"] = frame["total_liabilities"] / assets
    found["return_on_assets"] = frame["net_income"] / assets
    found["gross_margin"] = frame["gross_profit"] / sales
    found["receivable_days"] = frame["total_receivables"] / sales * 365
    working_capital = frame["current_assets"] - frame["total_current_liabilities"]
    parts = [working_capital, frame["retained_earnings"], frame["ebit"], frame["net_sales"]]
    z = sum(weight * part / assets for weight, part in zip((1.2, 1.4, 3.3, 0.999), parts, strict=True))
    found["altman_z"] = z + 0.6 * frame["market_value"] / frame["total_liabilities"]
    found["revenue_growth"] = (frame["net_sales"] - before["net_sales"]) / before["net_sales"].abs()
    found["asset_growth"] = (assets - before["total_assets"]) / before["total_assets"].abs()
    found["return_on_average_assets"] = frame["net_income"] / ((assets + before["total_assets"]) / 2)
    found["current_ratio_change"] = found["current_ratio"] - found.groupby(company)["current_ratio"].shift(1)
    losses = (frame["net_income"] < 0) & (before["net_income"] < 0)
    found["loss_two_years"] = losses.astype(float).mask(before["net_income"].isna() & (frame["net_income"] < 0))
    rolling = found.groupby(company)["return_on_assets"].rolling(5, min_periods=3).std()
    found["return_on_assets_volatility"] = rolling.reset_index(level=0, drop=True)
    for name in ("liabilities_to_assets", "return_on_assets"):
        groups = found.groupby("fyear")[name]
        found[f"{name}_percentile"] = (groups.rank() - 0.5) / groups.transform("count")
    return found.replace([np.inf, -np.inf], np.nan)


def test_features_beside_pandas(realdata: Path) -> None:
    frame = pd.read_csv(realdata / "data/finance/american_bankruptcy/american_bankruptcy.csv.gz")
    table = frame.drop(columns=["failed", "split"]).sort_values(["company_id", "fyear"], ignore_index=True)
    book, policy = load_rules(), load_policy()
    panel = make_panel(table, company="company_id", period="fyear")
    values, peer = evaluate(panel, book), by_pandas(table)
    for name in SAME:
        assert np.allclose(values.column(name), peer[name], rtol=1e-8, atol=1e-10, equal_nan=True), name
    with_value = int((~np.isnan(values.values_RF)).any(axis=0).sum())
    pandas_s = least_seconds(lambda: by_pandas(table))
    all_s = least_seconds(lambda: evaluate(panel, book))
    one = panel_of(table.head(5))
    seconds = {
        "make_panel": least_seconds(lambda: panel_of(table)),
        f"evaluate, {len(book.names)} features ({with_value} with values)": all_s,
        f"pandas, {len(SAME)} of them": pandas_s,
        f"policy, {len(policy.rules)} rules": least_seconds(lambda: apply_policy(policy, panel)),
        "one company, 5 years: evaluate": least_seconds(lambda: evaluate(one, book)),
        "the same with every reason": least_seconds(lambda: evaluate(one, book).to_json(4)),
    }
    print(f"\n{len(table)} rows, least of five runs")
    for words, least in seconds.items():
        print(f"{words:46s} {least * 1e3:7.1f} ms")
    ratio = pandas_s / len(SAME) / (all_s / with_value)
    print(f"a feature that has values: {ratio:.1f} times as fast as by pandas")


def panel_of(table: pd.DataFrame) -> Panel:
    """A panel of the table."""
    return make_panel(table, company="company_id", period="fyear")

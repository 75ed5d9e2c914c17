"""The table of rules holds together, and every feature is worked out like plain pandas on real tables."""

from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from pipelines.finance.reports.text.wording import measure_names
from pipelines.finance.rules.columns import Period, panel_of
from pipelines.finance.rules.evaluate import evaluate, fit_reference
from pipelines.finance.rules.names import known_inputs
from pipelines.finance.rules.panel import make_panel
from pipelines.finance.rules.rulebook import load_rules


def test_there_are_more_than_two_hundred_features_of_every_kind() -> None:
    groups = Counter(rule.group for rule in load_rules().rules.values())
    assert sum(groups.values()) >= 200 + groups["text"]
    assert set(groups) == {"liquidity", "leverage", "coverage", "profitability", "efficiency", "growth", "cash",
                           "accruals", "size", "trend", "market", "peers", "scores", "text"}  # fmt: skip
    assert min(groups.values()) >= 5


def test_every_measure_of_wording_is_a_feature() -> None:
    assert set(measure_names()) == {name for name, rule in load_rules().rules.items() if rule.group == "text"}


def test_no_two_features_have_the_same_formula_or_words() -> None:
    rules = load_rules().rules.values()
    for key in ("formula", "en", "zh"):
        assert [text for text, times in Counter(getattr(rule, key) for rule in rules).items() if times > 1] == []


def test_words_are_in_their_languages() -> None:
    for rule in load_rules().rules.values():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in rule.zh), rule
        assert rule.en.isascii(), rule


def test_every_feature_has_a_value_where_every_input_is_there() -> None:
    rng = np.random.default_rng(7)
    periods = [
        Period(end=date(year, 12, 31), values={name: float(rng.lognormal(5, 0.1)) for name in known_inputs()})
        for year in range(2023, 2017, -1)
    ]
    values = evaluate(panel_of(periods))
    missing = {name: values.why(0, name) for name in values.names}
    reasons = {name: why for name, why in missing.items() if why is not None}
    allowed = ("only worked out where", "fewer than 20 companies", "is not above zero")
    assert {name: why for name, why in reasons.items() if not any(words in why for words in allowed)} == {}
    assert len(reasons) < 40


def test_every_missing_feature_of_an_empty_report_has_a_reason_in_both_languages() -> None:
    values = evaluate(panel_of([Period(end=date(2023, 12, 31), values={"revenue": 0.0})]))
    for name in values.names:
        assert np.isnan(values.values_RF[0, values.names.index(name)]) == (values.why(0, name) is not None)
        assert values.why(0, name, "zh") != "", name


@pytest.mark.parametrize(
    ("figures", "name", "reason"),
    [
        ({}, "inventory_to_assets", "no inventory"),
        ({}, "revenue_growth", "no revenue"),
        ({"revenue": 1}, "revenue_growth", "no year before 2021-12-31"),
        ({"current_assets": 1, "current_liabilities": 0}, "current_ratio", "denominator current_liabilities is zero"),
        ({"cash": 1}, "cash_ratio", "no current_liabilities"),
        ({}, "cash_ratio", "no cash, short_term_investments or trading_assets"),
        ({"total_assets": 0}, "log_total_assets", "total_assets is not above zero"),
        ({"revenue": 1, "total_assets": 2}, "revenue_trend", "fewer than 3 years of revenue"),
        ({"total_equity": -1, "net_income": 1}, "return_on_equity", "only worked out where total_equity > 0"),
        ({"total_assets": 2}, "size_percentile", "fewer than 20 companies with log_total_assets"),
        ({}, "benford_mean_deviation", "fewer than 15 amounts other than zero"),
        ({"net_income": 1}, "piotroski_f", "no operating_cash_flow"),
        ({"net_income": 1}, "piotroski_share", "no operating_cash_flow"),
    ],
)  # fmt: skip
def test_a_missing_feature_says_why(figures: dict[str, float], name: str, reason: str) -> None:
    values = evaluate(panel_of([Period(end=date(2021, 12, 31), values=figures)]))
    assert values.why(0, name) == reason


def test_a_reason_from_a_year_before_names_the_year() -> None:
    periods = [
        Period(end=date(2021, 12, 31), values={"revenue": 1}),
        Period(end=date(2020, 12, 31), values={"cash": 1}),
    ]
    values = evaluate(panel_of(periods))
    assert values.why(0, "revenue_growth") == "no revenue in 2020-12-31"
    assert values.why(0, "revenue_growth", "zh") == "缺少营业收入（2020-12-31）"
    assert values.to_json(0)["revenue_growth"] == {"value": None, "missing": "no revenue in 2020-12-31"}


def test_interim_figures_are_brought_to_a_year() -> None:
    figures = {"revenue": 60.0, "total_assets": 100.0}
    half = Period(end=date(2021, 6, 30), values=figures, months={"revenue": 6, "total_assets": 6})
    assert evaluate(panel_of([half])).column("asset_turnover")[0] == 1.2


def test_percentiles_follow_a_reference_where_one_is_given() -> None:
    frame = pd.DataFrame({"net_income": np.arange(1000.0), "total_assets": 1000.0})
    reference = fit_reference(make_panel(frame))
    one = evaluate(make_panel(pd.DataFrame({"net_income": [250.0], "total_assets": [1000.0]})), reference=reference)
    assert one.column("return_on_assets_percentile")[0] == pytest.approx(0.25, abs=0.01)
    with pytest.raises(InputError, match="the reference has no quantiles of"):
        evaluate(make_panel(frame), reference={})


@pytest.mark.realdata
def test_american_companies_by_plain_pandas(realdata: Path) -> None:
    frame = pd.read_csv(realdata / "data/finance/american_bankruptcy/american_bankruptcy.csv.gz").iloc[:6000]
    values = evaluate(
        make_panel(frame.drop(columns=["failed", "split"]), company="company_id", period="fyear", unit=1e6)
    )
    before = frame.groupby("company_id").shift(1)  # rows stand in the order of years, without gaps
    near_zero = frame["total_assets"].abs() < 1e-9
    expected = {
        "current_ratio": frame["current_assets"] / frame["total_current_liabilities"],
        "revenue_growth": (frame["net_sales"] - before["net_sales"]) / before["net_sales"].abs(),
        "return_on_average_assets": frame["net_income"] / ((frame["total_assets"] + before["total_assets"]) / 2),
        "log_total_assets": np.log(frame["total_assets"] * 1e6),
        "return_on_assets_volatility": (frame["net_income"] / frame["total_assets"])
        .groupby(frame["company_id"])
        .transform(lambda x: x.rolling(5, min_periods=3).std()),
    }
    for name, column in expected.items():
        wanted = column.replace([np.inf, -np.inf], np.nan).mask(near_zero).to_numpy()
        assert np.allclose(values.column(name), wanted, rtol=1e-9, atol=1e-12, equal_nan=True), name


@pytest.mark.realdata
def test_real_tables_give_features_without_infinities(realdata: Path) -> None:
    least = {"american_bankruptcy": 120, "polish_5year": 90, "zh_listed_financials": 110}
    keys = {"american_bankruptcy": ("company_id", "fyear"), "zh_listed_financials": ("证券代码", "年份")}
    for name, count in least.items():
        frame = pd.read_csv(realdata / f"data/finance/{name}/{name}.csv.gz")
        company, period = keys.get(name, (None, None))
        columns = [column for column in ("failed", "bankrupt", "next_year_loss") if column in frame]
        values = evaluate(make_panel(frame.drop(columns=columns), company=company, period=period))
        assert not np.isinf(values.values_RF).any()
        assert (~np.isnan(values.values_RF)).any(axis=0).sum() >= count, name

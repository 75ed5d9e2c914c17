"""The published scores, worked out by hand beside the rules. Papers are named in features.csv."""

import math
from datetime import date

import numpy as np
import pytest
from scipy.special import ndtr

from pipelines.finance.rules.columns import Period, panel_of
from pipelines.finance.rules.evaluate import Values, evaluate

NOW = {
    "revenue": 1500.0,
    "cost_of_revenue": 1000.0,
    "sga_expense": 200.0,
    "depreciation_amortization": 60.0,
    "ebit": 180.0,
    "interest_expense": 40.0,
    "pretax_income": 140.0,
    "income_tax": 35.0,
    "net_income": 105.0,
    "cash": 80.0,
    "receivables": 260.0,
    "inventory": 150.0,
    "current_assets": 520.0,
    "ppe": 600.0,
    "total_assets": 1300.0,
    "current_liabilities": 400.0,
    "long_term_debt": 300.0,
    "total_liabilities": 780.0,
    "total_equity": 520.0,
    "retained_earnings": 240.0,
    "market_value": 900.0,
    "shares_basic": 100.0,
    "operating_cash_flow": 150.0,
    "equity_volatility": 0.4,
    "other_current_assets": 30.0,
}
BEFORE = {
    "revenue": 1350.0,
    "cost_of_revenue": 880.0,
    "sga_expense": 190.0,
    "depreciation_amortization": 66.0,
    "ebit": 170.0,
    "interest_expense": 38.0,
    "pretax_income": 132.0,
    "income_tax": 30.0,
    "net_income": -20.0,
    "cash": 100.0,
    "receivables": 200.0,
    "inventory": 120.0,
    "current_assets": 450.0,
    "ppe": 560.0,
    "total_assets": 1150.0,
    "current_liabilities": 340.0,
    "long_term_debt": 310.0,
    "total_liabilities": 700.0,
    "total_equity": 450.0,
    "retained_earnings": 150.0,
    "market_value": 800.0,
    "shares_basic": 100.0,
    "operating_cash_flow": 170.0,
    "other_current_assets": 20.0,
}


@pytest.fixture(scope="module")
def values() -> Values:
    periods = [Period(end=date(2023, 12, 31), values=NOW), Period(end=date(2022, 12, 31), values=BEFORE)]
    return evaluate(panel_of(periods))


def of(values: Values, name: str) -> float:
    return float(values.column(name)[0])


def test_altman(values: Values) -> None:
    wc, re, ebit, turn = 120 / 1300, 240 / 1300, 180 / 1300, 1500 / 1300
    z = 1.2 * wc + 1.4 * re + 3.3 * ebit + 0.6 * 900 / 780 + 0.999 * turn
    assert of(values, "altman_z") == pytest.approx(z) == pytest.approx(2.671154, abs=1e-6)
    z1 = 0.717 * wc + 0.847 * re + 3.107 * ebit + 0.420 * 520 / 780 + 0.998 * turn
    assert of(values, "altman_z1") == pytest.approx(z1)
    z2 = 6.56 * wc + 3.26 * re + 6.72 * ebit + 1.05 * 520 / 780
    assert of(values, "altman_z2") == pytest.approx(z2)
    assert of(values, "altman_em") == pytest.approx(z2 + 3.25)
    assert [of(values, f"altman_{name}_distress") for name in ("z", "z1", "z2")] == [0, 0, 0]


def test_ohlson(values: Values) -> None:
    size = math.log(1300 / 100)
    chin = (105 - -20) / (105 + 20)
    o = (
        -1.32
        - 0.407 * size
        + 6.03 * 780 / 1300
        - 1.43 * 120 / 1300
        + 0.0757 * 400 / 520
        - 1.72 * 0
        - 2.37 * 105 / 1300
        - 1.83 * (105 + 60) / 780
        + 0.285 * 0
        - 0.521 * chin
    )
    assert of(values, "ohlson_o") == pytest.approx(o)
    assert of(values, "ohlson_probability") == pytest.approx(1 / (1 + math.exp(-o)))


def test_zmijewski_springate_taffler_grover_and_china(values: Values) -> None:
    z = -4.336 - 4.513 * 105 / 1300 + 5.679 * 780 / 1300 + 0.004 * 520 / 400
    assert of(values, "zmijewski") == pytest.approx(z)
    assert of(values, "zmijewski_probability") == pytest.approx(float(ndtr(z)))
    s = 1.03 * 120 / 1300 + 3.07 * 180 / 1300 + 0.66 * 140 / 400 + 0.4 * 1500 / 1300
    assert of(values, "springate") == pytest.approx(s)
    no_credit = (520 - 150 - 400) / ((1500 - 140 - 60) / 365)
    t = 3.20 + 12.18 * 140 / 400 + 2.50 * 520 / 780 - 10.68 * 400 / 1300 + 0.029 * no_credit
    assert of(values, "taffler") == pytest.approx(t)
    assert of(values, "grover") == pytest.approx(1.650 * 120 / 1300 + 3.404 * 180 / 1300 - 0.016 * 105 / 1300 + 0.057)
    roa = 105 / ((1300 + 1150) / 2)
    assert of(values, "z_china") == pytest.approx(
        0.517 - 0.460 * 780 / 1300 + 9.320 * roa + 0.388 * 120 / 1300 + 1.158 * 240 / 1300
    )


def test_beneish(values: Values) -> None:
    expected = {
        "dsri": (260 / 1500) / (200 / 1350),
        "gmi": (470 / 1350) / (500 / 1500),
        "aqi": (1 - (520 + 600) / 1300) / (1 - (450 + 560) / 1150),
        "sgi": 1500 / 1350,
        "depi": (66 / (66 + 560)) / (60 / (60 + 600)),
        "sgai": (200 / 1500) / (190 / 1350),
        "lvgi": ((400 + 300) / 1300) / ((340 + 310) / 1150),
        "tata": (105 - 150) / 1300,
    }
    assert {name: of(values, f"beneish_{name}") for name in expected} == pytest.approx(expected)
    weights = {
        "dsri": 0.920,
        "gmi": 0.528,
        "aqi": 0.404,
        "sgi": 0.892,
        "depi": 0.115,
        "sgai": -0.172,
        "lvgi": -0.327,
        "tata": 4.679,
    }
    m = -4.84 + sum(weight * expected[name] for name, weight in weights.items())
    assert of(values, "beneish_m") == pytest.approx(m)
    assert of(values, "beneish_m_neutral") == pytest.approx(m)
    assert of(values, "beneish_suspect") == float(m > -1.78)


def test_piotroski(values: Values) -> None:
    flags = {
        "roa": 1,
        "cfo": 1,
        "roa_up": 1,
        "cash_above_income": 1,
        "leverage_down": 1,
        "liquidity_up": 0,
        "no_issue": 1,
        "margin_up": 0,
        "turnover_up": 0,
    }
    assert {name: of(values, f"piotroski_{name}") for name in flags} == flags
    assert of(values, "piotroski_f") == 6
    assert of(values, "piotroski_share") == pytest.approx(6 / 9)


def test_accruals(values: Values) -> None:
    mean_assets = (1300 + 1150) / 2
    sloan = ((520 - 450) - (80 - 100) - (400 - 340) - 60) / mean_assets
    assert of(values, "accruals_balance_sheet") == pytest.approx(sloan)
    assert of(values, "accruals_cash_flow") == pytest.approx((105 - 150) / mean_assets)
    noa_now, noa_before = 1300 - 80 - (780 - 300), 1150 - 100 - (700 - 310)
    assert of(values, "net_operating_assets_change") == pytest.approx((noa_now - noa_before) / mean_assets)


def test_dechow() -> None:
    third = {"total_assets": 1000.0, "net_income": 50.0, "receivables": 180.0, "revenue": 1200.0}
    days = [date(2023, 12, 31), date(2022, 12, 31), date(2021, 12, 31)]
    values = evaluate(panel_of([Period(end=d, values=v) for d, v in zip(days, (NOW, BEFORE, third), strict=True)]))
    mean_assets = 1225
    rsst = ((520 - 80) - (450 - 100)) / mean_assets
    cash_sales = ((1500 - 60) - (1350 - 20)) / (1350 - 20)
    roa = 105 / 1225 - -20 / 1075
    z = (
        -7.893
        + 0.790 * rsst
        + 2.518 * 60 / mean_assets
        + 1.191 * 30 / mean_assets
        + 1.979 * (1300 - 600 - 80) / 1300
        + 0.171 * cash_sales
        - 0.932 * roa
        + 1.029 * 0
    )
    assert of(values, "dechow_f") == pytest.approx(math.exp(z) / 0.0037)


def test_merton_solves_both_of_its_equations() -> None:
    rng = np.random.default_rng(0)
    equity, volatility = rng.lognormal(5, 2, 25), rng.uniform(0.1, 1.5, 25)
    debt, rate = rng.lognormal(5, 1, 25), rng.uniform(0, 0.1, 25)
    rows = [
        Period(
            end=date(2000, 1, 1),
            values={"market_value": e, "equity_volatility": s, "total_liabilities": d, "risk_free_rate": r},
        )
        for e, s, d, r in zip(equity, volatility, debt, rate, strict=True)
    ]
    distance = np.array([of(evaluate(panel_of([row])), "merton_distance") for row in rows])
    for e, s, d, r, found in zip(equity, volatility, debt, rate, distance, strict=True):
        assert found == pytest.approx(merton_by_bisection(e, s, d, r), rel=1e-6)


def merton_by_bisection(e: float, s: float, d: float, r: float) -> float:
    """Slow: the assets for a given volatility by bisection, the volatility by bisection over that."""

    def assets(s_v: float) -> float:
        low, high = e, e + d
        for _ in range(200):
            v = (low + high) / 2
            d1 = (math.log(v / d) + r + s_v**2 / 2) / s_v
            call = v * float(ndtr(d1)) - d * math.exp(-r) * float(ndtr(d1 - s_v))
            low, high = (v, high) if call < e else (low, v)
        return low

    def implied(s_v: float) -> float:
        v = assets(s_v)
        return s_v * v * float(ndtr((math.log(v / d) + r + s_v**2 / 2) / s_v)) / e

    low, high = 1e-6, s
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if implied(middle) < s else (low, middle)
    v = assets(low)
    return (math.log(v / d) + r - low**2 / 2) / low


def test_the_naive_distance(values: Values) -> None:
    point = 400 + 0.5 * 300
    volatility = 900 / (900 + point) * 0.4 + point / (900 + point) * (0.05 + 0.25 * 0.4)
    distance = (math.log((900 + point) / point) - volatility**2 / 2) / volatility
    assert of(values, "naive_distance") == pytest.approx(distance)


def test_benford() -> None:
    first_digits = [1] * 6 + [2] * 3 + [3] * 3 + [4, 4, 5, 6, 7, 8, 9, 9]
    items = [
        "revenue",
        "cost_of_revenue",
        "sga_expense",
        "ebit",
        "pretax_income",
        "income_tax",
        "net_income",
        "cash",
        "receivables",
        "inventory",
        "current_assets",
        "ppe",
        "total_assets",
        "current_liabilities",
        "long_term_debt",
        "total_liabilities",
        "total_equity",
        "retained_earnings",
        "capex",
        "operating_cash_flow",
    ]
    figures = {
        item: digit * 10.0 ** (place % 7) * (-1) ** place
        for place, (item, digit) in enumerate(zip(items, first_digits, strict=True))
    }
    values = evaluate(
        panel_of([Period(end=date(2023, 12, 31), values={**figures, "market_value": 1.0, "eps_basic": 1.0})])
    )
    observed = np.bincount(first_digits, minlength=10)[1:] / 20
    law = np.log10(1 + 1 / np.arange(1, 10))
    assert of(values, "benford_mean_deviation") == pytest.approx(np.abs(observed - law).mean())
    assert of(values, "benford_distance") == pytest.approx(np.abs(np.cumsum(observed - law)).max())
    assert of(values, "benford_chi_squared") == pytest.approx(20 * ((observed - law) ** 2 / law).sum())

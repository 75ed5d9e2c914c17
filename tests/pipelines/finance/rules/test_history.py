"""Functions over years and peers, against plain loops."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from pipelines.finance.rules.columns import Panel, rows_before
from pipelines.finance.rules.evaluate import run
from pipelines.finance.rules.formula import Program
from pipelines.finance.rules.history import percentile
from pipelines.finance.rules.panel import make_panel

YEARS = [2019, 2020, 2021, 2022]


def series(values: list[float], years: list[int] | None = None) -> Panel:
    frame = pd.DataFrame({"company": "a", "year": years or YEARS[: len(values)], "x": values})
    return make_panel(frame, company="company", period="year")


def worked_out(text: str, of: Panel) -> list[float]:
    program = Program(formulas={}, inputs={"x"})
    step = program.compile(text, "here")
    return [float(x) for x in np.broadcast_to(run(program, of, {step}, None)[step], of.rows)]


NAN = math.nan


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prior(x)", [NAN, 2, 4, 3]),
        ("prior(x, 2)", [NAN, NAN, 2, 4]),
        ("avg(x)", [NAN, 3, 3.5, 5.5]),
        ("change(x)", [NAN, 2, -1, 5]),
        ("growth(x)", [NAN, 1, -0.25, 5 / 3]),
        ("cagr(x, 3)", [NAN, NAN, NAN, 4 ** (1 / 3) - 1]),
        ("mean(x, 2)", [2, 3, 3.5, 5.5]),
        ("lowest(x, 3)", [2, 2, 2, 3]),
        ("highest(x, 2)", [2, 4, 4, 8]),
        ("streak(x >= 3)", [0, 1, 2, 3]),
        ("years()", [1, 2, 3, 4]),
        ("volatility(x, 3)", [NAN, NAN, np.std([2, 4, 3], ddof=1), np.std([4, 3, 8], ddof=1)]),
        ("trend(x, 3)", [NAN, NAN, 0.5 / 3, 2 / 5]),
        ("trend(x, 4)", [NAN, NAN, 0.5 / 3, np.polyfit(range(4), [2, 4, 3, 8], 1)[0] / 4.25]),
    ],
)
def test_years_are_looked_back_on(text: str, expected: list[float]) -> None:
    assert worked_out(text, series([2.0, 4.0, 3.0, 8.0])) == pytest.approx(expected, nan_ok=True)


def test_growth_from_a_loss_to_a_profit_is_a_rise() -> None:
    assert worked_out("growth(x)", series([-2.0, 1.0]))[1] == 1.5


def test_a_gap_of_years_is_no_year_before() -> None:
    assert worked_out("prior(x)", series([1.0, 2.0, 3.0], [2018, 2020, 2021])) == pytest.approx(
        [NAN, NAN, 2.0], nan_ok=True
    )


def test_a_missing_year_inside_is_left_out_of_a_trend() -> None:
    expected = np.polyfit([0, 1, 3], [2, 4, 8], 1)[0] / np.mean([2, 4, 8])
    assert worked_out("trend(x, 4)", series([2.0, 4.0, NAN, 8.0]))[3] == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(2000, 2008)), min_size=1, max_size=30, unique=True))
def test_the_row_of_the_year_before_is_found_in_any_order(keys: list[tuple[int, int]]) -> None:
    place = {key: row for row, key in enumerate(keys)}
    found = rows_before(np.array([c for c, _ in keys]), np.array([y for _, y in keys]))
    assert found.tolist() == [place.get((c, y - 1), -1) for c, y in keys]


@pytest.mark.parametrize(
    ("now", "before", "found"),
    [
        (20240928, 20230930, True),  # 52 weeks
        (20241229, 20231231, True),
        (20240229, 20230228, True),
        (20250628, 20240928, False),  # three quarters
        (20241231, 20221231, False),
        (20240131, 20230101, False),
    ],
)
def test_a_year_of_52_or_53_weeks_is_a_year(now: int, before: int, found: bool) -> None:
    assert rows_before(np.array([0, 0]), np.array([now, before])).tolist() == [1 if found else -1, -1]


def test_two_rows_of_one_company_and_year_are_refused() -> None:
    frame = pd.DataFrame({"c": ["a", "b", "a"], "y": [2020, 2020, 2020], "x": 1.0})
    with pytest.raises(InputError, match="rows 1 and 3 are of the same company and period 2020"):
        make_panel(frame, company="c", period="y")


def test_percentiles_are_mean_places_among_the_rows_of_the_period() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 9, 90).astype(np.float64)
    x[:7] = np.nan
    period = np.repeat([2020, 2021, 2022], [40, 40, 10])
    empty = np.full(90, -1)
    panel = Panel(values={}, company_R=np.arange(90), period_R=period, prior_R=empty)
    found = percentile(panel, x)
    for row in range(90):
        peers = x[(period == period[row]) & ~np.isnan(x)]
        if np.isnan(x[row]) or len(peers) < 20:
            assert np.isnan(found[row])
        else:
            assert found[row] == pytest.approx(((peers < x[row]).sum() + (peers == x[row]).sum() / 2) / len(peers))

"""Tables become panels: names, units, periods, bad cells."""

import math

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from pipelines.finance.rules.evaluate import evaluate
from pipelines.finance.rules.names import known_inputs
from pipelines.finance.rules.panel import make_panel, read_periods, tables_recognised


def test_chinese_and_english_headings_mean_the_same_items() -> None:
    panel = make_panel(
        pd.DataFrame({"营业收入": [1.0], "Total assets": [2.0], "net_sales_2": [3.0], "total_receivables": [4.0]})
    )
    assert {name: float(x[0]) for name, x in panel.values.items()} == {
        "revenue": 1.0, "total_assets": 2.0, "net_sales_2": 3.0, "receivables": 4.0,
    }  # fmt: skip


def test_two_columns_with_one_meaning_are_refused() -> None:
    with pytest.raises(InputError, match="'营业收入' and 'net_sales' both mean revenue"):
        make_panel(pd.DataFrame({"营业收入": [1.0], "net_sales": [2.0]}))


def test_a_cell_that_is_no_number_is_named() -> None:
    frame = pd.DataFrame({"revenue": ["1", "n/a"], "note": ["a", "b"]})
    with pytest.raises(InputError, match="column 'revenue', row 2: 'n/a' is no number"):
        make_panel(frame)


def test_numbers_as_text_empty_cells_and_infinities() -> None:
    panel = make_panel(pd.DataFrame({"revenue": [" 12.5 ", "", None], "cash": [1.0, math.inf, -math.inf]}))
    assert panel.values["revenue"].tolist() == pytest.approx([12.5, math.nan, math.nan], nan_ok=True)
    assert np.isnan(panel.values["cash"]).tolist() == [False, True, True]


def test_amounts_are_scaled_by_the_unit_and_shares_are_not() -> None:
    panel = make_panel(
        pd.DataFrame({"revenue": [2.0], "market_value": [3.0], "eps_basic": [4.0], "staff": [5.0]}), unit=1e6
    )
    assert [float(x[0]) for x in panel.values.values()] == [2e6, 3e6, 4.0, 5.0]
    assert panel.amounts == ("revenue",)


DAYS = [20211231, "2021-12-31", "2021/12/31", "2021年12月31日", "2021-12-31 00:00:00", pd.Timestamp("2021-12-31")]


@pytest.mark.parametrize("written", [2021, 2021.0, "2021", "2021年", *DAYS])
def test_periods_are_read(written: object) -> None:
    assert read_periods(pd.Series([written]))[0] in (2021, 20211231)


@pytest.mark.parametrize("written", ["", "FY21", "31.12.2021x", "20211331", None])
def test_a_row_without_a_period_is_refused(written: object) -> None:
    with pytest.raises(InputError, match=r"row 2: .* is no period"):
        read_periods(pd.Series(["2021", written], name="year", dtype="object"))


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="period: no column 'jahr'; there are year"):
        make_panel(pd.DataFrame({"year": [2021]}), period="jahr")


def test_items_are_told_from_the_polish_ratios() -> None:
    ratios = {f"X{number}": [math.nan] for number in range(1, 65)}
    given = {"X1": 0.05, "X2": 0.6, "X3": 0.1, "X6": 0.2, "X7": 0.08, "X8": 2 / 3, "X9": 1.5, "X10": 0.4, "X29": 4.0,
             "X50": 1.0, "X51": 0.5, "X18": 0.06, "X20": 30.0}  # fmt: skip
    frame = pd.DataFrame(ratios | {name: [value] for name, value in given.items()})
    assert tables_recognised(frame.columns) == ("polish_ratios",)
    values = evaluate(make_panel(frame))
    found = {name: float(values.column(name)[0]) for name in ("return_on_assets", "current_ratio", "altman_z1")}
    z1 = 0.717 * 0.1 + 0.847 * 0.2 + 3.107 * 0.08 + 0.420 * (2 / 3) + 0.998 * 1.5
    assert found == pytest.approx({"return_on_assets": 0.05, "current_ratio": 1.2, "altman_z1": z1})
    assert np.isnan(evaluate(make_panel(frame, tables=())).column("return_on_assets")[0])


def test_columns_x1_to_x64_of_another_table_are_left_alone() -> None:
    assert tables_recognised([f"X{number}" for number in range(1, 66)]) == ()
    assert tables_recognised([f"X{number}" for number in range(1, 64)]) == ()


def test_a_ratio_that_a_table_gives_itself_stands_in_for_its_formula() -> None:
    values = evaluate(make_panel(pd.DataFrame({"current_ratio": [1.4, 9.0], "current_assets": [math.nan, 3.0],
                                               "current_liabilities": [math.nan, 2.0]})))  # fmt: skip
    assert values.column("current_ratio").tolist() == [1.4, 1.5]


def test_every_input_has_words_in_both_languages() -> None:
    assert [
        item.name for item in known_inputs().values() if not (item.en and (item.zh or item.name == "sga_expense"))
    ] == []


def test_a_panel_without_rows_has_features_without_rows() -> None:
    frame = pd.DataFrame({"c": [], "y": [], "revenue": []}, dtype="float64")
    assert evaluate(make_panel(frame, company="c", period="y")).values_RF.shape[0] == 0

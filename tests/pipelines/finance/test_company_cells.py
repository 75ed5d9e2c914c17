"""Figures of a table as people write them; what is none is the error of its row and of the cases that look at it."""

import numpy as np
import pandas as pd
import pytest

from pipelines.finance.company_cells import read_figures
from pipelines.finance.company_frame import derive
from pipelines.finance.company_plan import CompanyOptions, make_plan
from pipelines.finance.labels import find_rule
from tests.pipelines.finance.company_samples import KEYS, make_companies

TABLE = make_companies(0, companies=8)
RULE = find_rule(TABLE["failed"])


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,234,567", 1234567),
        ("(500)", -500),
        ("１２，３４５", 12345),
        ("-", 0),
        ("—", 0),
        (" 7.5 ", 7.5),
        ("1e3", 1000),
    ],
)
def test_a_figure_is_read_by_value(cell: str, value: float) -> None:
    frame, errors = read_figures(pd.DataFrame({"cash": ["1", cell]}), ["cash"])
    assert frame["cash"].tolist() == [1, value]
    assert not errors


@pytest.mark.parametrize("cell", ["", "NA", None, "nan"])
def test_a_missing_figure_is_missing(cell: str | None) -> None:
    frame, errors = read_figures(pd.DataFrame({"cash": ["1", cell]}), ["cash"])
    assert np.isnan(frame["cash"][1])
    assert not errors


@pytest.mark.parametrize(
    ("cell", "code"),
    [("inf", "NON_FINITE"), ("1e400", "NON_FINITE"), ("-Infinity", "NON_FINITE"), ("1e30", "OUT_OF_RANGE")]
    + [(text, "NOT_A_NUMBER") for text in ("abc", "12%", "7 of 8", "12,34")],
)
def test_what_is_no_figure_is_the_error_of_its_row(cell: str, code: str) -> None:
    frame, errors = read_figures(pd.DataFrame({"cash": ["1", cell], "name": ["x", "y"]}), ["cash"])
    assert list(errors) == [1]
    assert errors[1].startswith(f"{code}: column 'cash' holds ")
    assert np.isnan(frame["cash"][1])


@pytest.mark.parametrize("bad", ["inf", float("inf"), "much"])
@pytest.mark.parametrize("cases", ["latest", "all"])
def test_a_case_with_a_bad_figure_in_its_own_or_its_earlier_years_is_an_error(cases: str, bad: object) -> None:
    plan = make_plan(TABLE, CompanyOptions(**KEYS, cases=cases), RULE)
    table = TABLE.astype({"net_sales": object})
    table.loc[(table["firm"] == "F0002") & (table["year"] == 2016), "net_sales"] = bad
    derived = derive(table, plan)
    own = derived.frame.loc[list(derived.errors), ["firm", "year"]].sort_values("year")
    assert set(own["firm"]) == {"F0002"}
    assert own["year"].tolist() == ([2018] if cases == "latest" else [2016, 2017, 2018])
    assert not (set(derived.frame["firm"]) - {"F0002"}) & set(own["firm"])


def test_a_figure_column_with_a_cell_of_text_stays_a_figure_in_training() -> None:
    table = TABLE.astype({"net_sales": "str"})
    table.loc[3, "net_sales"] = "much"
    plan = make_plan(table, CompanyOptions(**KEYS), RULE)
    assert "revenue" in plan.figures
    derived = derive(table, plan)
    assert [words.split(" ")[0] for words in derived.errors.values()] in (["NOT_A_NUMBER:"], ["OTHER_ROW:"])

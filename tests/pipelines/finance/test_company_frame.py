"""From a table of statements to cases: whose years are history, and what cannot be placed."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from pipelines.finance.company_frame import derive, future_rows
from pipelines.finance.company_plan import CompanyOptions, CompanyPlan, make_plan
from pipelines.finance.labels import find_rule
from tests.pipelines.finance.company_samples import KEYS, make_companies

TABLE = make_companies(0, companies=40)


def plan_of(table: pd.DataFrame, **more: object) -> CompanyPlan:
    return make_plan(table, CompanyOptions(**(KEYS | more)), find_rule(table["failed"]))  # type: ignore[arg-type]


PLAN = plan_of(TABLE)


def test_the_latest_row_of_each_company_is_a_case_where_labels_are_those_of_companies() -> None:
    derived = derive(TABLE, PLAN)
    assert PLAN.cases == "latest"
    assert len(derived.frame) == 40
    assert set(derived.frame["year"]) == {2018}
    assert derived.row_C.tolist() == sorted(derived.row_C.tolist())


def test_every_row_is_a_case_where_labels_change_from_year_to_year() -> None:
    table = TABLE.assign(failed=np.arange(len(TABLE)) % 2)
    assert plan_of(table).cases == "all"
    assert len(derive(table, plan_of(table)).frame) == len(table)


def test_a_company_alone_gives_what_it_gives_among_others() -> None:
    among = derive(TABLE, PLAN).frame
    alone = derive(TABLE[TABLE["firm"] == "F0007"].reset_index(drop=True), PLAN).frame
    same = among[among["firm"] == "F0007"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, same)


def test_years_after_a_case_and_more_than_two_years_before_it_change_nothing() -> None:
    plan = plan_of(TABLE, cases="all")
    all_years = derive(TABLE, plan).frame.set_index(["firm", "year"]).sort_index()
    until_2017 = derive(TABLE[TABLE["year"] <= 2017].reset_index(drop=True), plan).frame
    from_2016 = derive(TABLE[TABLE["year"] >= 2016].reset_index(drop=True), plan).frame
    cut = until_2017.set_index(["firm", "year"]).sort_index()
    pd.testing.assert_frame_equal(cut, all_years.loc[cut.index])
    late = from_2016[from_2016["year"] == 2018].set_index(["firm", "year"]).sort_index()
    pd.testing.assert_frame_equal(late, all_years.loc[late.index])


def test_features_see_the_year_before() -> None:
    derived = derive(TABLE, PLAN)
    growth = [name for name in PLAN.rules.names if "growth" in name and derived.frame[name].notna().all()]
    assert growth
    first_year = derive(TABLE[TABLE["year"] == 2018].reset_index(drop=True), PLAN).frame
    assert first_year[growth].isna().all().all()


def test_amounts_are_brought_to_whole_units() -> None:
    thousands = derive(TABLE, plan_of(TABLE, unit=1e3)).frame
    assert np.allclose(thousands["total_assets"], 1e3 * derive(TABLE, PLAN).frame["total_assets"])
    assert np.allclose(thousands["current_ratio"], derive(TABLE, PLAN).frame["current_ratio"])


def test_a_row_that_cannot_be_placed_spoils_its_company_and_no_other() -> None:
    table = TABLE.astype({"year": object})
    at = table.index[table["firm"] == "F0003"][0]
    table.loc[at, "year"] = "soon"
    derived = derive(table, PLAN)
    said = {derived.frame["firm"][case]: words for case, words in derived.errors.items()}
    assert set(said) == {"F0003"}
    assert "soon" in said["F0003"]
    assert len(derived.frame) == 40


def test_two_rows_of_one_company_and_year_are_errors_and_not_summed_or_chosen() -> None:
    twice = pd.concat([TABLE, TABLE[(TABLE["firm"] == "F0005") & (TABLE["year"] == 2018)]], ignore_index=True)
    derived = derive(twice, PLAN)
    assert {derived.frame["firm"][case] for case in derived.errors} == {"F0005"}
    assert all("TWO_ROWS" in words or "OTHER_ROW" in words for words in derived.errors.values())


def test_a_row_without_its_company_is_an_error() -> None:
    table = TABLE.copy()
    table.loc[3, "firm"] = None
    derived = derive(table, PLAN)
    assert [words.split(":")[0] for words in derived.errors.values()] == ["NO_COMPANY"]


def test_a_table_without_a_figure_of_the_model_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="lacks 1 of the model's columns: revenue"):
        derive(TABLE.drop(columns="net_sales"), PLAN)


def test_several_rows_of_a_company_need_a_period() -> None:
    with pytest.raises(InputError, match="--period"):
        plan_of(TABLE, period=None)


def test_the_plan_comes_back_from_the_bundle_word_for_word() -> None:
    again = CompanyPlan.from_json(PLAN.to_json())
    assert again == PLAN
    pd.testing.assert_frame_equal(derive(TABLE, again).frame, derive(TABLE, PLAN).frame)


@pytest.mark.parametrize(("period", "future"), [(2027, False), (2028, True), ("2027-11-30", True), (20271122, False)])
def test_a_period_more_than_a_year_after_today_is_an_error(period: object, future: bool) -> None:
    errors = future_rows(pd.Series([2020, period], name="year", dtype=object), date(2026, 11, 22))
    assert list(errors) == [1] * future
    assert all(words.startswith("FUTURE_PERIOD: column 'year' holds ") for words in errors.values())


def test_no_rule_looks_at_other_companies() -> None:
    ops = {step.op for step in PLAN.rules.book.program.steps}
    assert not ops & {"percentile", "years"}

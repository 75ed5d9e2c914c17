"""One company as a request tells of it: the way of a table, with the checks of a report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.errors import InputError
from core.runtime.engine import Engine
from pipelines.finance.company import Wish, score_company, train_company
from pipelines.finance.company_plan import CompanyOptions
from pipelines.finance.company_request import CompanyCase, score_case
from tests.pipelines.finance.company_samples import KEYS, make_companies

WISH = Wish(reasons_for="all")


def _engine(folder: Path, **options: Any) -> Engine:
    train, valid = make_companies(0, 120), make_companies(1, 80)
    if "unit" in options:
        train, valid = (_in_millions(table) for table in (train, valid))
    bundle = train_company(train, valid, CompanyOptions(**options), folder, lambda share, words: None)
    return Engine.open(bundle, device="cpu")


def _in_millions(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{name: table[name].round(3) for name in table.columns[2:-1]})


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return _engine(tmp_path_factory.mktemp("request") / "bundle", **KEYS, unit=1e6)


def _years(**changes: Any) -> list[Mapping[str, Any]]:
    table = _in_millions(make_companies(2, 3)).drop(columns="failed")
    rows: list[dict[str, Any]] = table[table["firm"] == "F0001"].sort_values("year").to_dict("records")
    rows[-1].update(changes)
    return rows


def test_figures_in_millions_are_scored_as_in_a_table(engine: Engine) -> None:
    table = pd.DataFrame(_years())
    expected = score_company(table, engine, ids=list(table["firm"]), reasons_for="all").frame
    found = score_case(CompanyCase(case_id="F0001", years=_years()), engine, WISH).frame
    pd.testing.assert_frame_equal(found, expected)


def test_the_order_of_the_years_tells_nothing(engine: Engine) -> None:
    forward = score_case(CompanyCase(case_id="x", years=_years()), engine, WISH).frame
    backward = score_case(CompanyCase(case_id="x", years=_years()[::-1]), engine, WISH).frame
    pd.testing.assert_frame_equal(forward, backward)


@pytest.mark.parametrize(("equity", "balances"), [(0.0, True), (0.02, False)])
def test_a_balance_sheet_is_checked_within_its_rounding(engine: Engine, equity: float, balances: bool) -> None:
    latest = dict(_years()[-1])
    own = round(latest["total_assets"] - latest["total_liabilities"] + equity, 3)
    found = score_case(CompanyCase(case_id="x", years=_years(total_equity=own)), engine, WISH)
    assert bool(found.frame["error"].isna()[0]) is balances
    assert (found.failed == 0) is balances


@pytest.mark.parametrize("keys", [{"target": "failed"}, {"target": "failed", "period": "year"}])
def test_a_model_of_years_that_stand_alone_takes_one_year(tmp_path: Path, keys: dict[str, str]) -> None:
    alone = _engine(tmp_path / "bundle", ignore=("firm",) if "period" in keys else ("firm", "year"), **keys)
    found = score_case(CompanyCase(case_id="x", years=_years()[-1:]), alone, WISH)
    assert found.failed == 0
    assert found.frame["id"].tolist() == ["x"]
    with pytest.raises(InputError, match="stand alone; send one year, got 4"):
        score_case(CompanyCase(case_id="x", years=_years()), alone, WISH)


def test_a_text_that_the_model_does_not_read_is_said_to_be_unused(engine: Engine) -> None:
    found = score_case(CompanyCase(case_id="x", years=_years(), text="Long. " * 300), engine, WISH)
    assert "UNUSED report_text" in found.warnings


def test_a_year_without_the_model_s_columns_is_refused(engine: Engine) -> None:
    years = [{name: value for name, value in year.items() if name != "total_assets"} for year in _years()]
    with pytest.raises(InputError, match="lacks 1 of the model's columns: total_assets"):
        score_case(CompanyCase(case_id="x", years=years), engine, WISH)

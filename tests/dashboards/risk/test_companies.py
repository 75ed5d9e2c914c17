"""Companies on the pages: their years, hard rules beside the waterfall, words of their own."""

import csv
import io
import json
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from dashboards.risk import reads as cases
from dashboards.risk.reads import CaseFilter, CaseLine
from tests.dashboards.seed import Seeded

Visit = Callable[..., AppTest]


def _runs(visit: Visit) -> dict[str | None, CaseLine]:
    visit()
    return {run.period: run for run in cases.runs("F0001")}


def _text(app: AppTest) -> str:
    return " ".join(element.value for element in [*app.markdown, *app.caption, *app.subheader])


def _figures(app: AppTest) -> str:
    return json.dumps([json.loads(element.proto.spec) for element in app.get("plotly_chart")], ensure_ascii=False)


def test_the_portfolio_lists_companies_with_their_years(visit: Visit, seeded: Seeded) -> None:
    app = visit(model="firms@1", job="")
    shown = app.dataframe[0].value
    assert list(zip(shown["case"], shown["period"], strict=True)) == [("F0001", "2019"), ("F0001", "2020")]
    assert set(shown["reason"]) == {"Equity is -5, below zero"}
    assert "column year" in _text(app)


def test_loans_have_no_years(visit: Visit, seeded: Seeded) -> None:
    assert "period" not in visit(model="loans@2").dataframe[0].value


def test_companies_fail_where_loans_default(visit: Visit, seeded: Seeded) -> None:
    assert "Probability of failure or loss" in [slider.label for slider in visit(model="firms@1", job="").slider]
    assert "Probability of default" in [slider.label for slider in visit(model="loans@2").slider]


def test_a_hard_rule_stands_beside_the_waterfall_and_not_in_it(visit: Visit, seeded: Seeded) -> None:
    run = _runs(visit)["2019"]
    app = visit("risk/case.py", case="F0001", run=str(run.id))
    assert "Equity is \\-5, below zero" in _text(app)
    assert "statements of 2019" in _text(app)
    assert "leverage is 0.9" in _figures(app)
    assert "Equity" not in _figures(app)
    assert list(app.dataframe[0].value["Effect"]) == ["■ adds caution", "▶ raises the risk"]
    assert list(app.dataframe[0].value["Log-odds"]) == ["–", "+0.700"]


def test_rules_alone_need_no_waterfall(visit: Visit, seeded: Seeded) -> None:
    run = _runs(visit)["2020"]
    app = visit("risk/case.py", case="F0001", run=str(run.id))
    assert "This case" not in _figures(app)
    assert "--reasons" in _text(app)


def test_hard_rules_speak_chinese(visit: Visit, seeded: Seeded) -> None:
    run = _runs(visit)["2019"]
    app = visit("risk/case.py", case="F0001", run=str(run.id), lang="zh")
    assert "股东权益为\\-5，低于零" in _text(app)
    assert "杠杆率为0.9" in _figures(app)


def test_all_years_of_a_company_are_among_its_runs(visit: Visit, seeded: Seeded) -> None:
    links = [element.proto.label for element in visit("risk/case.py", case="F0001").get("page_link")]
    assert sorted(label.split(" · ")[0] for label in links) == ["statements of 2019", "statements of 2020"]


def test_an_export_names_the_year_and_gives_a_rule_no_contribution(visit: Visit, seeded: Seeded) -> None:
    (model,) = {run.model_id for run in _runs(visit).values()}
    content = cases.export_csv(CaseFilter(model_id=model), "input", "firms", 1).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [row["period"] for row in rows] == ["2019", "2020"]
    assert rows[0]["reason_1"] == "POLICY_NEGATIVE_EQUITY: Equity is -5, below zero"
    assert rows[0]["reason_2"] == "LEVERAGE: leverage is 0.9 (+0.70)"


def test_the_models_page_says_how_a_company_model_reads_a_table(visit: Visit, seeded: Seeded) -> None:
    app = visit("operations/models.py", model="firms@1")
    facts = dict(zip(*(app.dataframe[2].value[name] for name in ("Fact", "Value")), strict=True))
    assert (facts["Column of companies"], facts["Column of periods"]) == ("firm", "year")
    assert facts["An amount of 1 is"] == "1,000,000 CNY"
    assert facts["Hard rules"] == "2: negative_equity, opinion_refused"
    assert "AUC 0.850  [0.800, 0.900]" in list(app.dataframe[0].value["Main metric"])
    assert "company" in list(app.dataframe[0].value["Kind"])

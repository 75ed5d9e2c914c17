"""One case by its link: decision, waterfall, place, other runs."""

import json
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from tests.dashboards.seed import Seeded

Visit = Callable[..., AppTest]


def _figures(app: AppTest) -> list[dict]:  # type: ignore[type-arg]
    return [json.loads(element.proto.spec) for element in app.get("plotly_chart")]


def test_a_link_opens_the_case_with_its_waterfall(visit: Visit, seeded: Seeded) -> None:
    app = visit("risk/case.py", case=seeded.declined_case)
    assert app.subheader[0].value == seeded.declined_case
    labels = {label for figure in _figures(app) for trace in figure["data"] for label in trace.get("y", [])}
    assert "This case" in labels
    assert "Base and all other features" in labels


def test_the_waterfall_speaks_chinese(visit: Visit, seeded: Seeded) -> None:
    app = visit("risk/case.py", case=seeded.declined_case, lang="zh")
    assert "本案件" in json.dumps(_figures(app), ensure_ascii=False)
    assert "授信额度使用率" in json.dumps(_figures(app), ensure_ascii=False)


def test_the_waterfall_shows_where_the_bundle_puts_review_and_decline(visit: Visit, seeded: Seeded) -> None:
    figures = _figures(visit("risk/case.py", case=seeded.declined_case))
    assert any(len(figure["layout"].get("shapes", [])) == 2 for figure in figures)


def test_all_runs_of_a_case_are_listed_with_both_models(visit: Visit, seeded: Seeded) -> None:
    app = visit("risk/case.py", case="L100008")
    links = " ".join(element.proto.label for element in app.get("page_link"))
    assert "loans\\@1" in links
    assert links.count("loans\\@2") == 2


def test_a_link_to_one_run_opens_that_run(visit: Visit, seeded: Seeded) -> None:
    from dashboards.risk import reads as cases

    visit()
    oldest = cases.runs("L100008")[-1]
    app = visit("risk/case.py", case="L100008", run=str(oldest.id))
    assert f"{oldest.probability:.2%}".replace("%", " %") in [card.value for card in app.metric]


def test_an_approved_case_says_why_it_has_no_reasons(visit: Visit, seeded: Seeded) -> None:
    from dashboards.risk import reads as cases

    visit()
    approved = next(
        line
        for line in cases.page(cases.CaseFilter(model_id=2, decisions=("approve",)), 1, "input")
        if line.case_id[0] == "L"
    )
    assert "--reasons-for all" in visit("risk/case.py", case=approved.case_id).info[0].value


def test_a_case_that_could_not_be_scored_says_why_and_shows_no_decision(visit: Visit, seeded: Seeded) -> None:
    app = visit("risk/case.py", case="L100017")
    assert "NOT" in app.error[0].value
    assert "approve" not in " ".join(element.value for element in app.markdown)


def test_a_case_that_nobody_scored_is_said_to_be_missing(visit: Visit, seeded: Seeded) -> None:
    assert "L1" in visit("risk/case.py", case="L1").info[0].value


def test_without_a_case_the_latest_doubtful_ones_are_offered(visit: Visit, seeded: Seeded) -> None:
    assert len(visit("risk/case.py").get("page_link")) == 12

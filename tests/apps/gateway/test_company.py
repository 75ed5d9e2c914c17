"""POST /v1/assessments and /v1/batches with a company model: years, extracted lines, the text of the report."""

import csv
import io
import json
from typing import Any

import pandas as pd
import pytest
from httpx import Response

from apps.engines import engine_for
from apps.gateway.limits import Limits
from apps.store.database import open_database
from apps.store.models import resolve
from apps.store.results import ResultFilter, page
from pipelines.finance.company import score_company
from pipelines.finance.reports.document import to_document
from tests.apps.gateway.small_house import House
from tests.pipelines.finance.company_samples import make_companies, make_report

GOING_CONCERN = (
    "There is substantial doubt about the Company's ability to continue as a going concern. We lost our largest "
    "customer, and our revenue fell. We have drawn all of our credit lines and may not find further lenders. "
) * 12
DOUBT_ZH = "公司持续经营能力存在重大不确定性。公司主营业务收入下降，流动性紧张，部分银行借款已逾期。" * 30


def table() -> pd.DataFrame:
    return make_companies(2, 60).drop(columns="failed")


def years(firm: str = "F0001", **changes: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(table()[table()["firm"] == firm].to_json(orient="records"))
    latest = max(rows, key=lambda row: row["year"])
    latest.update(changes)
    return rows


def post(house: House, **body: Any) -> Response:
    return house.client.post("/v1/assessments", headers=house.headers, json={"model": "firms", **body})


def kept(house: House) -> list[Any]:
    return page(open_database(house.settings), ResultFilter())


def direct(house: House) -> pd.DataFrame:
    engine = engine_for(house.settings, resolve(open_database(house.settings), "firms"))
    whole = table()
    return score_company(whole, engine, ids=list(whole["firm"]), reasons_for="all").frame.set_index("id")


def test_the_years_of_a_company_are_scored_as_the_command_line_scores_its_rows(house: House) -> None:
    expected = direct(house)
    for firm in sorted(table()["firm"].unique())[:12]:
        answer = post(house, statements=years(firm)).json()
        assert (answer["id"], answer["error"]) == (firm, None)
        assert answer["decision"] == expected.loc[firm, "decision"]
        assert answer["probability"] == pytest.approx(expected.loc[firm, "probability"], rel=1e-12)
        texts = [reason["text"] for reason in answer["reasons"]]
        assert texts == [text for text in expected.loc[firm, "reason_1":"reason_4"] if not pd.isna(text)]


def test_what_was_judged_is_kept_with_its_period(house: House) -> None:
    answer = post(house, statements=years()).json()
    (row,) = kept(house)
    assert (row.case_id, row.period, row.decision) == ("F0001", "2018", answer["decision"])
    assert row.reasons == answer["reasons"]


def test_history_counts(house: House) -> None:
    alone = [max(years(), key=lambda row: row["year"])]
    assert post(house, statements=alone).json()["probability"] != post(house, statements=years()).json()["probability"]


def test_names_of_items_and_period_end_are_as_good_as_the_table_s_own_headings(house: House) -> None:
    renamed = [
        {"period_end": f"{row.pop('year')}-12-31", "revenue": row.pop("net_sales"), **row, "区域": "north"}
        for row in years()
    ]
    answer = post(house, statements=renamed).json()
    expected = post(house, statements=years()).json()
    assert (answer["probability"], answer["decision"]) == (expected["probability"], expected["decision"])
    assert answer["warnings"] == [*expected["warnings"], "UNUSED 区域"]


def test_the_application_may_hold_the_id_or_the_only_year(house: House) -> None:
    rows = [{name: value for name, value in row.items() if name != "firm"} for row in years()]
    answer = post(house, application={"firm": "X 1"}, statements=rows).json()
    assert (answer["id"], answer["error"]) == ("X 1", None)
    assert post(house, application=max(years(), key=lambda row: row["year"])).json()["error"] is None
    assert len(post(house, statements=rows).json()["id"]) == 32


def test_a_hard_rule_comes_first_among_the_reasons_without_a_contribution(house: House) -> None:
    rich = max(years(), key=lambda row: row["year"])["total_assets"]
    answer = post(house, statements=years(total_liabilities=0.95 * rich)).json()
    first = answer["reasons"][0]
    assert (answer["decision"], first["code"], first["contribution"]) == ("decline", "KNOCK_OUT_DEEP_IN_DEBT", None)
    assert first["words_zh"].startswith("负债")
    assert first["text"] == f"KNOCK_OUT_DEEP_IN_DEBT: Debt of {0.95 * rich:,.0f}"


@pytest.mark.parametrize("text", [GOING_CONCERN, DOUBT_ZH])
@pytest.mark.parametrize("form", ["years", "lines"])
def test_the_text_of_the_report_is_read_by_hard_rules(house: House, text: str, form: str) -> None:
    firm = table()[table()["firm"] == "F0002"]
    statements = years("F0002") if form == "years" else to_document(make_report(firm))["statements"]
    answer = post(house, statements=statements, report_text=text).json()
    assert answer["error"] is None
    assert answer["decision"] == "decline"
    assert "POLICY_GOING_CONCERN" in [reason["code"] for reason in answer["reasons"]]
    calm = post(house, statements=statements).json()
    assert "POLICY_GOING_CONCERN" not in [reason["code"] for reason in calm["reasons"]]


def test_extracted_statements_are_scored_as_they_are(house: House) -> None:
    firm = table()[table()["firm"] == "F0001"]
    statements = to_document(make_report(firm))["statements"]
    answer = post(house, application={"firm": "F0001"}, statements=statements).json()
    assert (answer["id"], answer["error"]) == ("F0001", None)
    assert answer["probability"] == pytest.approx(direct(house).loc["F0001", "probability"], rel=1e-6)
    assert [row.period for row in kept(house)] == ["2018-12-31"]


@pytest.mark.parametrize("form", ["years", "lines"])
def test_a_balance_sheet_that_does_not_balance_is_no_case(house: House, form: str) -> None:
    changed = years(total_equity=1.0)
    if form == "years":
        answer = post(house, statements=changed).json()
    else:
        latest = [row for row in changed if "total_equity" in row]
        statements = to_document(make_report(pd.DataFrame(latest)))["statements"]
        answer = post(house, statements=statements).json()
    assert (answer["decision"], answer["probability"], answer["score"]) == (None, None, None)
    assert answer["error"].startswith("CHECK_FAILED: balance_sheet_balances")


def test_sums_that_do_not_add_up_send_the_case_to_a_person(house: House) -> None:
    answer = post(house, statements=years(noncurrent_assets=1.0)).json()
    assert answer["decision"] in ("review", "decline")
    assert "CHECK_ASSETS_ADD_UP" in [reason["code"] for reason in answer["reasons"]]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"total_assets": "much"}, "NOT_A_NUMBER"),
        ({"total_assets": True}, "NOT_A_NUMBER"),
        ({"year": "soon"}, "BAD_PERIOD"),
        ({"year": 2017}, "TWO_ROWS"),
        ({"total_assets": 1e30}, "OUT_OF_RANGE"),
    ],
)
def test_a_company_that_cannot_be_scored_gets_an_error_and_no_decision(
    house: House, changes: dict[str, Any], code: str
) -> None:
    response = post(house, statements=years(**changes))
    answer = response.json()
    assert response.status_code == 200
    assert code in answer["error"]
    assert (answer["decision"], answer["probability"], answer["reasons"]) == (None, None, [])
    assert [(row.decision, row.error) for row in kept(house)] == [(None, answer["error"])]


LINE = {"item": "revenue", "value": "1", "period_end": "2020-12-31", "months": 12}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "needs statements"),
        ({"application": {}}, "needs statements"),
        ({"report_text": "long"}, "needs statements"),
        ({"statements": []}, "/statements"),
        ({"statements": "much"}, "/statements"),
        ({"statements": [{}]}, "/statements/0"),
        ({"statements": [{"year": [1]}]}, "/statements/0/year"),
        ({"statements": [{"year": 2000}] * 21}, "/statements"),
        ({"statements": [{f"n{number}": 1 for number in range(501)}]}, "/statements/0"),
        ({"statements": [{"year": 2018, "total_assets": 1}]}, "lacks"),
        ({"statements": {}}, "/statements"),
        ({"statements": {"income": [LINE], "more": []}}, "/statements/more"),
        ({"statements": {"income": [LINE | {"item": "luck"}]}}, "/statements/income/0/item"),
        ({"statements": {"income": [LINE | {"value": 1}]}}, "/statements/income/0/value"),
        ({"statements": {"income": [LINE | {"value": "1e9"}]}}, "/statements/income/0/value"),
        ({"statements": {"income": [LINE | {"period_end": "2020-13-01"}]}}, "/statements/income/0/period_end"),
        ({"statements": {"income": [LINE]}, "application": {"industry": "x"}}, "industry"),
        ({"statements": years(), "application": {"firm": "other"}}, "firm"),
        ({"statements": years() + years("F0002")}, "names 2"),
        ({"statements": years(), "report_text": 1}, "/report_text"),
        ({"statements": years(), "report_text": "长" * 700_000}, "/report_text"),
        ({"statements": years(), "transactions": []}, "transactions"),
        ({}, "NUL"),
    ],
)
def test_what_is_no_company_is_422_and_nothing_is_kept(house: House, body: dict[str, Any], words: str) -> None:
    if words == "NUL":
        body = {"statements": [row | {"firm": "a\0b"} for row in years()]}
    response = post(house, **body)
    assert response.status_code == 422, response.text
    assert words in response.json()["detail"]
    assert kept(house) == []


def test_a_long_text_that_json_escapes_to_twice_its_size_is_read(house: House) -> None:
    text = DOUBT_ZH + "公司生产经营正常。" * 60_000
    assert len(json.dumps(text)) > Limits().json_bytes
    assert post(house, statements=years("F0002"), report_text=text).status_code == 200


def test_the_openapi_document_describes_both_forms(house: House) -> None:
    document = house.client.get("/openapi.json", headers=house.headers).json()
    content = document["paths"]["/v1/assessments"]["post"]["requestBody"]["content"]
    schema = content["application/json"]["schema"]
    years_form, lines_form, none = schema["properties"]["statements"]["anyOf"]
    assert (years_form["type"], years_form["maxItems"], none["type"]) == ("array", 20, "null")
    assert lines_form["additionalProperties"] is False
    assert set(lines_form["properties"]) == {"income", "balance", "cash_flow"}
    assert "$ref" not in json.dumps(schema)
    assert schema["additionalProperties"] is False


def test_a_batch_of_companies_comes_back_one_row_a_company(house: House) -> None:
    sent = {"file": ("statements.csv", table().to_csv(index=False).encode(), "text/csv")}
    form = {"model": "firms", "reasons_for": "all"}
    accepted = house.client.post("/v1/batches", headers=house.headers, data=form, files=sent)
    assert accepted.status_code == 202, accepted.text
    assert accepted.json()["rows_total"] == 60
    work_all(house)
    results = house.client.get(accepted.headers["Location"] + "/results", headers=house.headers)
    rows = list(csv.DictReader(io.StringIO(results.text)))
    expected = direct(house)
    assert [row["id"] for row in rows] == list(expected.index)
    assert [row["decision"] for row in rows] == list(expected["decision"])
    assert {row["period"] for row in rows} == {"2018"}


def test_a_batch_that_is_no_table_of_statements_becomes_no_batch(house: House) -> None:
    sent = {"file": ("x.csv", b"firm,year\nA,2020\n", "text/csv")}
    refused = house.client.post("/v1/batches", headers=house.headers, data={"model": "firms"}, files=sent)
    assert (refused.status_code, refused.json()["code"]) == (422, "SCHEMA_MISSING")
    inbox = house.settings.home / "inbox"
    inbox.mkdir(exist_ok=True)
    (inbox / "filing.htm").write_text("<html></html>")
    refused = house.client.post("/v1/batches", headers=house.headers, json={"model": "firms", "path": "filing.htm"})
    assert refused.status_code == 422
    assert "not reports" in refused.json()["detail"]


def work_all(house: House) -> None:
    from apps.store.database import reading
    from apps.store.tables import Chunk
    from apps.worker.working import Bench, work_on

    db = open_database(house.settings)
    with reading(db) as session:
        waiting = [chunk.id for chunk in session.query(Chunk).filter(Chunk.state == "queued")]
    for chunk in waiting:
        work_on(Bench(db=db, settings=house.settings), chunk)

"""POST /v1/assessments with a real model: the answer, what is kept, and what is refused."""

import json
from typing import Any

import pytest
from httpx import Response

from apps.store import audit
from apps.store.database import open_database
from apps.store.results import ResultFilter, page
from tests.apps.gateway.small_house import House, loans

FIELDS = {
    "id", "score", "probability", "decision", "reasons", "attribution", "model", "model_version", "error", "warnings",
    "latency_ms",
}  # fmt: skip


def application(**changes: Any) -> dict[str, Any]:
    row = json.loads(loans(1).drop(columns="default").to_json(orient="records"))[0]
    return {**row, **changes}


def post(house: House, **body: Any) -> Response:
    sent = {"model": "loans", "application": application(), **body}
    return house.client.post("/v1/assessments", headers=house.headers, json=sent)


def kept(house: House) -> list[Any]:
    return page(open_database(house.settings), ResultFilter())


def test_an_application_is_scored_with_reasons(house: House) -> None:
    answer = post(house).json()
    assert set(answer) == FIELDS
    assert answer["decision"] in ("approve", "review", "decline")
    assert 0 < answer["probability"] < 1
    assert answer["attribution"] == "exact"
    assert 0 < len(answer["reasons"]) <= 4
    assert {"code", "words", "contribution", "feature", "value", "text"} <= set(answer["reasons"][0])
    assert (answer["model"], answer["model_version"], answer["error"]) == ("loans", 1, None)


def test_worse_applications_get_fewer_points(house: House) -> None:
    safe = post(house, application=application(debt_ratio=0.02, late_payments=0)).json()
    risky = post(house, application=application(debt_ratio=0.95, late_payments=6)).json()
    assert safe["score"] > risky["score"]
    assert safe["probability"] < risky["probability"]


def test_the_decision_is_kept_with_its_audit_event_and_no_personal_value_is_in_it(house: House) -> None:
    answer = post(house, application=application(loan_id="L-77", income=123456.75)).json()
    assert answer["id"] == "L-77"
    (row,) = kept(house)
    assert (row.case_id, row.decision, row.score, row.job_id) == ("L-77", answer["decision"], answer["score"], None)
    assert row.reasons == answer["reasons"]
    event = audit.page(open_database(house.settings))[0]
    assert (event.action, event.subject, event.detail["decision"]) == ("assessment", "L-77", answer["decision"])
    assert "123456" not in json.dumps(event.detail)
    assert "123456" not in house.log.getvalue()


@pytest.mark.parametrize("name", ["statements", "report_text", "transactions"])
def test_evidence_that_cannot_be_weighed_yet_is_refused_and_null_is_not(house: House, name: str) -> None:
    refused = post(house, **{name: "much"})
    assert (refused.status_code, refused.json()["code"]) == (422, "NOT_SUPPORTED")
    assert name in refused.json()["detail"]
    assert post(house, **{name: None}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"application": {}},
        {"application": {"income": {"nested": 1}}},
        {"application": {"income": [1]}},
        {"application": None},
        {"application": {"": 1}},
        {"application": {"income": "x" * 5000}},
        {"colour": "red"},
        {"model": None},
        {"model": "../loans"},
    ],
)
def test_a_malformed_request_is_422_and_nothing_is_kept(house: House, body: dict[str, Any]) -> None:
    response = post(house, **body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert kept(house) == []


def test_missing_columns_are_all_named(house: House) -> None:
    response = post(house, application={"income": 1.0})
    assert (response.status_code, response.json()["code"]) == (422, "SCHEMA_MISSING")
    assert "debt_ratio" in response.json()["detail"]


@pytest.mark.parametrize("value", ["abc", "NaN\0", 1e308])
def test_a_case_that_cannot_be_scored_is_never_approve(house: House, value: Any) -> None:
    response = post(house, application=application(income=value))
    answer = response.json()
    assert response.status_code == 200
    assert (answer["decision"], answer["probability"], answer["score"], answer["reasons"]) == (None, None, None, [])
    assert "income" in answer["error"]
    assert [(row.decision, row.error) for row in kept(house)] == [(None, answer["error"])]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('{"model": "loans", "application": {"income": NaN}}', 422),
        ('{"model": "loans", "application": {"income": 1e999}}', 422),
        ('{"model": "loans", "application": {"income": 1, "income": 2}}', 422),
        ('{"model": "loans", "model": "loans", "application": {"income": 1}}', 422),
        ("[" * 50_000, 422),
        ("{", 400),
        ("", 400),
    ],
)
def test_json_that_is_not_strict_is_refused(house: House, text: str, status: int) -> None:
    headers = house.headers | {"Content-Type": "application/json"}
    assert house.client.post("/v1/assessments", headers=headers, content=text).status_code == status
    assert kept(house) == []


def test_a_category_that_training_never_saw_is_scored_with_a_warning(house: House) -> None:
    answer = post(house, application=application(city="Atlantis")).json()
    assert answer["error"] is None
    assert any("city" in warning for warning in answer["warnings"])


def test_a_missing_value_is_no_error(house: House) -> None:
    assert post(house, application=application(income=None)).json()["error"] is None


@pytest.mark.parametrize(("model", "status"), [("nothing", 404), ("tiles", 422), ("loans@2", 404)])
def test_a_model_that_does_not_fit_is_said_so(house: House, model: str, status: int) -> None:
    assert post(house, model=model).status_code == status

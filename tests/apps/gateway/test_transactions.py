"""Transactions of a stream over HTTP: answered once, kept before they are answered, refused with one problem."""

import io
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from apps.engines import engine_for, forget_engines
from apps.gateway import keys
from apps.gateway.app import create_app
from apps.gateway.limits import Limits
from apps.settings import Settings
from apps.store import models, streams
from apps.store.database import open_database, reading, writing
from apps.store.keys import add_key, revoke_key
from apps.store.stream_tables import StreamEvent
from apps.store.tables import AuditEvent, Result
from pipelines.finance.fraud_stream import FraudJudge
from pipelines.finance.transactions.batch import measure_table
from tests.apps.gateway.small_house import House
from tests.pipelines.finance.fraud_samples import events_of, fraud_frame, labels_of, requests_of, write_fraud_bundle


@pytest.fixture
def house(house: House, settings: Settings) -> House:
    models.register(open_database(settings), settings, write_fraud_bundle(settings.home / "draft-cards"), "cards")
    return house


def send(house: House, raw: dict[str, Any], **more: Any) -> Any:
    body = {"model": "cards", "transaction": raw} | more
    return house.client.post("/v1/transactions", json=body, headers=house.headers)


def judge_of(house: House) -> FraudJudge:
    model = models.resolve(open_database(house.settings), "cards")
    return FraudJudge(engine_for(house.settings, model))


def expected(house: House, frame: Any) -> list[float]:
    judging = judge_of(house)
    features = measure_table(events_of(frame, judging.plan), judging.plan)
    scored = [
        judging.judge(judging.read(raw), row, reasons=0) for raw, row in zip(requests_of(frame), features, strict=True)
    ]
    return [one.probability or 0.0 for one in scored]


def kept(house: House) -> int:
    with reading(open_database(house.settings)) as session:
        return session.query(StreamEvent).count()


def test_transactions_get_what_the_table_of_all_of_them_gets(house: House) -> None:
    frame = fraud_frame(60, 1, cards=3)
    found = []
    for number, (raw, label) in enumerate(zip(requests_of(frame), labels_of(frame).tolist(), strict=True), 1):
        response = send(house, raw, label=bool(label))
        assert response.status_code == 200, response.text
        answer = response.json()
        assert (answer["id"], answer["serial"], answer["model"], answer["model_version"]) == (
            raw["id"],
            number,
            "cards",
            1,
        )
        assert answer["error"] is None
        found.append(answer["probability"])
    assert found == expected(house, frame)
    assert set(response.json()["latency_ms"]) == {"queue", "model", "total"}


def test_reasons_are_given_to_what_is_not_approved_or_to_all(house: House) -> None:
    for raw in requests_of(fraud_frame(40, 2)):
        answer = send(house, raw).json()
        assert bool(answer["reasons"]) == (answer["decision"] != "approve")
    raw = requests_of(fraud_frame(1, 3))[0]
    (first, *_) = send(house, raw, reasons="all").json()["reasons"]
    assert {"code", "words", "words_zh", "contribution", "feature", "value", "text"} == set(first)


def test_the_same_transaction_again_gets_the_same_bytes_and_another_of_its_id_409(house: House) -> None:
    raw = requests_of(fraud_frame(1, 1))[0]
    first = send(house, raw)
    again = send(house, raw)
    assert first.content == again.content
    assert kept(house) == 1

    other = send(house, raw | {"amount": 1.5})
    assert (other.status_code, other.json()["code"]) == (409, "ID_TAKEN")

    read = house.client.get("/v1/transactions", params={"model": "cards", "id": raw["id"]}, headers=house.headers)
    assert read.content == first.content
    missing = house.client.get("/v1/transactions", params={"model": "cards", "id": "x"}, headers=house.headers)
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"time": None}, "NOT_A_TIME"),
        ({"card": ""}, "NO_KEY"),
        ({"amount": None}, "NOT_AN_AMOUNT"),
        ({"id": None}, "NO_ID"),
        ({"time": "2099-01-01 00:00:00"}, "IN_THE_FUTURE"),
        ({"time": "1960-01-01 00:00:00"}, "TOO_LATE"),
        ({"distance_km": "far"}, "NOT_A_NUMBER"),
    ],
)
def test_a_bad_transaction_gets_one_problem_and_is_not_kept(house: House, cells: dict[str, Any], code: str) -> None:
    good, bad = requests_of(fraud_frame(2, 1))
    assert send(house, good).status_code == 200
    response = send(house, bad | cells)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert kept(house) == 1


def test_an_absent_column_is_named(house: House) -> None:
    raw = requests_of(fraud_frame(1, 1))[0]
    response = send(house, {name: cell for name, cell in raw.items() if name != "channel"})
    assert (response.status_code, response.json()["code"]) == (422, "SCHEMA_MISSING")
    assert "channel" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"model": "cards"}, 422, "INVALID_REQUEST"),
        ({"model": "cards", "transaction": {}}, 422, "INVALID_REQUEST"),
        ({"model": "cards", "transaction": {"a": [1]}}, 422, "INVALID_REQUEST"),
        ({"model": "cards", "transaction": {"a": 1}, "more": 1}, 422, "INVALID_REQUEST"),
        ({"model": "cards", "transaction": {"a": 1}, "label": "maybe"}, 422, "INVALID_REQUEST"),
        ({"model": "loans", "transaction": {"a": 1}}, 422, "WRONG_KIND"),
        ({"model": "nobody", "transaction": {"a": 1}}, 404, "NOT_FOUND"),
    ],
)
def test_a_request_out_of_form_is_refused(house: House, body: dict[str, Any], status: int, code: str) -> None:
    response = house.client.post("/v1/transactions", json=body, headers=house.headers)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_labels_that_become_known_count_for_later_transactions(house: House) -> None:
    frame = fraud_frame(80, 4, cards=2)
    for raw in requests_of(frame)[:60]:
        send(house, raw)
    labels = [
        {"id": event_id, "fraud": bool(label)} for event_id, label in zip(frame["id"], frame["fraud"], strict=True)
    ]
    response = house.client.post(
        "/v1/transactions/labels", json={"model": "cards", "labels": labels[:61]}, headers=house.headers
    )
    assert response.json() == {"changed": 60, "unknown": [frame["id"][60]]}
    found = [
        send(house, raw, label=bool(label)).json()["probability"]
        for raw, label in zip(requests_of(frame)[60:], frame["fraud"][60:], strict=True)
    ]
    assert found == expected(house, frame)[60:]


def test_no_key_no_answer_and_a_revoked_one_is_forgotten_soon(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "KEPT_S", 0.2)
    raw = requests_of(fraud_frame(1, 1))[0]
    body = {"model": "cards", "transaction": raw}
    assert house.client.post("/v1/transactions", json=body).status_code == 401
    assert send(house, raw).status_code == 200
    revoke_key(open_database(house.settings), house.key)
    time.sleep(0.25)
    assert send(house, raw).status_code == 401


def test_a_key_that_is_remembered_still_expires(house: House) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.6)
    _, secret = add_key(open_database(house.settings), "guest", expires_at=soon)
    body = {"model": "cards", "transaction": requests_of(fraud_frame(1, 1))[0]}
    first = house.client.post("/v1/transactions", json=body, headers={"X-API-Key": secret})
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()) + 0.01)
    second = house.client.post("/v1/transactions", json=body, headers={"X-API-Key": secret})
    assert (first.status_code, second.status_code) == (200, 401)


def test_a_locked_database_is_503_and_nothing_is_approved(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "WAIT_S", 0.2)
    first, second = requests_of(fraud_frame(2, 1))
    send(house, first)  # from here on the stream waits so long
    with writing(open_database(house.settings)) as session:
        session.connection()  # takes the lock
        response = send(house, second)
    assert (response.status_code, response.json()["code"]) == (503, "DATABASE")
    assert "decision" not in response.json()
    assert kept(house) == 1
    assert send(house, second).json()["serial"] == 2


def test_a_model_whose_files_are_damaged_is_503(house: House) -> None:
    (house.settings.home / "models" / "cards" / "1" / "trees.txt").write_text("broken")
    response = send(house, requests_of(fraud_frame(1, 1))[0])
    assert (response.status_code, response.json()["code"]) == (503, "MODEL_UNUSABLE")


class TestFull:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(judging=1, stream_waiting=0)

    def test_more_than_can_wait_is_429(self, house: House) -> None:
        house.client.app.state.gateway.streamers.inside = 1
        response = send(house, requests_of(fraud_frame(1, 1))[0])
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")


def test_a_transaction_with_its_past_in_the_request_gets_the_same_and_nothing_is_kept(house: House) -> None:
    frame = fraud_frame(50, 5, cards=1)
    past = frame[:49].sample(frac=1, random_state=0).to_dict("records")
    body = {"model": "cards", "application": requests_of(frame)[49], "transactions": past}
    response = house.client.post("/v1/assessments", json=body, headers=house.headers)
    assert response.status_code == 200, response.text
    assert response.json()["probability"] == expected(house, frame.sort_values("time").reset_index(drop=True))[49]
    assert response.json()["reasons"]
    assert kept(house) == 0
    with reading(open_database(house.settings)) as session:
        assert session.query(Result).one().case_id == frame["id"][49]
        assert session.query(AuditEvent).filter_by(action="assessment").count() == 1


@pytest.mark.parametrize(
    ("transactions", "code"),
    [
        ([{"time": "soon"}], "SCHEMA_MISSING"),
        ([{"time": "soon", "card": 1, "shop": 2, "amount": 3}], "NOT_A_TIME"),
        ([{"time": "2024-01-01 00:00:00", "card": 1, "shop": 2, "amount": 3, "fraud": "yes"}], "BAD_LABEL"),
        ("none", "INVALID_REQUEST"),
        ([{"card": [1]}], "INVALID_REQUEST"),
    ],
)
def test_a_past_that_cannot_be_read_is_refused_with_its_place(house: House, transactions: Any, code: str) -> None:
    body = {"model": "cards", "application": requests_of(fraud_frame(1, 1))[0], "transactions": transactions}
    response = house.client.post("/v1/assessments", json=body, headers=house.headers)
    assert (response.status_code, response.json()["code"]) == (422, code)
    if code not in ("INVALID_REQUEST",):
        assert "transactions[0]" in response.json()["detail"]


def test_transactions_are_refused_by_models_that_would_ignore_them(house: House) -> None:
    body = {"model": "loans", "application": {"income": 1}, "transactions": [{"a": 1}]}
    response = house.client.post("/v1/assessments", json=body, headers=house.headers)
    assert (response.status_code, response.json()["code"]) == (422, "NOT_SUPPORTED")


def test_the_description_tells_of_the_calls(house: House) -> None:
    document = house.client.get("/openapi.json", headers=house.headers).json()
    post = document["paths"]["/v1/transactions"]["post"]
    assert set(post["responses"]) >= {"200", "401", "409", "422", "429", "503"}
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"model", "transaction", "label", "reasons"}
    assert "serial" in json.dumps(document["components"]["schemas"]["TransactionAnswer"])
    assert np.all(["/v1/transactions/labels" in document["paths"], "get" in document["paths"]["/v1/transactions"]])


def test_logs_hold_nothing_of_a_transaction(house: House) -> None:
    raw = requests_of(fraud_frame(1, 1))[0] | {"card": "4711471147114711"}
    assert send(house, raw).status_code == 200
    assert "4711471147114711" not in house.log.getvalue()


def test_a_gateway_starts_warm_and_also_when_a_stream_cannot_be_warmed(house: House) -> None:
    for raw in requests_of(fraud_frame(30, 6, cards=3)):
        send(house, raw)
    told = io.StringIO()
    with TestClient(create_app(house.settings, Limits(), told)):
        pass
    assert '"event": "stream is warm"' in told.getvalue()

    (house.settings.home / "models" / "cards" / "1" / "trees.txt").write_text("broken")
    forget_engines()
    told = io.StringIO()
    with TestClient(create_app(house.settings, Limits(), told)) as client:
        assert client.get("/healthz").status_code == 200
    assert '"code": "BAD_BUNDLE"' in told.getvalue()

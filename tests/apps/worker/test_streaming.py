"""Transactions that come by the broker are judged as those that come by HTTP; their answers stand in the database."""

import json
from pathlib import Path
from typing import Any

import pytest

from apps.engines import engine_for
from apps.settings import Settings
from apps.store import models
from apps.store.audit import page
from apps.store.database import open_database, reading
from apps.store.stream_tables import StreamEvent
from apps.worker.app import STREAM_TASK, create_celery
from apps.worker.streaming import judge_transaction
from pipelines.finance.fraud_stream import FraudJudge
from pipelines.finance.transactions.batch import measure_table
from tests.faults.bench import wait_for, worker
from tests.faults.test_brokers import clear_redis
from tests.pipelines.finance.fraud_samples import events_of, fraud_frame, labels_of, requests_of, write_fraud_bundle
from tests.services import home_settings


def register(settings: Settings, folder: Path) -> FraudJudge:
    model = models.register(open_database(settings), settings, write_fraud_bundle(folder / "bundle"), "cards")
    return FraudJudge(engine_for(settings, model))


def kept(settings: Settings) -> list[StreamEvent]:
    with reading(open_database(settings)) as session:
        return session.query(StreamEvent).order_by(StreamEvent.serial).all()


def test_a_transaction_is_judged_once_however_often_it_is_delivered(tmp_path: Path) -> None:
    settings = home_settings(tmp_path / "home")
    judging, frame = register(settings, tmp_path), fraud_frame(30, 1, cards=2)
    for raw, label in zip(requests_of(frame), labels_of(frame).tolist(), strict=True):
        for _ in range(2):
            judge_transaction(open_database(settings), settings, "cards", raw, bool(label))

    features = measure_table(events_of(frame, judging.plan), judging.plan)
    asked = zip(requests_of(frame), features, strict=True)
    expected = [judging.judge(judging.read(raw), row, reasons=0).probability for raw, row in asked]
    found = kept(settings)
    assert [event.probability for event in found] == expected
    assert [json.loads(event.answer)["id"] for event in found] == frame["id"].tolist()
    assert {event.actor for event in found} == {"broker"}


@pytest.mark.parametrize(
    ("model", "cells", "code"),
    [
        ("cards", {"amount": "much"}, "NOT_AN_AMOUNT"),
        ("cards", {"time": "2099-01-01 00:00:00"}, "IN_THE_FUTURE"),
        ("nobody", {}, "NOT_FOUND"),
    ],
)
def test_one_that_cannot_be_judged_is_not_kept_and_its_cause_is(
    tmp_path: Path, model: str, cells: dict[str, Any], code: str
) -> None:
    settings = home_settings(tmp_path / "home")
    register(settings, tmp_path)
    raw = requests_of(fraud_frame(1, 1))[0] | cells

    judge_transaction(open_database(settings), settings, model, raw, None)

    assert kept(settings) == []
    event = page(open_database(settings))[0]
    assert (event.action, event.detail["code"]) == ("stream.refused", code)
    assert event.subject == ("" if model == "nobody" else raw["id"])


def require_stream(settings: Settings, tmp_path: Path) -> None:
    judging, frame = register(settings, tmp_path), fraud_frame(20, 2, cards=20)
    app = create_celery(settings)
    for raw in requests_of(frame):
        for _ in range(2):  # delivered twice
            app.send_task(STREAM_TASK, args=["cards", raw])
    app.send_task(STREAM_TASK, args=["cards", {"id": "bad"}])
    with worker(settings, "doubled"):
        wait_for(lambda: len(kept(settings)) == 20, settings)
        wait_for(lambda: page(open_database(settings))[0].action == "stream.refused", settings)
    found = kept(settings)
    assert sorted(event.event_id for event in found) == frame["id"].tolist()
    assert [event.serial for event in found] == list(range(1, 21))
    order = {event.event_id: event.serial for event in found}
    came = frame.assign(came=frame["id"].map(order), fraud=-1).sort_values("came").reset_index(drop=True)
    features = measure_table(events_of(came, judging.plan), judging.plan)
    raws = requests_of(came.drop(columns="came"))
    expected = [
        judging.judge(judging.read(raw), row, reasons=0).probability for raw, row in zip(raws, features, strict=True)
    ]
    assert [event.probability for event in found] == expected  # two processes, one order


def test_transactions_come_by_the_embedded_broker(tmp_path: Path) -> None:
    require_stream(home_settings(tmp_path / "home"), tmp_path)


def test_transactions_come_by_redis(tmp_path: Path, redis_url: str) -> None:
    settings = home_settings(tmp_path / "home", broker_url=redis_url)
    try:
        require_stream(settings, tmp_path)
    finally:
        clear_redis(settings, redis_url)

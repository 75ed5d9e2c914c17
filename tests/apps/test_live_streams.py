"""Streams over one journal: several processes agree, restarts change nothing, nothing is answered that is not kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy

from apps import live_streams
from apps.engines import engine_for
from apps.live_streams import Answered, Asked, LiveStream, live_stream
from apps.settings import Settings
from apps.store import models, streams
from apps.store.database import DatabaseError, open_database
from apps.store.stream_history import Past, put_history
from core.errors import GateError, InputError
from pipelines.finance.fraud_stream import FraudJudge
from pipelines.finance.score import Score
from pipelines.finance.transactions.batch import measure_table
from pipelines.finance.transactions.quantities import DAY_MS
from tests.pipelines.finance.fraud_samples import (
    events_of,
    fraud_frame,
    fraud_plan,
    labels_of,
    requests_of,
    write_fraud_bundle,
)
from tests.pipelines.finance.transactions.streams import event_of
from tests.services import home_settings, own_postgres

CLOCK_MS = 2_000_000_000_000


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    if request.param == "sqlite":
        yield home_settings(tmp_path / "home")
    else:
        with own_postgres(request.getfixturevalue("postgres_url")) as url:
            yield home_settings(tmp_path / "home", database_url=url)


@pytest.fixture
def db(settings: Settings) -> sqlalchemy.Engine:
    return open_database(settings)


@pytest.fixture
def made(settings: Settings, db: sqlalchemy.Engine, tmp_path: Path) -> Any:
    """Make one more memory over the same journal, as another process would."""
    model = models.register(db, settings, write_fraud_bundle(tmp_path / "bundle"), "cards")
    return lambda: LiveStream(db, model, engine_for(settings, model))


def written(scored: Score, serial: int) -> dict[str, Any]:
    return {"id": scored.case_id, "serial": serial, "probability": scored.probability}


def judge(live: LiveStream, raw: dict[str, Any], *, label: int = -1, clock_ms: int = CLOCK_MS) -> Answered:
    return live.judge(Asked(transaction=raw, label=label, actor="test", clock_ms=clock_ms, reasons=0), written)


def probability(answered: Answered) -> float:
    return float(json.loads(answered.text)["probability"])


def expected(frame: pd.DataFrame, live: LiveStream) -> list[float]:
    """What the table of all of them says."""
    judging: FraudJudge = live.judging
    features = measure_table(events_of(frame, judging.plan), judging.plan)
    arrivals = [judging.read(raw) for raw in requests_of(frame)]
    scores = [judging.judge(arrival, row, reasons=0) for arrival, row in zip(arrivals, features, strict=True)]
    return [score.probability or 0.0 for score in scores]


def test_a_stream_that_is_started_anew_again_and_again_gives_what_the_table_gives(made: Any) -> None:
    frame = fraud_frame(120, 2, late=0.1, cards=3)
    live = made()
    found = []
    for number, (raw, label) in enumerate(zip(requests_of(frame), labels_of(frame).tolist(), strict=True)):
        if number % 7 == 0:
            live = made()
        found.append(probability(judge(live, raw, label=label)))
    assert found == expected(frame, live)


def test_memories_that_take_turns_agree_with_the_table(made: Any) -> None:
    frame = fraud_frame(120, 3, late=0.1, cards=3)
    several = [made() for _ in range(3)]
    turns = np.random.default_rng(0).integers(0, 3, len(frame)).tolist()
    requests, labels = requests_of(frame), labels_of(frame).tolist()
    found = [
        probability(judge(several[turn], raw, label=label))
        for turn, raw, label in zip(turns, requests, labels, strict=True)
    ]
    assert found == expected(frame, several[0])


def test_labels_that_one_notes_are_seen_by_the_others(made: Any) -> None:
    first, second = made(), made()
    frame = fraud_frame(100, 4, cards=2)
    requests = requests_of(frame)
    ids = dict(zip(frame["id"], labels_of(frame).tolist(), strict=True))
    for raw in requests[:50]:
        judge(first, raw)
        judge(second, raw)  # the same answer again; its memory follows
    assert first.note(ids).unknown == tuple(frame["id"][50:])
    found = [probability(judge(second, raw, label=ids[raw["id"]])) for raw in requests[50:]]
    assert found == expected(frame, first)[50:]


def test_who_is_far_behind_starts_from_nothing_and_agrees_all_the_same(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_streams, "FARTHEST", 5)
    frame = fraud_frame(60, 5, cards=2)
    first, second = made(), made()
    requests, labels = requests_of(frame), labels_of(frame).tolist()
    for raw, label in zip(requests[:40], labels, strict=False):
        judge(first if requests.index(raw) > 9 else second, raw, label=label)
    assert second.stream.keys > 0
    found = probability(judge(second, requests[40], label=labels[40]))
    assert found == expected(frame, first)[40]


def test_history_that_is_put_in_while_a_stream_runs_is_seen(made: Any) -> None:
    live = made()
    whole = pd.concat([fraud_frame(1, 9, cards=2, days=1), fraud_frame(80, 6, cards=2, days=20)], ignore_index=True)
    events, requests, labels = events_of(whole, live.judging.plan), requests_of(whole), labels_of(whole).tolist()
    judge(live, requests[0], label=labels[0])
    past = [Past(event_id=requests[n]["id"], event=event_of(events, n, labels[n])) for n in range(1, 71)]
    put_history(live.journal, past)

    found = [probability(judge(live, raw, label=label)) for raw, label in zip(requests[71:], labels[71:], strict=True)]

    assert found == expected(whole, live)[71:]
    with pytest.raises(InputError, match="put in as history"):
        judge(live, requests[5])


def test_the_same_transaction_again_gets_the_first_answer_and_another_of_its_id_none(made: Any) -> None:
    live, other = made(), made()
    raw = requests_of(fraud_frame(1, 1))[0]

    first = judge(live, raw)
    again = judge(other, dict(reversed(raw.items())))

    assert (again.text, again.serial, again.again) == (first.text, 1, True)
    with pytest.raises(GateError, match="each needs one of its own") as caught:
        judge(other, raw | {"amount": 1})
    assert caught.value.code == "ID_TAKEN"
    assert live.journal.state().last_serial == 1


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"time": "soon"}, "NOT_A_TIME"),
        ({"card": None}, "NO_KEY"),
        ({"amount": "x"}, "NOT_AN_AMOUNT"),
        ({"id": ""}, "NO_ID"),
        ({"time": "2033-05-20 03:33:21"}, "IN_THE_FUTURE"),
        ({"time": "1969-11-01 00:00:00"}, "TOO_LATE"),
        ({"distance_km": "far"}, "NOT_A_NUMBER"),
    ],
)
def test_a_bad_transaction_has_one_code_and_is_not_kept(made: Any, cells: dict[str, Any], code: str) -> None:
    live = made()
    good = requests_of(fraud_frame(2, 1, days=1))
    judge(live, good[0])
    with pytest.raises(InputError) as caught:
        judge(live, good[1] | cells)
    assert caught.value.code == code
    assert live.journal.state().last_serial == 1
    assert probability(judge(live, good[1])) == expected(fraud_frame(2, 1, days=1), live)[1]


def test_what_cannot_be_kept_is_not_answered_and_leaves_no_trace_in_memory(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "WAIT_S", 0.2)
    live, other, frame = made(), made(), fraud_frame(40, 7, cards=1)
    requests = requests_of(frame)
    for raw in requests[:20]:
        judge(live, raw)
    with other.journal.appending(), pytest.raises(DatabaseError):
        judge(live, requests[20])
    found = [probability(judge(live, raw)) for raw in requests[20:]]
    unlabelled = expected(frame.assign(fraud=-1), live)
    assert found == unlabelled[20:]


def test_a_failure_while_it_is_written_keeps_nothing(made: Any) -> None:
    live, raw = made(), requests_of(fraud_frame(1, 1))[0]

    def broken(scored: Score, serial: int) -> dict[str, Any]:
        return {"probability": float("nan")}

    with pytest.raises(ValueError, match="JSON"):
        live.judge(Asked(transaction=raw, actor="test", clock_ms=CLOCK_MS, reasons=0), broken)
    assert live.journal.find(raw["id"]) is None
    assert judge(live, raw).serial == 1


def test_versions_have_one_memory_each_in_a_process_and_share_the_journal(
    settings: Settings, db: sqlalchemy.Engine, tmp_path: Path
) -> None:
    first = models.register(db, settings, write_fraud_bundle(tmp_path / "a"), "cards")
    live = live_stream(db, first, engine_for(settings, first))
    judge(live, requests_of(fraud_frame(2, 1))[0])
    assert live_stream(db, first, engine_for(settings, first)) is live

    wider = fraud_plan(most_events=64)
    second = models.register(db, settings, write_fraud_bundle(tmp_path / "b", plan=wider), "cards")
    renewed = live_stream(db, second, engine_for(settings, second))

    assert renewed is not live
    assert renewed.judging.plan.most_events == 64
    assert judge(renewed, requests_of(fraud_frame(2, 1))[1]).serial == 2


def test_memory_is_bounded_and_what_was_dropped_is_recalled(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_streams, "MOST_KEYS", 4)
    live, frame = made(), fraud_frame(100, 8, cards=30)
    labels = labels_of(frame).tolist()
    found = [probability(judge(live, raw, label=label)) for raw, label in zip(requests_of(frame), labels, strict=True)]
    assert live.stream.keys == 4
    assert found == expected(frame, live)


def test_times_are_held_against_the_clock_that_is_given(made: Any) -> None:
    live, raw = made(), requests_of(fraud_frame(1, 1))[0] | {"time": "2024-05-01 00:00:00"}
    at_ms = int(pd.Timestamp("2024-05-01").timestamp() * 1_000)
    with pytest.raises(InputError, match="future"):
        judge(live, raw, clock_ms=at_ms - DAY_MS - 1)
    assert judge(live, raw, clock_ms=at_ms - DAY_MS).serial == 1


def test_a_warm_stream_recalls_nothing_and_gives_the_same(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = fraud_frame(150, 9, late=0.1, cards=4)
    requests, labels = requests_of(frame), labels_of(frame).tolist()
    first = made()
    for raw, label in zip(requests[:120], labels, strict=False):
        judge(first, raw, label=label)
    warm = made()
    assert warm.warm() == 4 + frame["shop"][:120].nunique()
    monkeypatch.setattr(warm.journal, "recall", None)
    found = [
        probability(judge(warm, raw, label=label)) for raw, label in zip(requests[120:], labels[120:], strict=True)
    ]
    assert found == expected(frame, first)[120:]


def test_refunds_with_one_shop_are_found_in_the_history_of_the_card(made: Any) -> None:
    frame = fraud_frame(60, 10, cards=1)
    frame["amount"] = np.where(np.arange(60) % 3 == 0, -frame["amount"].abs(), frame["amount"])
    requests, labels = requests_of(frame), labels_of(frame).tolist()
    for raw, label in zip(requests[:50], labels, strict=False):
        judge(made(), raw, label=label)
    found = [
        probability(judge(made(), raw, label=label)) for raw, label in zip(requests[50:], labels[50:], strict=True)
    ]
    assert found == expected(frame, made())[50:]


def test_a_database_whose_connections_are_cut_is_asked_again(made: Any, db: sqlalchemy.Engine) -> None:
    if db.dialect.name != "postgresql":
        pytest.skip("a file has no connections to cut")
    live, frame = made(), fraud_frame(20, 12, cards=1)
    requests, labels = requests_of(frame), labels_of(frame).tolist()
    server = sqlalchemy.create_engine(db.url, poolclass=sqlalchemy.NullPool)
    cut = sqlalchemy.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND query LIKE '%stream_events%'"
    )
    found = []
    for number, (raw, label) in enumerate(zip(requests, labels, strict=True)):
        if number % 5 == 4:
            with server.connect() as connection:
                connection.execute(cut)
        found.append(probability(judge(live, raw, label=label)))
    assert found == expected(frame, live)

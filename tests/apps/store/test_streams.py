"""The journal of a stream: what is kept, found again, labelled, and forgotten."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy
from sqlalchemy import func, select

from apps.settings import Settings
from apps.store import streams
from apps.store.database import DatabaseError, open_database, reading
from apps.store.stream_history import Past, prune_all, put_history
from apps.store.stream_labels import note_labels
from apps.store.stream_tables import StreamEvent, StreamKey, StreamNote
from apps.store.streams import Journal, Judged
from core.errors import InputError
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.quantities import DAY_MS
from pipelines.finance.transactions.stream import Event
from tests.pipelines.finance.fraud_samples import events_of, fraud_frame, fraud_plan
from tests.pipelines.finance.transactions.streams import event_of

JUDGED = Judged(
    request_sha256="0" * 64, model_version=1, probability=0.25, decision="review", answer='{"a": "ü"}', actor="key:x"
)


@pytest.fixture
def journal(db: sqlalchemy.Engine) -> Journal:
    return Journal.open(db, "cards", fraud_plan())


def made(days: float, card: int = 1, shop: int = 2, *, label: int = -1, steps: int = 100) -> Event:
    key = {"card": card, "shop": shop}
    return Event(time_ms=int(days * DAY_MS), key=key, steps=steps, serial=0, label=label)


def put(journal: Journal, event_id: str, event: Event) -> int:
    with journal.appending() as entry:
        return entry.put(event_id, event, 7, JUDGED)


def past_of(events: Events) -> Iterator[Past]:
    for number in range(len(events)):
        yield Past(event_id=f"P{number}", event=event_of(events, number, int(events.label[number])))


def count(db: sqlalchemy.Engine, kind: type) -> int:
    with reading(db) as session:
        return session.scalar(select(func.count()).select_from(kind)) or 0


def test_entries_are_numbered_in_their_order_and_found_by_id(journal: Journal) -> None:
    assert [put(journal, event_id, made(day)) for event_id, day in (("a", 1), ("b", 3), ("c", 2))] == [1, 2, 3]

    assert journal.find("b").answer == '{"a": "ü"}'
    assert journal.find("b").serial == 2
    assert journal.find("z") is None
    state = journal.state()
    assert (state.last_serial, state.last_note, state.newest_ms) == (3, 0, 3 * DAY_MS)


def test_a_key_is_recalled_by_every_scope_up_to_a_serial_as_it_came(journal: Journal) -> None:
    card, shop, pair = journal.plan.scopes
    for day, (card_key, shop_key) in enumerate([(1, 2), (1, 3), (4, 2), (1, 2)]):
        put(journal, str(day), made(10 - day, card_key, shop_key, label=day % 2, steps=day))

    found = journal.recall(card, (1,), until=4)
    assert found.row.tolist() == [1, 2, 4]
    assert found.time_ms.tolist() == [10 * DAY_MS, 9 * DAY_MS, 7 * DAY_MS]
    assert (found.steps.tolist(), found.label.tolist()) == ([0, 1, 3], [0, 1, 1])
    assert found.key["shop"].tolist() == [2, 3, 2]
    assert journal.recall(shop, (2,), until=3).key["card"].tolist() == [1, 4]
    assert journal.recall(pair, (1, 2), until=4).row.tolist() == [1, 4]
    assert len(journal.recall(card, (9,), until=4)) == 0


def test_hashes_over_the_whole_range_are_kept(journal: Journal) -> None:
    lowest, highest = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    put(journal, "a", made(1, int(lowest), int(highest)))
    with journal.appending() as entry:
        (event,) = entry.events_since(0)
    assert event.key == {"card": lowest, "shop": highest}
    assert len(journal.recall(journal.plan.scopes[2], (int(lowest), int(highest)), until=1)) == 1


def test_of_a_busy_key_the_newest_by_time_are_recalled(db: sqlalchemy.Engine) -> None:
    journal = Journal.open(db, "busy", fraud_plan(most_events=32))
    events = events_of(fraud_frame(200, 3, cards=1, late=0.3), journal.plan)
    assert put_history(journal, list(past_of(events))) == 200

    found = journal.recall(journal.plan.scopes[0], (int(events.key["card"][0]),), until=200)

    newest = np.sort(np.lexsort((np.arange(200), events.time_ms))[-32:])
    assert (found.row - 1).tolist() == newest.tolist()
    np.testing.assert_array_equal(found.time_ms, events.time_ms[newest])


def test_what_raises_keeps_nothing_and_uses_up_no_number(journal: Journal) -> None:
    def fail() -> None:
        with journal.appending() as entry:
            entry.put("a", made(1), 7, JUDGED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert journal.find("a") is None
    assert put(journal, "b", made(1)) == 1


def test_history_that_is_put_in_twice_is_there_once(journal: Journal) -> None:
    put(journal, "P3", made(1))
    past = list(past_of(events_of(fraud_frame(30, 1), journal.plan)))

    assert put_history(journal, [*past, past[0]]) == 29
    assert put_history(journal, past) == 0

    assert journal.state().last_serial == 30
    assert journal.find("P0").answer is None
    assert journal.find("P3").serial == 1


def test_labels_are_noted_in_the_order_in_which_they_become_known(journal: Journal) -> None:
    for event_id in "abc":
        put(journal, event_id, made(1))

    first = note_labels(journal, {"a": 1, "b": 0, "nobody": 1})
    again = note_labels(journal, {"a": 1, "b": 1})

    assert (first.changed, first.unknown) == (2, ("nobody",))
    assert (again.changed, again.unknown) == (1, ())
    with journal.appending() as entry:
        assert [(event.serial, event.label) for event in entry.notes_since(0)] == [(1, 1), (2, 0), (2, 1)]
        assert [(event.serial, event.label) for event in entry.notes_since(2)] == [(2, 1)]
    for scope, key in zip(journal.plan.scopes, ((1,), (2,), (1, 2)), strict=True):
        assert journal.recall(scope, key, until=3).label.tolist() == [1, 1, -1]


def test_a_stream_keeps_no_more_than_can_be_looked_back_to(
    journal: Journal, db: sqlalchemy.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MOST_NOTES", 20)
    sizes = []
    for number in range(240):
        put(journal, str(number), made(number))  # one a day, over years
        note_labels(journal, {str(number): 1})
        sizes.append((count(db, StreamEvent), count(db, StreamNote)) if number % 40 == 39 else (0, 0))
    keeps_days = journal.plan.keeps_ms // DAY_MS
    assert max(sizes)[0] <= keeps_days + 2 * streams.PRUNE_EVERY
    assert max(notes for _, notes in sizes) == 20
    assert count(db, StreamKey) == 3 * count(db, StreamEvent)
    assert journal.find("239") is not None


def test_old_history_is_removed_in_short_steps(journal: Journal, db: sqlalchemy.Engine) -> None:
    past = [Past(event_id=str(number), event=made(number)) for number in range(500)]
    put_history(journal, past)
    keeps_days = journal.plan.keeps_ms // DAY_MS

    assert prune_all(journal, at_once=100) == 499 - keeps_days

    assert count(db, StreamEvent) == keeps_days + 1
    assert count(db, StreamKey) == 3 * (keeps_days + 1)


def test_a_stream_outlives_versions_but_not_other_columns(db: sqlalchemy.Engine) -> None:
    first = Journal.open(db, "cards", fraud_plan())
    features = "scope,measure,windows\npair,count,7d\n"
    again = Journal.open(db, "cards", fraud_plan(declared=features, most_events=64))
    assert again.stream_id == first.stream_id
    put(again, "a", made(1))
    assert len(again.recall(again.plan.scopes[0], (1, 2), until=1)) == 1

    for other in (fraud_plan(entity="customer"), fraud_plan(counterparts=()), fraud_plan(unit=1.0)):
        with pytest.raises(InputError, match="name of its own") as caught:
            Journal.open(db, "cards", other)
        assert caught.value.code == "OTHER_STREAM"


def test_many_threads_of_two_processes_worth_of_engines_give_each_entry_its_number(settings: Settings) -> None:
    db = open_database(settings)
    journals = [Journal.open(db, "cards", fraud_plan()) for _ in range(4)]
    found: list[int] = []

    def work(place: int) -> None:
        for number in range(15):
            found.append(put(journals[place], f"{place}-{number}", made(number)))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(1, 61))


def test_who_cannot_have_the_lock_is_told_so_soon(
    journal: Journal, db: sqlalchemy.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "WAIT_S", 0.2)
    hasty = Journal.open(db, "cards", fraud_plan())
    with journal.appending(), pytest.raises(DatabaseError) as caught, hasty.appending():
        pass
    assert caught.value.transient
    assert put(journal, "a", made(1)) == 1


def plan_without_a_card() -> TransactionPlan:
    return fraud_plan(entity=None, counterparts=("shop", "device"))


def test_a_stream_without_a_card_is_found_by_its_counterparts(db: sqlalchemy.Engine) -> None:
    journal = Journal.open(db, "devices", plan_without_a_card())
    event = replace(made(1), key={"shop": 5, "device": 6})
    put(journal, "a", event)
    assert [
        len(journal.recall(scope, (key,), until=1)) for scope, key in zip(journal.plan.scopes, (5, 6), strict=True)
    ] == [1, 1]

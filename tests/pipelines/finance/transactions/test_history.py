"""What a stream remembers: bounded, and brought back after a restart."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.finance.transactions.batch import measure_table
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.history import KeyHistory
from pipelines.finance.transactions.quantities import DAY_MS, own_quantities
from pipelines.finance.transactions.stream import Stream
from tests.pipelines.finance.transactions.streams import event_of, make_plan, make_reading

ROWS = 1_000_000


class Journal:
    """Keeps transactions as a database would, and gives those of a key back."""

    def __init__(self, events: Events) -> None:
        self.events, self.stored = events, 0

    def recall(self, scope, keys) -> Events:
        mine = np.ones(self.stored, dtype=bool)
        for column, key in zip(scope.columns, keys, strict=True):
            mine &= self.events.key[column][: self.stored] == key
        return self.events.take(np.flatnonzero(mine))


@pytest.mark.parametrize("late", [0.0, 0.2])
def test_a_stream_that_starts_again_at_any_moment_goes_on_with_the_same_numbers(late: float) -> None:
    plan = make_plan(most_events=32, delay_ms=0)
    events = make_reading(np.random.default_rng(1), 500, plan, late=late).events
    events = replace(events, label=np.full(len(events), -1, dtype=np.int8))
    journal, table = Journal(events), measure_table(events, plan)

    for number in range(len(events)):
        if number % 90 == 0:
            stream = Stream(plan, journal.recall)
        event = event_of(events, number)
        np.testing.assert_array_equal(stream.measure(event), table[number])
        stream.add(event)
        journal.stored = number + 1


def test_histories_that_do_not_fit_into_memory_are_recalled() -> None:
    plan = make_plan(delay_ms=0)
    events = make_reading(np.random.default_rng(2), 300, plan, cards=6, shops=6).events
    events = replace(events, label=np.full(len(events), -1, dtype=np.int8))
    journal, table = Journal(events), measure_table(events, plan)
    stream = Stream(plan, journal.recall, most_keys=4)

    for number in range(len(events)):
        event = event_of(events, number)
        np.testing.assert_array_equal(stream.measure(event), table[number])
        stream.add(event)
        journal.stored = number + 1
        assert stream.keys <= 4


@pytest.mark.slow
def test_a_million_transactions_of_one_card_take_bounded_room_and_equal_the_table() -> None:
    plan = make_plan(entity="card", counterparts=(), arrived=None)
    rng = np.random.default_rng(3)
    events = Events(
        row=np.arange(ROWS),
        time_ms=np.sort(rng.integers(0, 40 * DAY_MS, ROWS)),
        key={"card": np.zeros(ROWS, dtype=np.int64)},
        steps=rng.integers(1, 100_000, ROWS),
        label=np.full(ROWS, -1, dtype=np.int8),
    )
    looking = np.zeros(ROWS, dtype=bool)
    looking[::5_000] = True
    table = measure_table(events, plan, looking)
    own = own_quantities(events.time_ms, events.steps, plan.unit, events.label)
    history, scope, live = KeyHistory(plan.most_events), plan.scopes[0], []

    times, steps = events.time_ms.tolist(), events.steps.tolist()
    for number in range(ROWS):
        if looking[number]:
            view = history.view(scope, plan, own[:, number], times[number], steps[number])
            live.append(scope.measure(view, plan.unit)[:, 0])
        history.add(times[number], own[:, number], 0, number)

    np.testing.assert_array_equal(np.stack(live), table[:, 7:])
    assert len(history) == plan.most_events
    assert len(history.time) <= 4 * plan.most_events


def test_a_label_of_a_transaction_that_is_not_kept_changes_nothing() -> None:
    history = KeyHistory(32)

    assert history.label(5, 1) is False

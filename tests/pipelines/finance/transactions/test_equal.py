"""Tables, streams and a plain loop give the same features."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.finance.transactions.batch import measure_table
from pipelines.finance.transactions.declaration import with_sequences
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.quantities import DAY_MS
from pipelines.finance.transactions.stream import Stream
from tests.pipelines.finance.transactions.plain_features import plain_features
from tests.pipelines.finance.transactions.streams import make_plan, make_reading, run_stream


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 90),
    late=st.sampled_from([0.0, 0.1, 0.9]),
    delay_days=st.sampled_from([0, 7, 20]),
    days=st.sampled_from([0.01, 3, 60, 300]),
    cards=st.integers(1, 4),
)
def test_a_stream_and_a_table_give_the_same_bits_on_any_stream(seed, rows, late, delay_days, days, cards) -> None:
    plan = make_plan(delay_ms=delay_days * DAY_MS, most_events=32, declared=with_sequences())
    events = make_reading(np.random.default_rng(seed), rows, plan, late=late, days=days, cards=cards).events

    table = measure_table(events, plan)

    live = np.stack([*run_stream(events, plan, Stream(plan))])
    np.testing.assert_array_equal(live, table)


@pytest.mark.parametrize("late", [0.0, 0.3])
@pytest.mark.parametrize("delay_days", [0, 7])
def test_features_are_what_their_words_say(late: float, delay_days: int) -> None:
    plan = make_plan(delay_ms=delay_days * DAY_MS, most_events=40, declared=with_sequences())
    events = make_reading(np.random.default_rng(5), 240, plan, late=late, cards=3, days=80).events

    made = measure_table(events, plan)[:, 7:]

    plain = plain_features(events, plan)
    for at, name in enumerate(name for scope in plan.scopes for name in scope.names):
        expected = plain[:, at].astype(np.float64)
        np.testing.assert_allclose(made[:, at], expected, rtol=2e-4, atol=2e-3, err_msg=name)


def test_only_the_transactions_that_look_are_measured_and_in_their_order() -> None:
    plan = make_plan()
    events = make_reading(np.random.default_rng(1), 400, plan, late=0.05).events
    looking = np.random.default_rng(2).random(len(events)) < 0.3

    some = measure_table(events, plan, looking)

    np.testing.assert_array_equal(some, measure_table(events, plan)[looking])


def test_a_history_of_more_than_it_keeps_equals_the_table() -> None:
    plan = make_plan(most_events=50)
    events = make_reading(np.random.default_rng(3), 900, plan, cards=1, shops=2, days=20).events

    table = measure_table(events, plan)

    live = np.stack([*run_stream(events, plan, Stream(plan))])
    np.testing.assert_array_equal(live, table)
    assert table[-1, plan.names.index("card.count.90d")] == 50


def test_keys_of_several_counterparts_each_have_their_features() -> None:
    plan = make_plan(counterparts=("shop", "device"))
    rng = np.random.default_rng(6)
    reading = make_reading(rng, 200, make_plan())
    events = reading.events
    more = Events(
        row=events.row,
        time_ms=events.time_ms,
        key={**events.key, "device": rng.integers(0, 9, len(events))},
        steps=events.steps,
        label=events.label,
    )

    table = measure_table(more, plan)

    assert table.shape[1] == len(plan.names)
    assert {"device.risk.7d", "card+device.first.90d"} <= set(plan.names)
    np.testing.assert_array_equal(np.stack([*run_stream(more, plan, Stream(plan))]), table)


def test_a_plan_without_a_card_measures_the_shops() -> None:
    plan = make_plan(entity=None)
    events = make_reading(np.random.default_rng(7), 200, plan).events

    assert not any(name.startswith("card") for name in plan.names)
    np.testing.assert_array_equal(np.stack([*run_stream(events, plan, Stream(plan))]), measure_table(events, plan))

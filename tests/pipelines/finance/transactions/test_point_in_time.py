"""A feature sees only what was known: not the future, and no label before its delay."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from pipelines.finance.transactions.batch import measure_table
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.quantities import DAY_MS
from tests.pipelines.finance.transactions.streams import make_plan, make_reading

Make = Callable[[Events, TransactionPlan], np.ndarray]


def leaking(make: Make, names: Sequence[str], events: Events, plan: TransactionPlan) -> set[str]:
    """Features of the first half that change when only what nobody knew then is changed."""
    rng = np.random.default_rng(0)
    half = len(events) // 2
    now_ms = events.time_ms[half]
    before, found = make(events, plan)[:half], set()
    changed = replace(
        events,
        steps=np.where(np.arange(len(events)) < half, events.steps, rng.permutation(events.steps) * 7),
        key={name: np.where(np.arange(len(events)) < half, key, key[::-1]) for name, key in events.key.items()},
    )
    found |= _different(before, make(changed, plan)[:half], names)
    unknown = events.time_ms + plan.delay_ms > now_ms
    flipped = replace(events, label=np.where(unknown, 1 - np.maximum(events.label, 0), events.label).astype(np.int8))
    found |= _different(before, make(flipped, plan)[:half], names)
    return found


def _different(a: np.ndarray, b: np.ndarray, names: Sequence[str]) -> set[str]:
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return {names[at] for at in np.flatnonzero(~same.all(axis=0))}


def test_no_feature_changes_with_the_future_or_with_labels_that_are_not_known_yet() -> None:
    plan = make_plan()
    events = make_reading(np.random.default_rng(1), 600, plan).events

    assert leaking(measure_table, plan.names, events, plan) == set()


def test_a_label_that_is_used_before_its_delay_is_found() -> None:
    plan = make_plan()
    events = make_reading(np.random.default_rng(1), 600, plan).events

    def make(some: Events, honest: TransactionPlan) -> np.ndarray:
        return measure_table(some, replace(honest, delay_ms=honest.delay_ms - DAY_MS))

    found = leaking(make, plan.names, events, plan)

    assert {"card.frauds.7d", "shop.risk.7d", "shop.last_fraud.30d"} <= found
    assert not any(name.split(".")[1] in ("count", "mean", "zscore") for name in found)


def test_a_window_that_looks_ahead_is_found() -> None:
    plan = make_plan()
    events = make_reading(np.random.default_rng(1), 600, plan).events
    names = (*plan.names, "next_amount")

    def make(some: Events, honest: TransactionPlan) -> np.ndarray:
        return np.column_stack([measure_table(some, honest), np.append(some.steps[1:], 0)])

    assert leaking(make, names, events, plan) == {"next_amount"}

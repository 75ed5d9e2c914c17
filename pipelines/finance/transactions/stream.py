"""One transaction at a time: what it sees of the past, then it becomes past itself. Same numbers as `batch`.

Histories are kept by scope and key, at most `most_keys` of them; one that is not in memory is brought back by `recall`,
which whoever stores the transactions provides, so a stream that ends and starts again goes on with the same numbers.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.transactions.batch import own_features
from pipelines.finance.transactions.declaration import Scope
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.history import KeyHistory
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.quantities import AMOUNT, FRAUD, LABELLED, REFUND, own_quantities
from pipelines.finance.transactions.view import View

Ints = NDArray[np.int64]
Singles = NDArray[np.float32]
MOST_KEYS = 100_000  # histories in memory


@dataclass(frozen=True, kw_only=True)
class Event:
    """One transaction: when, the hashed keys by column, the amount in steps, and its number in the order they came."""

    time_ms: int
    key: dict[str, int]
    steps: int
    serial: int
    label: int = -1  # 1 fraud, 0 good, -1 unknown


Recall = Callable[[Scope, tuple[int, ...]], Events]  # the stored transactions of a key, as they came; row = serial


def nothing_stored(scope: Scope, keys: tuple[int, ...]) -> Events:
    """The `recall` of a stream that starts from nothing."""
    none = np.empty(0, dtype=np.int64)
    return Events(row=none, time_ms=none, key={}, steps=none, label=none.astype(np.int8))


@dataclass
class Stream:
    """The state of a stream. Not to be shared between threads without a lock."""

    plan: TransactionPlan
    recall: Recall = nothing_stored
    most_keys: int = MOST_KEYS
    _latest: tuple[Event, Ints] | None = None  # the last event asked for, and its quantities
    _histories: "OrderedDict[tuple[int, ...], KeyHistory]" = field(default_factory=OrderedDict)

    def measure(self, event: Event) -> Singles:
        """Features (F,) of a transaction that has not been put in yet."""
        times, steps = np.asarray([event.time_ms]), np.asarray([event.steps])
        parts = [own_features(times, steps, self.plan.unit)[0]]
        for number, scope in enumerate(self.plan.scopes):
            parts.append(scope.measure(self.view(number, event), self.plan.unit)[:, 0])
        return np.concatenate(parts)

    def view(self, number: int, event: Event) -> View:
        """What a transaction that has not been put in yet sees of the scope of this number; it holds until `add`."""
        scope = self.plan.scopes[number]
        history = self._history(number, scope, event)
        return history.view(scope, self.plan, self._own(event), event.time_ms, event.steps)

    def add(self, event: Event) -> None:
        """Let a transaction become past. `recall` must not know it yet."""
        own_Q = self._own(event)
        for number, scope in enumerate(self.plan.scopes):
            self._put(self._history(number, scope, event), scope, event, own_Q)

    def follow(self, event: Event) -> None:
        """Let a transaction become past that others stored: a key that is not in memory stays in the store."""
        own_Q = self._own(event)
        for number, scope in enumerate(self.plan.scopes):
            history = self._histories.get((number, *(event.key[column] for column in scope.columns)))
            if history is not None:
                self._put(history, scope, event, own_Q)

    def label(self, event: Event) -> None:
        """Note the label of a transaction that was put in before."""
        for number, scope in enumerate(self.plan.scopes):
            history = self._histories.get((number, *(event.key[column] for column in scope.columns)))
            if history is not None:
                history.label(event.serial, event.label)

    def with_partner(self, entity: int, counterpart: int) -> Events | None:
        """The transactions of an entity with its first counterpart, from the entity's history.

        None: that is not in memory, or lacks what was before its oldest.
        """
        for number, scope in enumerate(self.plan.scopes):
            history = self._histories.get((number, entity)) if scope.kind == "entity" else None
            if history is not None and len(history) < self.plan.most_events:
                return to_events(history, counterpart)
        return None

    def forget_all(self) -> None:
        """Drop what is in memory; it is recalled when it is needed."""
        self._histories.clear()

    @property
    def keys(self) -> int:
        """How many histories are in memory."""
        return len(self._histories)

    def _put(self, history: KeyHistory, scope: Scope, event: Event, own_Q: Ints) -> None:
        history.add(event.time_ms, own_Q, event.key.get(scope.partner, 0), event.serial)
        history.forget(int(history.time[history.stop - 1]) - self.plan.keeps_ms)

    def _own(self, event: Event) -> Ints:
        if self._latest is None or self._latest[0] is not event:
            time, steps = np.asarray([event.time_ms]), np.asarray([event.steps])
            label = np.asarray([event.label], dtype=np.int8)
            self._latest = event, own_quantities(time, steps, self.plan.unit, label)[:, 0]
        return self._latest[1]

    def _history(self, number: int, scope: Scope, event: Event) -> KeyHistory:
        keys = tuple(event.key[column] for column in scope.columns)
        place = (number, *keys)
        history = self._histories.get(place)
        if history is None:
            history = make_history(self.recall(scope, keys), scope, self.plan)
            self._histories[place] = history
            if len(self._histories) > self.most_keys:
                self._histories.popitem(last=False)
        self._histories.move_to_end(place)
        return history


def make_history(events: Events, scope: Scope, plan: TransactionPlan) -> KeyHistory:
    """The history of transactions of one key, given as they came."""
    history = KeyHistory(plan.most_events)
    own_QM = own_quantities(events.time_ms, events.steps, plan.unit, events.label)
    partner_M = events.key[scope.partner] if scope.partner in events.key else np.zeros(len(events), dtype=np.int64)
    history.fill(events.time_ms, own_QM, partner_M, events.row)
    return history


def to_events(history: KeyHistory, partner: int) -> Events:
    """The transactions of a history with one partner; of a refund only that it is one."""
    kept = slice(history.start, history.stop)
    at = history.start + np.flatnonzero(history.partner[kept] == partner)
    rows = history.rows[:, at]
    steps = np.where(rows[REFUND] == 1, -1, rows[AMOUNT])
    label = np.where(rows[LABELLED] == 1, rows[FRAUD], -1).astype(np.int8)
    return Events(row=history.serial[at], time_ms=history.time[at], key={}, steps=steps, label=label)

"""The newest transactions of one key, kept sorted by time, with their sums: what a stream remembers of a card.

It holds at most `most_events` transactions in at most twice that room, whatever comes. A transaction that is late is
put where its time belongs, and what comes after it is summed anew.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.transactions.declaration import Scope
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.quantities import (
    COUNT,
    FRAUD,
    FRAUD_LOG,
    LABELLED,
    LOG,
    OF_KEY,
    fill_of_key,
    gap_steps,
)
from pipelines.finance.transactions.view import Looking, Pick, View
from pipelines.finance.transactions.windows import Window

Ints = NDArray[np.int64]
ROOM = 32  # places at the start


class KeyHistory:
    """Transactions of one key. Places run from `start` to before `stop` in the arrays."""

    def __init__(self, most_events: int) -> None:
        self.most_events = most_events
        self.start = self.stop = 0
        self.time = np.empty(ROOM, dtype=np.int64)
        self.partner = np.empty(ROOM, dtype=np.int64)
        self.serial = np.empty(ROOM, dtype=np.int64)
        self.newest = np.empty(ROOM, dtype=np.int64)  # 1 where no later transaction has the same partner
        self.rows = np.empty((COUNT, ROOM), dtype=np.int64)
        self.sums = np.zeros((COUNT, ROOM + 1), dtype=np.int64)
        self._latest: dict[int, int] | None = {}  # partner -> place; None: to be made anew

    def __len__(self) -> int:
        return self.stop - self.start

    def add(self, time_ms: int, own_Q: Ints, partner: int, serial: int) -> None:
        """Put a transaction in. Of more than `most_events` the oldest is forgotten."""
        if self.stop == len(self.time):
            self._make_room()
        place = self.stop
        if len(self) and time_ms < self.time[self.stop - 1]:
            place = self.start + int(np.searchsorted(self.time[self.start : self.stop], time_ms, side="right"))
            for array in (self.time, self.partner, self.serial, self.rows):
                array[..., place + 1 : self.stop + 1] = array[..., place : self.stop]
            self._latest = None
        self.time[place], self.partner[place], self.serial[place] = time_ms, partner, serial
        self.rows[:OF_KEY, place] = own_Q
        self.stop += 1
        self._sum_from(place, place + 2)
        self._note_partner(place, partner)
        if len(self) > self.most_events:
            self.start += 1

    def fill(self, time_ms_M: Ints, own_QM: Ints, partner_M: Ints, serial_M: Ints) -> None:
        """Put many transactions, given as they came, into an empty history."""
        order = np.argsort(time_ms_M, kind="stable")[-self.most_events :]
        size = len(order)
        room = max(ROOM, 2 * size)
        self.time, self.partner, self.serial = (np.empty(room, dtype=np.int64) for _ in range(3))
        self.newest, self.rows = np.empty(room, dtype=np.int64), np.empty((COUNT, room), dtype=np.int64)
        self.sums = np.zeros((COUNT, room + 1), dtype=np.int64)
        self.time[:size], self.partner[:size], self.serial[:size] = (
            array[order] for array in (time_ms_M, partner_M, serial_M)
        )
        self.rows[:OF_KEY, :size] = own_QM[:, order]
        self.rows[OF_KEY, :size] = gap_steps(np.diff(self.time[:size], prepend=self.time[:1]))
        self.start, self.stop, self._latest = 0, size, None
        if size:
            self._sum_from(0, 0)

    def label(self, serial: int, label: int) -> bool:
        """Note what a transaction turned out to be (1 fraud, 0 good, -1 unknown); False: it is not kept."""
        found = np.flatnonzero(self.serial[self.start : self.stop] == serial)
        if not len(found):
            return False
        place = self.start + int(found[0])
        self.rows[LABELLED, place], self.rows[FRAUD, place] = label >= 0, label == 1
        self.rows[FRAUD_LOG, place] = self.rows[LOG, place] if label == 1 else 0
        self._sum_from(place, place)
        return True

    def forget(self, before_ms: int) -> None:
        """Forget transactions of a time before this."""
        self.start += int(np.searchsorted(self.time[self.start : self.stop], before_ms, side="left"))

    def view(self, scope: Scope, plan: TransactionPlan, own_Q: Ints, time_ms: int, steps: int) -> View:
        """What a transaction of this key sees before it is put in."""
        looking = Looking(
            time_ms=np.asarray([time_ms]),
            amount=np.asarray([steps * plan.unit]),
            own=lambda quantity: own_Q[quantity : quantity + 1],
        )
        return View(looking, HistoryPast(self, time_ms), scope.seeing, plan.delay_ms, plan.horizon_ms)

    def distinct(self, first: int, end: int) -> int:
        """Number of different partners from one place to before another."""
        if end < self.stop:
            return len(np.unique(self.partner[first:end]))
        if self._latest is None:
            self._find_newest()
        return int(self.newest[first:end].sum())

    def _sum_from(self, place: int, gaps_before: int) -> None:
        """Sum anew from a place on; gaps change at the places before `gaps_before`."""
        for at in range(place, min(gaps_before, self.stop)):
            gap_ms = self.time[at] - self.time[at - 1] if at > self.start else 0
            self.rows[OF_KEY, at] = gap_steps(np.asarray([gap_ms]))[0]
        tail = self.rows[:, place : self.stop]
        fill_of_key(tail, tail[OF_KEY], place)
        np.cumsum(tail, axis=1, out=self.sums[:, place + 1 : self.stop + 1])
        self.sums[:, place + 1 : self.stop + 1] += self.sums[:, place : place + 1]

    def _note_partner(self, place: int, partner: int) -> None:
        if self._latest is None:
            return
        if (before := self._latest.get(partner)) is not None:
            self.newest[before] = 0
        self._latest[partner], self.newest[place] = place, 1

    def _find_newest(self) -> None:
        kept = self.partner[self.start : self.stop]
        partners, back = np.unique(kept[::-1], return_index=True)
        places = self.stop - 1 - back
        self.newest[self.start : self.stop] = 0
        self.newest[places] = 1
        self._latest = dict(zip(partners.tolist(), places.tolist(), strict=True))

    def _make_room(self) -> None:
        """Move what is kept to the front of arrays that are at least twice as long."""
        kept, size = slice(self.start, self.stop), len(self)
        room = len(self.time) if self.start >= size and self.start else 2 * max(len(self.time), ROOM)
        for name in ("time", "partner", "serial", "newest", "rows"):
            old = getattr(self, name)
            new = np.empty((*old.shape[:-1], room), dtype=np.int64)
            new[..., :size] = old[..., kept]
            setattr(self, name, new)
        self.sums = np.zeros((COUNT, room + 1), dtype=np.int64)
        self.start, self.stop, self._latest = 0, size, None
        if size:
            self._sum_from(0, 0)


class HistoryPast:
    """The past of one transaction in a history; see `view.Past`."""

    def __init__(self, history: KeyHistory, time_ms: int) -> None:
        self.history, self.time_ms = history, time_ms
        self._all: dict[int, Ints] = {}  # sums of all quantities over all windows at once
        self._times = history.time[history.start : history.stop]

    def prefix(self, quantity: int) -> Ints:
        return self.history.sums[quantity, : self.history.stop + 1]

    def summed(self, quantity: int, start_AN: Ints, rows: Pick, end_N: Ints) -> Ints:
        key = id(start_AN)  # a view makes its starts once for all windows, and once for the known labels
        if key not in self._all:
            sums = self.history.sums
            self._all[key] = sums[:, end_N] - sums[:, start_AN[:, 0]]
        return np.asarray(self._all[key][quantity, rows, None])

    def times(self) -> Ints:
        return self.history.time

    def end(self) -> Ints:
        return np.asarray(self.locate((0,))[0])

    def floor(self) -> Ints:
        return np.asarray([self.history.start])

    def locate(self, before_ms_A: Sequence[int]) -> Ints:
        sought_A = self.time_ms - np.asarray(before_ms_A)
        return (self.history.start + self._times.searchsorted(sought_A, side="right")).reshape(-1, 1)

    def distinct(self, windows: Sequence[Window], start_WN: Ints, end_N: Ints) -> Ints:
        end = int(end_N[0])
        return np.asarray([[self.history.distinct(first, end)] for first in start_WN[:, 0].tolist()])

    def first_of(self, label: int, start_WN: Ints, end_N: Ints) -> Ints:
        return self._found(label, start_WN, int(end_N[0]), 0)

    def last_of(self, label: int, start_WN: Ints, end_N: Ints) -> Ints:
        return self._found(label, start_WN, int(end_N[0]), -1)

    def _found(self, label: int, start_WN: Ints, end: int, which: int) -> Ints:
        found_WN, frauds = np.full(start_WN.shape, -1), self.history.sums[FRAUD]
        if label == 1 and frauds[end] == frauds[self.history.start]:
            return found_WN
        rows = self.history.rows
        marks = rows[FRAUD] if label == 1 else rows[LABELLED] - rows[FRAUD]
        for at, start in enumerate(start_WN[:, 0].tolist()):
            places = np.flatnonzero(marks[start:end])
            if len(places):
                found_WN[at] = start + places[which]
        return found_WN

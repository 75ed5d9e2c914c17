"""The transactions of one key column, sorted by key, and what each of them sees there.

M transactions, N that look, W windows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.finance.transactions.declaration import Scope
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.history import KeyHistory
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.quantities import (
    GAP,
    GAP_SQUARE,
    LOG,
    OF_KEY,
    PLACE_LOG,
    PLACE_SQUARE_LOG,
    gap_steps,
    own_quantities,
    own_quantity,
)
from pipelines.finance.transactions.view import Looking, Pick, View
from pipelines.finance.transactions.windows import Window

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class SortedScope:
    """The transactions of a scope, sorted by key, then as they came."""

    scope: Scope
    plan: TransactionPlan
    order_M: Ints  # place -> number of the transaction
    key_M: Ints  # place -> number of the key, rising
    first_M: Ints  # place -> first place of its key
    time_M: Ints
    steps_M: Ints
    label_M: NDArray[np.int8]
    joined_M: Ints  # key and time in one rising number, where the key is in order
    span: int  # of the times in `joined_M`
    partner_M: Ints | None  # its partner's key
    disordered_M: Bools  # place -> whether its key came out of order
    previous: Ints | None  # place of the transaction before of the same key and partner; -1 where there is none
    sums: dict[int, Ints] = field(default_factory=dict)  # quantity -> its prefix sums, where they were asked for
    located: dict[int, Ints] = field(default_factory=dict)  # span -> first place inside it (M,), where it was asked for
    marks: dict[int, tuple[Ints, Ints]] = field(default_factory=dict)  # label -> see mark
    repeats: dict[str, tuple[Ints, Ints]] = field(default_factory=dict)  # window -> see _find_repeats

    @classmethod
    def of(cls, scope: Scope, events: Events, plan: TransactionPlan) -> "SortedScope":
        """Sort."""
        code_M, keys = numbered([events.key[column] for column in scope.columns])
        order_M = radix_argsort(code_M, keys)
        key_M, time_M = code_M[order_M], events.time_ms[order_M]
        starts = np.flatnonzero(np.concatenate([[True], key_M[1:] != key_M[:-1]])) if len(key_M) else np.empty(0, int)
        lengths = np.diff(np.append(starts, len(key_M)))
        back = (time_M[1:] < time_M[:-1]) & (key_M[1:] == key_M[:-1])
        disordered = np.zeros(keys, dtype=np.bool_)
        disordered[key_M[1:][back]] = True
        base = int(time_M.min()) if len(time_M) else 0
        span = (int(time_M.max()) - base if len(time_M) else 0) + 2
        partner_M = events.key[scope.partner][order_M] if scope.counts_partners else None
        return cls(
            scope=scope,
            plan=plan,
            order_M=order_M,
            key_M=key_M,
            first_M=np.repeat(starts, lengths),
            time_M=time_M,
            steps_M=events.steps[order_M],
            label_M=events.label[order_M],
            joined_M=key_M * span + (time_M - base + 1),
            span=span,
            partner_M=partner_M,
            previous=None if partner_M is None else _previous(key_M, partner_M),
            disordered_M=disordered[key_M],
        )

    def prefix(self, quantity: int) -> Ints:
        """Sums (M + 1,) of a quantity before every place."""
        if quantity not in self.sums:
            self.sums[quantity] = _before(self._values(quantity))
        return self.sums[quantity]

    @cached_property
    def gaps(self) -> Ints:
        """Steps of the gap to the transaction before; 0 for the first of a key."""
        gap_ms = np.diff(self.time_M, prepend=self.time_M[:1])
        return gap_steps(np.where((np.arange(len(gap_ms)) == self.first_M) | (gap_ms < 0), 0, gap_ms))

    def _values(self, quantity: int) -> Ints:
        if quantity < OF_KEY:
            return own_quantity(quantity, self.time_M, self.steps_M, self.plan.unit, self.label_M)
        place_M = np.arange(len(self.order_M))
        if quantity in (PLACE_LOG, PLACE_SQUARE_LOG):
            placed_M = place_M * self._values(LOG)
            return np.asarray(placed_M if quantity == PLACE_LOG else place_M * placed_M)
        if quantity == GAP:
            return self.gaps
        return np.asarray(self.gaps * (self.gaps if quantity == GAP_SQUARE else place_M))

    def mark(self, label: int) -> None:
        """Note the last place of a label before every place, and the first at or after it (M + 1,), in any key."""
        size, marked = len(self.label_M), self.label_M == label
        before = np.maximum.accumulate(np.where(marked, np.arange(size), -1)) if size else np.empty(0, dtype=np.int64)
        after = np.minimum.accumulate(np.where(marked, np.arange(size), size)[::-1])[::-1] if size else before
        self.marks[label] = np.concatenate([[-1], before]), np.append(after, size)

    def jobs(self, quantities: Iterable[int]) -> list[Callable[[], object]]:
        """What the views share; the jobs may be done side by side, and must be before the first view."""
        found: list[Callable[[], object]] = [partial(self.prefix, quantity) for quantity in quantities]
        found += [partial(self._find_repeats, window) for window in self.scope.partner_windows]
        return found + [partial(self.mark, label) for label in (0, 1)]

    def _find_repeats(self, window: Window) -> None:
        """What `distinct` needs of a window: sums (M + 1,) of repeats that came in, and of those that went out.

        A repeat is a transaction whose partner came before inside the window; it goes out with that earlier one.
        """
        past, span_ms = SortedPast(self, np.arange(len(self.order_M))), window.span_ms or self.plan.horizon_ms
        start_M = past.locate((span_ms,))[0]
        self.located[span_ms] = start_M
        if window.events:
            start_M = np.maximum(start_M, past.place_N - window.events)
        assert self.previous is not None
        into = self.previous >= np.maximum(start_M, past.floor())
        out = np.zeros(len(into), dtype=np.int64)
        out[self.previous[into]] = 1
        self.repeats[window.text] = _before(into), _before(out)

    def view(self, place_N: Ints) -> View:
        """What the transactions at these places see."""
        time_N, steps_N, label_N = self.time_M[place_N], self.steps_M[place_N], self.label_M[place_N]
        looking = Looking(
            time_ms=time_N,
            amount=np.asarray(steps_N * self.plan.unit, dtype=np.float64),
            own=lambda quantity: own_quantity(quantity, time_N, steps_N, self.plan.unit, label_N),
        )
        return View(looking, SortedPast(self, place_N), self.scope.seeing, self.plan.delay_ms, self.plan.horizon_ms)

    def one_by_one(self, looks_M: Bools) -> Iterator[tuple[int, View]]:
        """What the transactions of keys that came out of order see, one after the other: their number and view.

        Each view holds until the next is asked for.
        """
        plan = self.plan
        for at_M in _by_key(self.key_M, np.flatnonzero(self.disordered_M)):
            time, steps, numbers = (x[at_M].tolist() for x in (self.time_M, self.steps_M, self.order_M))
            own_QM = own_quantities(self.time_M[at_M], self.steps_M[at_M], plan.unit, self.label_M[at_M])
            partner = [0] * len(numbers) if self.partner_M is None else self.partner_M[at_M].tolist()
            history = KeyHistory(plan.most_events)
            for at, number in enumerate(numbers):
                if looks_M[number]:
                    yield number, history.view(self.scope, plan, own_QM[:, at], time[at], steps[at])
                history.add(time[at], own_QM[:, at], partner[at], number)


class SortedPast:
    """The past of the transactions at some places of a sorted scope."""

    def __init__(self, table: "SortedScope", place_N: Ints) -> None:
        self.table, self.place_N = table, place_N
        self.own_N = table.joined_M[place_N]
        self.least_N = table.key_M[place_N] * table.span
        self.floor_N = np.maximum(table.first_M[place_N], place_N - table.plan.most_events)

    def prefix(self, quantity: int) -> Ints:
        return self.table.prefix(quantity)

    def summed(self, quantity: int, start_AN: Ints, rows: Pick, end_N: Ints) -> Ints:
        prefix = self.table.prefix(quantity)
        return np.asarray(prefix[end_N] - prefix[start_AN[rows]])

    def times(self) -> Ints:
        return self.table.time_M

    def end(self) -> Ints:
        return self.place_N

    def floor(self) -> Ints:
        return self.floor_N

    def locate(self, before_ms_A: Sequence[int]) -> Ints:
        found = np.empty((len(before_ms_A), len(self.place_N)), dtype=np.int64)
        for row, before_ms in enumerate(before_ms_A):
            if (known := self.table.located.get(before_ms)) is not None:
                found[row] = known[self.place_N]
                continue
            sought_N = np.maximum(self.own_N - before_ms, self.least_N)
            found[row] = np.searchsorted(self.table.joined_M, sought_N, side="right")
        return found

    def distinct(self, windows: Sequence[Window], start_WN: Ints, end_N: Ints) -> Ints:
        first_N, rows = self.table.first_M[self.place_N], []
        for window, start_N in zip(windows, start_WN, strict=True):
            came, went = self.table.repeats[window.text]
            repeats_N = (came[end_N] - came[first_N]) - (went[start_N] - went[first_N])
            rows.append(end_N - start_N - repeats_N)
        return np.stack(rows)

    def first_of(self, label: int, start_WN: Ints, end_N: Ints) -> Ints:
        found_WN = self.table.marks[label][1][start_WN]
        return np.where(found_WN < end_N, found_WN, -1)

    def last_of(self, label: int, start_WN: Ints, end_N: Ints) -> Ints:
        found_N = self.table.marks[label][0][end_N]
        return np.where(found_N >= start_WN, found_N, -1)


def numbered(keys: Sequence[Ints]) -> tuple[Ints, int]:
    """Numbers (M,) from 0 of the different combinations of keys, and how many there are."""
    code_M, levels = pd.factorize(keys[0])
    for more_M in keys[1:]:
        other_M, others = pd.factorize(more_M)
        code_M, pairs = pd.factorize(code_M.astype(np.int64) * len(others) + other_M)
        levels = pairs
    return code_M.astype(np.int64), len(levels)


def radix_argsort(code_M: Ints, codes: int) -> Ints:
    """Stable order of numbers in 0..codes - 1, sixteen bits at a time: linear where numpy's own sort compares."""
    order_M = np.argsort((code_M & 0xFFFF).astype(np.uint16), kind="stable")
    shift = 16
    while codes >> shift:
        digit_M = ((code_M >> shift) & 0xFFFF).astype(np.uint16)
        order_M = order_M[np.argsort(digit_M[order_M], kind="stable")]
        shift += 16
    return np.asarray(order_M, dtype=np.int64)


def _previous(key_M: Ints, partner_M: Ints) -> Ints:
    """Place (M,) of the transaction before of the same key with the same partner; -1 where there is none."""
    partner, partners = numbered([partner_M])
    by_pair = radix_argsort(partner, partners)  # stable, so within a partner still by key and arrival
    same = (partner[by_pair][1:] == partner[by_pair][:-1]) & (key_M[by_pair][1:] == key_M[by_pair][:-1])
    previous = np.full(len(partner), -1, dtype=np.int64)
    previous[by_pair[1:][same]] = by_pair[:-1][same]
    return previous


def _before(x_M: Ints | Bools) -> Ints:
    """Sums (M + 1,) before every place."""
    return np.concatenate([[0], np.cumsum(x_M, dtype=np.int64)])


def _by_key(key_M: Ints, places: Ints) -> list[Ints]:
    """The places of each key."""
    return np.split(places, np.flatnonzero(np.diff(key_M[places])) + 1) if len(places) else []

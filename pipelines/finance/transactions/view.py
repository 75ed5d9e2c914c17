"""What a transaction sees of the past of one key: sums over windows, the transactions before it, known frauds.

A sorted table and a running history both give views, and `measures` knows nothing else, so that there is one
definition of every feature. Places count the transactions of the keys, sorted by time.

M transactions kept, N transactions that look, A windows of a scope, W windows of one measure, Q quantities.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.transactions.quantities import COUNT
from pipelines.finance.transactions.windows import Window

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Pick = Ints | slice  # rows; a slice where they follow each other, which costs no copy


@dataclass(frozen=True)
class Seeing:
    """All that the features of a scope look at: its windows, up to now and up to the last known label."""

    windows: Mapping[bool, tuple[Window, ...]]  # lagged -> A windows
    rows: Mapping[tuple[int, bool], Pick]  # quantity, lagged -> which of the A windows it is summed over


@dataclass(frozen=True)
class Asked:
    """The W windows of one measure."""

    windows: tuple[Window, ...]
    lagged: bool
    at: Pick  # (W,) which of the A windows of the scope
    pick: Mapping[int, Pick]  # quantity -> (W,) which of the windows that it is summed over
    whole: Mapping[int, int]  # quantity -> of the windows that it is summed over, the one that velocity compares with


@dataclass(frozen=True)
class Looking:
    """The transactions that look (N,): time, signed amount in currency, and their own quantities by number."""

    time_ms: Ints
    amount: Floats
    own: Callable[[int], Ints]


class Past(Protocol):
    """Where the past of N looking transactions lies."""

    def prefix(self, quantity: int) -> Ints:
        """Sums of a quantity before every place (M + 1,), modulo 2^64."""
        ...

    def summed(self, quantity: int, start_AN: Ints, rows: Pick, end_N: Ints) -> Ints:
        """Sums of a quantity from some rows of the starts to before the ends."""
        ...

    def times(self) -> Ints:
        """Times of the places, ms; at least one, whatever it says."""
        ...

    def end(self) -> Ints:
        """Place (N,) after the last transaction that came before the looking one and is not later than it."""
        ...

    def locate(self, before_ms_A: Sequence[int]) -> Ints:
        """First places (A, N) of a time after the looking transaction's own minus so much, which is above 0."""
        ...

    def floor(self) -> Ints:
        """First place (N,) that is kept."""
        ...

    def distinct(self, windows: Sequence[Window], start_WN: Ints, end_N: Ints) -> Ints:
        """Number of different partners (W, N) among the places from start to before end."""
        ...

    def first_of(self, label: int, start_WN: Ints, end_N: Ints) -> Ints:
        """First transaction (W, N) of a label (1 fraud, 0 good) among those places; -1 where there is none."""
        ...

    def last_of(self, label: int, start_WN: Ints, end_N: Ints) -> Ints:
        """The last one."""
        ...


@dataclass(frozen=True)
class View:
    """What N transactions see of one key each."""

    looking: Looking
    past: Past
    seeing: Seeing
    delay_ms: int
    horizon_ms: int
    _sums: dict[tuple[int, bool], Ints] = field(default_factory=dict)
    _starts: dict[bool, Ints] = field(default_factory=dict)
    _ends: dict[bool, Ints] = field(default_factory=dict)
    _floors: list[Ints] = field(default_factory=list)

    def floor(self) -> Ints:
        """First place (N,) that is looked at: kept, and within the horizon."""
        if not self._floors:
            self._floors.append(np.maximum(self.past.floor(), self.past.locate((self.horizon_ms,))[0]))
        return self._floors[0]

    def end(self, lagged: bool = False) -> Ints:
        """Place (N,) after the last transaction that is seen; lagged: after the last whose label is known."""
        if lagged not in self._ends:
            end_N = self.past.end()
            if lagged and self.delay_ms:
                end_N = np.minimum(end_N, np.maximum(self.past.locate((self.delay_ms,))[0], self.floor()))
            self._ends[lagged] = end_N
        return self._ends[lagged]

    def starts(self, asked: Asked) -> Ints:
        """First places (W, N) inside the windows."""
        return self._all_starts(asked.lagged)[asked.at]

    def counts(self, asked: Asked) -> Ints:
        """Transactions (W, N) inside the windows."""
        return self._summed(COUNT, asked.lagged)[asked.pick[COUNT]]

    def sums(self, quantity: int, asked: Asked) -> Ints:
        """Sums (W, N) of a quantity over the windows."""
        return self._summed(quantity, asked.lagged)[asked.pick[quantity]]

    def whole(self, quantity: int, asked: Asked) -> Ints:
        """The sum (N,) over the window that velocity compares with."""
        return np.asarray(self._summed(quantity, asked.lagged)[asked.whole[quantity]])

    def between(self, quantity: int, asked: Asked) -> Ints:
        """Sums (W, N) over the windows without their first transaction: of gaps, those inside the windows."""
        end_N, prefix = self.end(), self.past.prefix(quantity)
        return prefix[end_N] - prefix[np.minimum(self.starts(asked) + 1, end_N)]

    def value(self, quantity: int, back_WN: Ints) -> Ints:
        """The quantity (W, N) of the transactions at these places; of the first one where the place is below 0."""
        prefix, place_WN = self.past.prefix(quantity), np.maximum(back_WN, 0)
        return prefix[place_WN + 1] - prefix[place_WN] if len(prefix) > 1 else np.zeros_like(place_WN)

    def since(self, place: Ints) -> Floats:
        """Seconds (..., N) since the transactions at these places; NaN where the place is below 0."""
        gap = self.looking.time_ms - self.past.times()[np.maximum(place, 0)]
        return np.where(place >= 0, gap / 1_000, np.nan)

    def back(self, asked: Asked) -> Ints:
        """Places (W, N) of the transaction so many (the windows' events) before; -1 where none is kept."""
        number_W1 = np.asarray([[window.events] for window in asked.windows])
        place_WN = self.end(asked.lagged) - number_W1
        return np.where(place_WN >= self.floor(), place_WN, -1)

    def last(self) -> Ints:
        """Place (N,) of the transaction before; -1 where none is kept."""
        end_N = self.end()
        return np.where(end_N > self.floor(), end_N - 1, -1)

    def first_known(self, asked: Asked) -> Ints:
        """Place (W, N) of the first known fraud inside the windows; -1 where there is none."""
        return self.past.first_of(1, self.starts(asked), self.end(lagged=True))

    def last_known(self, asked: Asked) -> Ints:
        """Place (W, N) of the last known fraud inside the windows; -1 where there is none."""
        return self.past.last_of(1, self.starts(asked), self.end(lagged=True))

    def run(self, asked: Asked) -> Ints:
        """Place (W, N) of the first known fraud after the last known good one inside the windows; -1 where none is."""
        start_WN, end_N = self.starts(asked), self.end(lagged=True)
        good_WN = self.past.last_of(0, start_WN, end_N)
        return self.past.first_of(1, np.maximum(start_WN, good_WN + 1), end_N)

    def _all_starts(self, lagged: bool) -> Ints:
        if lagged not in self._starts:
            windows, end_N, delay_ms = self.seeing.windows[lagged], self.end(lagged), self.delay_ms if lagged else 0
            spans = [delay_ms + window.span_ms for window in windows if window.span_ms]
            of_time = iter(self.past.locate(spans)) if spans else iter(())
            first_AN = [end_N - window.events if window.events else next(of_time) for window in windows]
            starts = np.concatenate(first_AN).reshape(len(windows), len(end_N))
            self._starts[lagged] = np.minimum(np.maximum(starts, self.floor()), end_N)
        return self._starts[lagged]

    def _summed(self, quantity: int, lagged: bool) -> Ints:
        key = quantity, lagged
        if key not in self._sums:
            starts, end_N, rows = self._all_starts(lagged), self.end(lagged), self.seeing.rows[key]
            if quantity == COUNT:
                self._sums[key] = end_N - starts[rows]
            else:
                self._sums[key] = self.past.summed(quantity, starts, rows, end_N)
        return self._sums[key]

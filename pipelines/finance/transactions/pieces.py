"""Histories that do not fit into memory: piece by piece, and where even the newest of all keys do not, key by key.

After each piece only those transactions are carried on that a later one could still see: within the horizon, and among
the newest of one of their keys. With `partitions` P the pieces are read P times for every scope, and each time only
the keys of one part are held, so memory falls by P. Either way the numbers are those of the whole table.

M transactions, N of a piece, F features.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from pipelines.finance.transactions.batch import measure_scopes, own_features
from pipelines.finance.transactions.declaration import OF_THE_EVENT, Scope
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.sorted_scope import numbered, radix_argsort

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Singles = NDArray[np.float32]
Progress = Callable[[float, str], None]
MIXED = 0x9E3779B97F4A7C15 - 2**64  # odd, so that hashes of pairs spread over the partitions


@dataclass
class Carried:
    """The transactions that later ones may still see, in the order in which they came."""

    plan: TransactionPlan
    scopes: Sequence[Scope]
    events: Events | None = None

    def measure(self, piece: Events) -> Singles:
        """Features (N, F of the scopes) of the next transactions, which then become past."""
        before = 0 if self.events is None else len(self.events)
        joined = piece if self.events is None else join(self.events, piece)
        looking = np.arange(len(joined)) >= before
        out = measure_scopes(self.scopes, joined, self.plan, looking)
        self.events = joined.take(self._kept(joined))
        return out

    def features(self, piece: Events) -> Singles:
        """The same beside what the transactions tell alone (N, F), as `plan.names` has them."""
        own = own_features(piece.time_ms, piece.steps, self.plan.unit)
        return np.concatenate([own, self.measure(piece)], axis=1) if self.scopes else own

    def _kept(self, events: Events) -> Ints:
        if not len(events):
            return np.empty(0, dtype=np.int64)
        young_M = events.time_ms >= events.time_ms.max() - self.plan.keeps_ms
        newest_M = np.zeros(len(events), dtype=np.bool_)
        for scope in self.scopes:
            newest_M |= _among_the_newest(events, scope, self.plan.most_events)
        return np.flatnonzero(young_M & newest_M)


def measure_pieces(pieces: Iterable[Events], plan: TransactionPlan) -> Iterator[Singles]:
    """Features (N, F) of one piece after the other, in their order; pieces follow each other as they came."""
    carried = Carried(plan, plan.scopes)
    for piece in pieces:
        yield carried.features(piece)


def measure_to_file(
    read: Callable[[], Iterable[Events]],
    plan: TransactionPlan,
    path: Path,
    *,
    rows: int,
    partitions: int,
    progress: Progress = lambda share, words: None,
) -> None:
    """Write the features (rows, F) into a numpy file, which is mapped and never held as a whole.

    `read` gives the pieces anew each time it is called. InputError: they have more or fewer rows than `rows`.
    """
    if partitions < 1:
        raise InputError(f"partitions must be at least 1, got {partitions}")
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, len(plan.names)))
    first, steps = len(OF_THE_EVENT), 1 + partitions * len(plan.scopes)
    for at, piece in _placed(read(), rows):
        out[at, :first] = own_features(piece.time_ms, piece.steps, plan.unit)
    for number, scope in enumerate(plan.scopes):
        columns = slice(first, first + len(scope.names))
        for part in range(partitions):
            progress((1 + number * partitions + part) / steps, f"{scope.name}, part {part + 1} of {partitions}")
            carried = Carried(plan, [scope])
            for at, piece in _placed(read(), rows):
                mine = np.flatnonzero(_part(piece, scope, partitions) == part)
                out[at.start + mine, columns] = carried.measure(piece.take(mine))
        first = columns.stop
    out.flush()


def join(first: Events, second: Events) -> Events:
    """Two tables of transactions, one after the other."""
    return Events(
        row=np.concatenate([first.row, second.row]),
        time_ms=np.concatenate([first.time_ms, second.time_ms]),
        key={column: np.concatenate([key, second.key[column]]) for column, key in first.key.items()},
        steps=np.concatenate([first.steps, second.steps]),
        label=np.concatenate([first.label, second.label]),
    )


def _among_the_newest(events: Events, scope: Scope, most: int) -> Bools:
    """Which transactions (M,) are among the `most` newest of their key."""
    code_M, keys = numbered([events.key[column] for column in scope.columns])
    by_time = np.argsort(events.time_ms, kind="stable")
    order = by_time[radix_argsort(code_M[by_time], keys)]
    ends = np.cumsum(np.bincount(code_M, minlength=keys))
    newest = np.zeros(len(events), dtype=np.bool_)
    newest[order] = ends[code_M[order]] - np.arange(len(order)) <= most
    return newest


def _part(events: Events, scope: Scope, partitions: int) -> Ints:
    """Which partition (M,) each transaction's key belongs to."""
    mixed = np.zeros(len(events), dtype=np.int64)
    for column in scope.columns:
        mixed = (mixed ^ events.key[column]) * MIXED
    return (mixed >> 33) % partitions


def _placed(pieces: Iterable[Events], rows: int) -> Iterator[tuple[slice, Events]]:
    """The pieces and the rows of the whole table that they are."""
    start = 0
    for piece in pieces:
        if start + len(piece) > rows:
            raise InputError(f"the transactions have changed while they were read: more than {rows}")
        yield slice(start, start + len(piece)), piece
        start += len(piece)
    if start != rows:
        raise InputError(f"the transactions have changed while they were read: {start} instead of {rows}")

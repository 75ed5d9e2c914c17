"""The last transactions of a key as a sequence, for a network: the same numbers from a table and from a stream.

N transactions that look, L steps, C channels.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.transactions.batch import BLOCK, Workers
from pipelines.finance.transactions.declaration import Scope
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.quantities import (
    COSINE,
    DAY_MS,
    FRAUD,
    LABELLED,
    LOG,
    LOG_UNIT,
    NIGHT,
    REFUND,
    SINE,
    TURN_UNIT,
)
from pipelines.finance.transactions.sorted_scope import SortedScope
from pipelines.finance.transactions.view import View

Singles = NDArray[np.float32]
Bools = NDArray[np.bool_]
CHANNELS = ("log_amount", "refund", "night", "cosine", "sine", "known_label", "known_fraud")
_OWN = ((LOG, LOG_UNIT), (REFUND, 1), (NIGHT, 1), (COSINE, TURN_UNIT), (SINE, TURN_UNIT))
_KNOWN = (LABELLED, FRAUD)
ABSENT_DAYS = -1e6  # where there is no such transaction


@dataclass(frozen=True)
class Sequences:
    """`values` (N, L, C), the newest last; `days` (N, L) before the looking transaction, 0 or less."""

    values: Singles
    days: Singles


def sequences(view: View, length: int) -> Sequences:
    """The last `length` transactions before each looking one; where there are fewer, zeros and ABSENT_DAYS in front."""
    end_N, known_N, floor_N = view.end(), view.end(lagged=True), view.floor()
    place_NL = end_N[:, None] + np.arange(-length, 0)
    there_NL = place_NL >= floor_N[:, None]
    safe_NL = np.where(there_NL, place_NL, 0)
    values = np.zeros((*place_NL.shape, len(CHANNELS)), dtype=np.float32)
    for channel, (quantity, unit) in enumerate(_OWN):
        values[..., channel] = np.where(there_NL, view.value(quantity, safe_NL) / unit, 0)
    for channel, quantity in enumerate(_KNOWN, len(_OWN)):
        seen_NL = there_NL & (place_NL < known_N[:, None])
        values[..., channel] = np.where(seen_NL, view.value(quantity, safe_NL), 0)
    gap_NL = view.past.times()[safe_NL] - view.looking.time_ms[:, None]
    days = np.where(there_NL, gap_NL / DAY_MS, ABSENT_DAYS).astype(np.float32)
    return Sequences(values=values, days=days)


def sequences_of_table(
    events: Events, plan: TransactionPlan, scope: Scope, length: int, looking: Bools | None = None
) -> Sequences:
    """The sequences of the transactions marked in `looking` (M,), all by default, in their order.

    Keys that came out of order see them sorted by time, without those that came later.
    """
    looks = np.ones(len(events), dtype=np.bool_) if looking is None else looking
    number_M = np.cumsum(looks) - 1
    table = SortedScope.of(scope, events, plan)
    size = int(looks.sum())
    values = np.empty((size, length, len(CHANNELS)), dtype=np.float32)
    days = np.empty((size, length), dtype=np.float32)

    def put(number: NDArray[np.int64], found: Sequences) -> None:
        values[number], days[number] = found.values, found.days

    places = np.flatnonzero(looks[table.order_M] & ~table.disordered_M)

    def fill(start: int) -> None:
        place_N = places[start : start + BLOCK]
        put(number_M[table.order_M[place_N]], sequences(table.view(place_N), length))

    quantities = [*(quantity for quantity, _ in _OWN), *_KNOWN]
    with Workers() as workers:
        workers.run([partial(table.prefix, quantity) for quantity in quantities])
        workers.run([partial(fill, start) for start in range(0, len(places), BLOCK)])
    for number, view in table.one_by_one(looks):
        put(number_M[[number]], sequences(view, length))
    return Sequences(values=values, days=days)

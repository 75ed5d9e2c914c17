"""All transactions of a table at once: sort by key, sum once, look everything up. Same numbers as `stream`.

Rows come in the order in which they came in. Keys whose transactions came in the order of their times (nearly all) go
through sorted arrays; the others through the histories of `stream`, one transaction after the other.

M transactions of a scope, N that look, F features.
"""

from concurrent.futures import ThreadPoolExecutor
from os import sched_getaffinity

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.transactions.declaration import OF_THE_EVENT, Scope
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.quantities import DAY_MS, is_night, weekday
from pipelines.finance.transactions.sorted_scope import SortedScope

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Singles = NDArray[np.float32]
BLOCK = 8_192  # looking transactions at a time: what lies between fits into the cache


def measure_table(events: Events, plan: TransactionPlan, looking: Bools | None = None) -> Singles:
    """Features (N, F) of the transactions marked in `looking` (M,), all by default, in their order."""
    looks = np.ones(len(events), dtype=np.bool_) if looking is None else looking
    out = np.empty((int(looks.sum()), len(plan.names)), dtype=np.float32)
    first = len(OF_THE_EVENT)
    out[:, :first] = own_features(events.time_ms[looks], events.steps[looks], plan.unit)
    for scope in plan.scopes:
        columns = slice(first, first + len(scope.names))
        measure_scope(scope, events, plan, looks, out[:, columns])
        first = columns.stop
    return out


def measure_scope(
    scope: Scope, events: Events, plan: TransactionPlan, looks_M: Bools, out_NF: Singles | None = None
) -> Singles:
    """Features (N, F) of one scope, written into `out_NF` where it is given."""
    out = np.empty((int(looks_M.sum()), len(scope.names)), dtype=np.float32) if out_NF is None else out_NF
    table = SortedScope.of(scope, events, plan)
    number_M = np.cumsum(looks_M) - 1
    places = np.flatnonzero(looks_M[table.order_M] & ~table.disordered_M)
    table.prepare(scope.quantities)

    def fill(start: int) -> None:
        place_N = places[start : start + BLOCK]
        out[number_M[table.order_M[place_N]]] = scope.measure(table.view(place_N), plan.unit).T

    with ThreadPoolExecutor(max_workers=len(sched_getaffinity(0))) as pool:
        for _ in pool.map(fill, range(0, len(places), BLOCK)):
            pass
    for number, view in table.one_by_one(looks_M):
        out[number_M[number]] = scope.measure(view, plan.unit)[:, 0]
    return out


def own_features(time_ms: Ints, steps: Ints, unit: float) -> Singles:
    """What the transactions tell alone (N, 7), as `declaration.OF_THE_EVENT` names it."""
    amount = steps * unit
    hour = (time_ms % DAY_MS) / 3_600_000
    per_unit = max(round(1 / unit), 1)
    columns = [
        amount,
        hour,
        weekday(time_ms),
        is_night(time_ms),
        weekday(time_ms) >= 5,
        steps < 0,
        (np.abs(steps) % per_unit) * unit,
    ]
    return np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)

"""All transactions of a table at once: sort by key, sum once, look everything up. Same numbers as `stream`.

Rows come in the order in which they came in. Keys whose transactions came in the order of their times (nearly all) go
through sorted arrays; the others through the histories of `stream`, one transaction after the other.

M transactions of a scope, N that look, F features.
"""

from concurrent.futures import ThreadPoolExecutor
from os import sched_getaffinity

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.quantities import DAY_MS, is_night, own_quantities, weekday
from pipelines.finance.transactions.sorted_scope import SortedScope

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Singles = NDArray[np.float32]
BLOCK = 8_192  # looking transactions at a time: what lies between fits into the cache


def measure_table(events: Events, plan: TransactionPlan, looking: Bools | None = None) -> Singles:
    """Features (N, F) of the transactions marked in `looking` (M,), all by default, in their order."""
    looks = np.ones(len(events), dtype=np.bool_) if looking is None else looking
    place_M = np.cumsum(looks) - 1
    out = np.empty((int(looks.sum()), len(plan.names)), dtype=np.float32)
    own = own_quantities(events.time_ms, events.steps, plan.unit, events.label)
    first = len(plan.names) - sum(len(scope.names) for scope in plan.scopes)
    out[:, :first] = own_features(events.time_ms[looks], events.steps[looks], plan.unit)
    with ThreadPoolExecutor(max_workers=len(sched_getaffinity(0))) as pool:
        for scope in plan.scopes:
            table = SortedScope.of(scope, events, own, plan)
            columns = slice(first, first + len(scope.names))
            _fill(table, looks, place_M, out[:, columns], pool)
            first = columns.stop
    return out


def _fill(table: SortedScope, looks_M: Bools, number_M: Ints, out_NF: Singles, pool: ThreadPoolExecutor) -> None:
    """Write the features of the scope; `number_M` is the row of `out_NF` of a transaction."""
    looks = looks_M[table.order_M]
    places = np.flatnonzero(looks & ~table.disordered_M)
    table.prepare(table.scope.quantities)
    table.last_fraud, table.next_fraud, table.repeats  # noqa: B018 - cached, before threads ask for them

    def fill(start: int) -> None:
        place_N = places[start : start + BLOCK]
        measured_FN = table.scope.measure(table.view(place_N), table.plan.unit)
        out_NF[number_M[table.order_M[place_N]]] = measured_FN.T

    for _ in pool.map(fill, range(0, len(places), BLOCK)):
        pass
    for number, view in table.one_by_one(looks_M):
        out_NF[number_M[number]] = table.scope.measure(view, table.plan.unit)[:, 0]


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

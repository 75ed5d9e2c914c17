"""All transactions of a table at once: sort by key, sum once, look everything up. Same numbers as `stream`.

Rows come in the order in which they came in. Keys whose transactions came in the order of their times (nearly all) go
through sorted arrays; the others through the histories of `stream`, one transaction after the other.

M transactions of a scope, N that look, F features.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from os import sched_getaffinity
from typing import Any

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
    number = np.flatnonzero(looks)

    def fill(start: int) -> None:
        rows = number[start : start + BLOCK]
        out[start : start + BLOCK, : len(OF_THE_EVENT)] = own_features(
            events.time_ms[rows], events.steps[rows], plan.unit
        )

    with Workers() as workers:
        workers.run([partial(fill, start) for start in range(0, len(out), BLOCK)])
        _measure_scopes(plan.scopes, events, plan, looks, out[:, len(OF_THE_EVENT) :], workers)
    return out


def measure_scopes(scopes: Sequence[Scope], events: Events, plan: TransactionPlan, looking: Bools) -> Singles:
    """The same for the features of some scopes alone."""
    out = np.empty((int(looking.sum()), sum(len(scope.names) for scope in scopes)), dtype=np.float32)
    with Workers() as workers:
        _measure_scopes(scopes, events, plan, looking, out, workers)
    return out


class Workers:
    """As many threads as there are cores; numpy lets them compute side by side."""

    def __enter__(self) -> "Workers":
        self.pool = ThreadPoolExecutor(max_workers=len(sched_getaffinity(0)))
        return self

    def __exit__(self, *failure: object) -> None:
        self.pool.shutdown(cancel_futures=True)

    def run(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        """Do all jobs, and return what they give."""
        return [done.result() for done in [self.pool.submit(job) for job in jobs]]


def _measure_scopes(
    scopes: Sequence[Scope], events: Events, plan: TransactionPlan, looks_M: Bools, out_NF: Singles, workers: Workers
) -> None:
    number_M, first = np.cumsum(looks_M) - 1, 0
    tables: list[SortedScope] = workers.run([partial(SortedScope.of, scope, events, plan) for scope in scopes])
    workers.run([job for table in tables for job in table.jobs(table.scope.quantities)])
    blocks: list[Callable[[], None]] = []
    for table in tables:
        columns = slice(first, first + len(table.scope.names))
        places = np.flatnonzero(looks_M[table.order_M] & ~table.disordered_M)
        of_scope = partial(_fill, table, number_M, out_NF[:, columns])
        blocks += [partial(of_scope, places[start : start + BLOCK]) for start in range(0, len(places), BLOCK)]
        first = columns.stop
        for number, view in table.one_by_one(looks_M):
            out_NF[number_M[number], columns] = table.scope.measure(view, plan.unit)[:, 0]
    workers.run(blocks)


def _fill(table: SortedScope, number_M: Ints, out_NF: Singles, place_N: Ints) -> None:
    """Write the features of the transactions at some places; `number_M` is the row of each in the table."""
    measured_NF = np.ascontiguousarray(table.scope.measure(table.view(place_N), table.plan.unit).T)
    out_NF[number_M[table.order_M[place_N]]] = measured_NF


def own_features(time_ms: Ints, steps: Ints, unit: float) -> Singles:
    """What the transactions tell alone (N, 7), as `declaration.OF_THE_EVENT` names it."""
    amount = steps * unit
    hour, day = (time_ms % DAY_MS) / 3_600_000, weekday(time_ms)
    per_unit = max(round(1 / unit), 1)
    columns = [
        amount,
        hour,
        day,
        is_night(time_ms),
        day >= 5,
        steps < 0,
        (np.abs(steps) % per_unit) * unit,
    ]
    return np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)

"""One transaction judged with the past that came in the same request; nothing is kept. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.errors import InputError
from pipelines.finance.fraud_cells import read_event
from pipelines.finance.fraud_stream import FraudJudge
from pipelines.finance.score import Score
from pipelines.finance.transactions.declaration import Scope
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.stream import Event, Stream

LABELS = {1: 1, 0: 0, None: -1}  # true is 1, false 0


def score_transaction(
    raw: Mapping[str, Any], past: Sequence[Mapping[str, Any]], judging: FraudJudge, *, reasons: int = 4
) -> Score:
    """Score a transaction by past ones, in any order; those later than it are not looked at.

    A past one may hold the model's target, which counts after the delay: 1 or true for fraud, 0 or false, null.
    InputError: the transaction or a past one cannot be read; `transactions[3]` says which.
    """
    arrival, plan = judging.read(raw), judging.plan
    events = [_past(one, plan, number) for number, one in enumerate(past)]
    earlier = sorted((one for one in events if one.time_ms <= arrival.event.time_ms), key=lambda one: one.time_ms)
    table = _to_table(earlier, plan)

    def recall(scope: Scope, keys: tuple[int, ...]) -> Events:
        mine = [table.key[column] == key for column, key in zip(scope.columns, keys, strict=True)]
        return table.take(np.logical_and.reduce(mine))

    stream = Stream(plan, recall=recall)
    return judging.judge(arrival, stream.measure(arrival.event), reasons=reasons)


def _past(raw: Mapping[str, Any], plan: TransactionPlan, number: int) -> Event:
    cell = None if plan.target is None else raw.get(plan.target)
    if isinstance(cell, str) or cell not in LABELS:
        words = f"transactions[{number}]: column {plan.target!r} holds {str(cell)[:40]!r}; 1, 0, true, false or null"
        raise InputError(words, code="BAD_LABEL")
    try:
        return read_event(raw, plan, LABELS[cell])
    except InputError as error:
        raise InputError(f"transactions[{number}]: {error}", code=error.code) from error


def _to_table(events: Sequence[Event], plan: TransactionPlan) -> Events:
    columns = [*([plan.entity] if plan.entity else []), *plan.counterparts]
    return Events(
        row=np.arange(len(events)),
        time_ms=np.asarray([event.time_ms for event in events], dtype=np.int64),
        key={column: np.asarray([event.key[column] for event in events], dtype=np.int64) for column in columns},
        steps=np.asarray([event.steps for event in events], dtype=np.int64),
        label=np.asarray([event.label for event in events], dtype=np.int8),
    )

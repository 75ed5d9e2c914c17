"""The cells of one transaction, read as `transactions.events.read_events` reads a table, without making a table of it.

Common ways of writing go the short way; whatever else comes is read as a table of one row.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np

from core.errors import InputError
from pipelines.finance.features import one_row
from pipelines.finance.transactions.events import MOST_STEPS, hash_keys, key_text, read_events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.stream import Event

_PLAIN_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{3}|\.\d{6})?(Z|[+-]\d{2}:\d{2})?")
_EPOCH_DAY = datetime(1970, 1, 1).toordinal()
_DAY_S = 86_400
_KNOWN_KEYS = 200_000  # hashes that are remembered
LONGEST_ID = 200


def read_event(raw: Mapping[str, Any], plan: TransactionPlan, label: int = -1) -> Event:
    """Read time, keys and amount; the serial is given when the transaction is kept.

    InputError, with the codes of `read_events`: a column is absent, or no time, key or amount stands there.
    """
    keys = [*([plan.entity] if plan.entity else []), *plan.counterparts]
    if absent := [column for column in (plan.time, plan.amount, *keys) if column not in raw]:
        raise InputError(f"the transaction has no column {', '.join(map(repr, absent))}", code="SCHEMA_MISSING")
    time_ms, steps = _time(raw[plan.time]), _steps(raw[plan.amount], plan.unit)
    hashed = {column: _key(raw[column]) for column in keys}
    if time_ms is None or steps is None or None in hashed.values():
        return _by_table(raw, plan, label)
    return Event(time_ms=time_ms, key=hashed, steps=steps, serial=0, label=label)  # type: ignore[arg-type]


def read_id(raw: Mapping[str, Any], plan: TransactionPlan) -> str | None:
    """The transaction's id; None where there is none. InputError: it is too long, or no text."""
    cell = None if plan.id_column is None else raw.get(plan.id_column)
    if cell is None or (text := key_text(cell)) == "":
        return None
    if len(text) > LONGEST_ID or "\x00" in text:
        words = f"column {plan.id_column!r}: an id has at most {LONGEST_ID} characters and no NUL"
        raise InputError(words, code="BAD_ID")
    return text


def _by_table(raw: Mapping[str, Any], plan: TransactionPlan, label: int) -> Event:
    wanted = replace(plan, arrived=None, id_column=None)
    columns = [plan.time, plan.amount, *([plan.entity] if plan.entity else []), *plan.counterparts]
    reading = read_events(one_row({column: raw[column] for column in columns}), wanted)
    for told in reading.errors.values():
        code, _, words = told.partition(": ")
        raise InputError(words, code=code)
    events = reading.events
    key = {column: int(hashed[0]) for column, hashed in events.key.items()}
    return Event(time_ms=int(events.time_ms[0]), key=key, steps=int(events.steps[0]), serial=0, label=label)


def _time(cell: object) -> int | None:
    """Milliseconds since 1970; None: not written in a common way."""
    if isinstance(cell, str):
        if not _PLAIN_TIME.fullmatch(cell):
            return None
        try:
            at = datetime.fromisoformat(cell)
        except ValueError:
            return None
        offset = at.utcoffset()
        seconds = (at.toordinal() - _EPOCH_DAY) * _DAY_S + at.hour * 3_600 + at.minute * 60 + at.second
        shift_ms = 0 if offset is None else round(offset.total_seconds() * 1_000)
        return seconds * 1_000 + at.microsecond // 1_000 - shift_ms
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        seconds_f = float(cell)
        return int(np.rint(seconds_f * 1_000)) if math.isfinite(seconds_f) and abs(seconds_f) <= 1e11 else None
    return None


def _steps(cell: object, unit: float) -> int | None:
    if not isinstance(cell, int | float) or isinstance(cell, bool):
        return None
    steps = np.rint(float(cell) / unit)
    return int(steps) if abs(steps) <= MOST_STEPS else None


def _key(cell: object) -> int | None:
    if not isinstance(cell, str | int | float) or isinstance(cell, bool) or cell != cell:
        return None
    text = key_text(cell)
    return _hash(text) if text else None


@lru_cache(maxsize=_KNOWN_KEYS)
def _hash(text: str) -> int:
    return int(hash_keys(np.asarray([text], dtype=object))[0])

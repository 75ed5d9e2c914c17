"""History put into a stream in bulk, without answers: what was before it began. Putting it in again does nothing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select

from apps.store.database import reading
from apps.store.stream_tables import StreamEvent, StreamKey, table_of
from apps.store.streams import Journal
from pipelines.finance.transactions.quantities import DAY_MS
from pipelines.finance.transactions.stream import Event

_events, _keys = table_of(StreamEvent), table_of(StreamKey)
_AT_ONCE = 500  # ids of one question
_NO_ANSWER = dict.fromkeys(("request_sha256", "model_version", "probability", "decision", "answer", "actor"))


@dataclass(frozen=True, kw_only=True)
class Past:
    """One transaction of the past and its id; the event's serial is given when it is kept."""

    event_id: str
    event: Event


def put_history(journal: Journal, past: Sequence[Past]) -> int:
    """Keep transactions, in their order, but those whose id is there; all or, where something fails, none.

    Returns how many were new.
    """
    came_ms = time.time_ns() // 1_000_000
    with journal.appending() as entry:
        there: set[str] = set()
        for start in range(0, len(past), _AT_ONCE):
            ids = [one.event_id for one in past[start : start + _AT_ONCE]]
            query = select(_events.c.event_id).where(
                _events.c.stream_id == journal.stream_id, _events.c.event_id.in_(ids)
            )
            there.update(entry.connection.execute(query).scalars())
        rows, keys = [], []
        for one in past:
            if one.event_id in there:
                continue
            there.add(one.event_id)
            entry.last_serial += 1
            event = replace(one.event, serial=entry.last_serial)
            entry.newest_ms = event.time_ms if entry.newest_ms is None else max(entry.newest_ms, event.time_ms)
            rows.append(journal.event_row(one.event_id, event, came_ms) | _NO_ANSWER)
            keys += journal.full_rows(event)
        if rows:
            entry.connection.execute(insert(_events), rows)
            entry.connection.execute(insert(_keys), keys)
            entry.move()
    return len(rows)


def prune_all(journal: Journal, *, at_once: int = 1_000) -> int:
    """Remove all that nobody can look back to, in short transactions; returns how many."""
    removed = 0
    while True:
        with journal.appending() as entry:
            some = entry.prune(at_once)
        removed += some
        if some < at_once:
            return removed


def contents(journal: Journal) -> dict[str, int | str | None]:
    """What a stream holds, in numbers."""
    here = _events.c.stream_id == journal.stream_id
    known = func.count().filter(_events.c.label >= 0)
    judged = func.count(_events.c.answer)
    query = select(func.count(), judged, known, func.min(_events.c.time_ms), func.max(_events.c.time_ms)).where(here)
    with reading(journal.db) as session:
        transactions, answers, labels, oldest_ms, newest_ms = session.execute(query).one()
    return {
        "transactions": transactions,
        "answered": answers,
        "with a label": labels,
        "oldest": _written(oldest_ms),
        "newest": _written(newest_ms),
        "last serial": journal.state().last_serial,
        "days kept": journal.plan.keeps_ms // DAY_MS,
    }


def _written(time_ms: int | None) -> str | None:
    if time_ms is None:
        return None
    return (datetime(1970, 1, 1) + timedelta(milliseconds=time_ms)).isoformat(sep=" ", timespec="seconds")

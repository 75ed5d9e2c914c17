"""The journal of a stream: transactions and what was answered, appended one by one; histories are made from it.

An entry is appended under a lock on the stream's row (SQLite: the database's one write lock), so that of several
processes each sees what the others kept before it. What is older than `keeps_ms` before the newest is removed bit by
bit with new entries: the journal holds so many days, a key's history at most `plan.most_events`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy
from sqlalchemy import Row, bindparam, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from apps.store.database import reading, writing
from apps.store.stream_tables import StreamEvent, StreamKey, StreamNote, StreamRow, table_of
from core.errors import InputError
from pipelines.finance.transactions.declaration import Scope
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.stream import Event

WAIT_S = 5.0  # for the lock; a transaction that waits longer is refused, not decided
PRUNE_EVERY, PRUNE_MOST = 16, 64  # entries, and old ones that are removed with them
MOST_NOTES = 10_000  # labels kept in the order in which they came; who is further behind starts from nothing
_TRIES = 3

_streams, _events, _keys, _notes = (table_of(kind) for kind in (StreamRow, StreamEvent, StreamKey, StreamNote))
_STATE = select(_streams.c.last_serial, _streams.c.last_note, _streams.c.newest_ms)
_STATE = _STATE.where(_streams.c.id == bindparam("stream"))
_LOCK = _STATE.with_for_update()  # SQLite locks the whole database, and leaves this out
_FIRST = select(_events).where(_events.c.stream_id == bindparam("stream"), _events.c.event_id == bindparam("event"))
_MOVE = (
    update(_streams)
    .where(_streams.c.id == bindparam("stream"))
    .values({name: bindparam(f"to_{name}") for name in ("last_serial", "last_note", "newest_ms")})
)
_RECALL = (
    select(_keys.c.serial, _keys.c.time_ms, _keys.c.steps, _keys.c.partner, _keys.c.label)
    .where(
        _keys.c.stream_id == bindparam("stream"),
        _keys.c.scope == bindparam("place"),
        _keys.c.key_a == bindparam("a"),
        _keys.c.key_b == bindparam("b"),
        _keys.c.serial <= bindparam("until"),
    )
    .order_by(_keys.c.time_ms.desc(), _keys.c.serial.desc())
    .limit(bindparam("most"))
)
_SINCE = (
    select(_events.c.serial, _events.c.time_ms, _events.c.steps, _events.c["keys"], _events.c.label)
    .where(_events.c.stream_id == bindparam("stream"), _events.c.serial > bindparam("since"))
    .order_by(_events.c.serial)
)
_NOTED = (
    select(_notes.c.label.label("noted"), _events.c.serial, _events.c.time_ms, _events.c.steps, _events.c["keys"])
    .join(_events, (_events.c.stream_id == _notes.c.stream_id) & (_events.c.serial == _notes.c.serial))
    .where(_notes.c.stream_id == bindparam("stream"), _notes.c.note > bindparam("since"))
    .order_by(_notes.c.note)
)
_OLD = (
    select(_events.c.serial, _events.c.time_ms, _events.c["keys"])
    .where(_events.c.stream_id == bindparam("stream"), _events.c.time_ms < bindparam("before"))
    .order_by(_events.c.time_ms)
    .limit(bindparam("most"))
)
_PUT, _PUT_KEY = insert(_events), insert(_keys)
_DROP_EVENT = delete(_events).where(_events.c.stream_id == bindparam("stream"), _events.c.serial == bindparam("at"))
OF_KEY = [column == bindparam(f"b_{column.name}") for column in _keys.primary_key.columns]
_DROP_KEY = delete(_keys).where(*OF_KEY)
_PATIENCE = text(f"SET LOCAL lock_timeout = {int(1_000 * WAIT_S)}")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is kept of an answer. `request_sha256` tells a repeated request from another one of the same id."""

    request_sha256: str
    model_version: int
    probability: float
    decision: str
    answer: str
    actor: str


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An entry of the journal, as it is needed when its id comes again; `answer` is None for history."""

    serial: int
    request_sha256: str | None
    answer: str | None


class Journal:
    """The journal of one stream, for a plan."""

    def __init__(self, db: sqlalchemy.Engine, stream_id: int, plan: TransactionPlan) -> None:
        self.db, self.stream_id, self.plan = db, stream_id, plan
        self.columns = key_columns(plan)
        self.scopes = key_scopes(plan)
        self._partners = [partner_of(plan, columns) for columns in self.scopes]
        self._timed = db.dialect.name == "postgresql"

    @classmethod
    def open(cls, db: sqlalchemy.Engine, name: str, plan: TransactionPlan) -> "Journal":
        """The stream of a model's name, made where there is none.

        InputError: its transactions are kept by other columns than the plan's.
        """
        told = {"columns": list(key_columns(plan)), "unit": plan.unit, "time": plan.time, "amount": plan.amount}
        for _ in range(_TRIES):
            try:
                with writing(db) as session:
                    row = session.scalars(select(StreamRow).where(StreamRow.name == name)).first()
                    if row is None:
                        row = StreamRow(name=name, columns=told, keeps_ms=0, created_at=datetime.now(UTC))
                        session.add(row)
                    row.keeps_ms = max(row.keeps_ms, plan.keeps_ms)
                    session.flush()
                    if row.columns != told:
                        raise InputError(_other_columns(name, row.columns, told), code="OTHER_STREAM")
                    return cls(db, row.id, plan)
            except IntegrityError:  # PostgreSQL: another process was faster
                continue
        raise AssertionError("a row that others made can be read")

    def state(self) -> "Entry":
        """Where the journal stands now; nothing can be put in."""
        with reading(self.db) as session:
            return self._entry(session.connection(), lock=False)

    def recall(self, scope: Scope, keys: tuple[int, ...], until: int) -> Events:
        """The newest transactions of a key, at most `most_events`, up to a serial, in the order in which they came."""
        a, b = (*keys, 0)[:2]
        asked = {"place": self.scopes.index(scope.columns), "a": a, "b": b, "until": until}
        with reading(self.db) as session:
            found = session.connection().execute(_RECALL, asked | self._here | {"most": self.plan.most_events}).all()
        table = np.asarray(found, dtype=np.int64).reshape(len(found), 5)
        serial, time_ms, steps, partner, label = table[np.argsort(table[:, 0])].T
        key = {scope.partner: partner} if scope.partner else {}
        return Events(row=serial, time_ms=time_ms, key=key, steps=steps, label=label.astype(np.int8))

    def find(self, event_id: str) -> Kept | None:
        """The entry of an id."""
        with reading(self.db) as session:
            return _kept(session.connection().execute(_FIRST, self._here | {"event": event_id}).first())

    @contextmanager
    def appending(self) -> Iterator["Entry"]:
        """Hold the stream's lock; what is put in is kept when the body ends, nothing when it raises.

        DatabaseError: the lock was not to be had in WAIT_S.
        """
        with writing(self.db, wait_s=WAIT_S) as session:
            connection = session.connection()
            if self._timed:
                connection.execute(_PATIENCE)
            yield self._entry(connection, lock=True)

    def event_row(self, event_id: str, event: Event, came_ms: int) -> dict[str, Any]:
        """The row in `stream_events` of a transaction, without an answer."""
        keys = [event.key[column] for column in self.columns]
        row = {"stream_id": self.stream_id, "serial": event.serial, "event_id": event_id, "came_ms": came_ms}
        return row | {"time_ms": event.time_ms, "steps": event.steps, "keys": keys, "label": event.label}

    def to_event(self, row: Row[*tuple[Any, ...]], label: int) -> Event:
        """A transaction as a running history takes it."""
        return Event(time_ms=row.time_ms, key=self.to_keys(row), steps=row.steps, serial=row.serial, label=label)

    def to_keys(self, row: Row[*tuple[Any, ...]]) -> dict[str, int]:
        """Column -> hash."""
        return dict(zip(self.columns, row._mapping["keys"], strict=True))

    def key_rows(self, serial: int, time_ms: int, keys: Mapping[str, int]) -> list[dict[str, Any]]:
        """Primary keys in `stream_keys` of a transaction, scope by scope."""
        rows = []
        for place, columns in enumerate(self.scopes):
            a, b = (*(keys[column] for column in columns), 0)[:2]
            row = {"stream_id": self.stream_id, "scope": place, "key_a": a, "key_b": b}
            rows.append(row | {"time_ms": time_ms, "serial": serial})
        return rows

    def full_rows(self, event: Event) -> list[dict[str, Any]]:
        """The rows in `stream_keys` of a transaction."""
        rows = self.key_rows(event.serial, event.time_ms, event.key)
        for row, partner in zip(rows, self._partners, strict=True):
            row |= {"partner": event.key.get(partner, 0), "steps": event.steps, "label": event.label}
        return rows

    @property
    def _here(self) -> dict[str, int]:
        return {"stream": self.stream_id}

    def _entry(self, connection: sqlalchemy.Connection, *, lock: bool) -> "Entry":
        state = connection.execute(_LOCK if lock else _STATE, self._here).one()
        return Entry(self, connection, state.last_serial, state.last_note, state.newest_ms)


@dataclass
class Entry:
    """A stream whose lock is held: what others kept, and room for one more."""

    journal: Journal
    connection: sqlalchemy.Connection
    last_serial: int
    last_note: int
    newest_ms: int | None

    def first(self, event_id: str) -> Kept | None:
        """The entry that has this id already."""
        asked = {"stream": self.journal.stream_id, "event": event_id}
        return _kept(self.connection.execute(_FIRST, asked).first())

    def events_since(self, serial: int) -> list[Event]:
        """Transactions that were kept after this one."""
        found = self.connection.execute(_SINCE, {"stream": self.journal.stream_id, "since": serial})
        return [self.journal.to_event(row, row.label) for row in found]

    def notes_since(self, note: int) -> list[Event]:
        """Transactions with the labels that became known after this note."""
        found = self.connection.execute(_NOTED, {"stream": self.journal.stream_id, "since": note})
        return [self.journal.to_event(row, row.noted) for row in found]

    def put(self, event_id: str, event: Event, came_ms: int, judged: Judged) -> int:
        """Keep a transaction with its answer; returns its serial."""
        serial = self.last_serial = self.last_serial + 1
        event = replace(event, serial=serial)
        self.newest_ms = event.time_ms if self.newest_ms is None else max(self.newest_ms, event.time_ms)
        self.connection.execute(_PUT, self.journal.event_row(event_id, event, came_ms) | vars(judged))
        self.connection.execute(_PUT_KEY, self.journal.full_rows(event))
        self.move()
        if serial % PRUNE_EVERY == 0:
            self.prune(PRUNE_MOST)
        return serial

    def move(self) -> None:
        """Write where the journal stands now."""
        to = {"to_last_serial": self.last_serial, "to_last_note": self.last_note, "to_newest_ms": self.newest_ms}
        self.connection.execute(_MOVE, {"stream": self.journal.stream_id} | to)

    def prune(self, most: int) -> int:
        """Remove at most so many transactions that nobody can look back to; returns how many."""
        if self.newest_ms is None:
            return 0
        here, before = {"stream": self.journal.stream_id}, self.newest_ms - self.journal.plan.keeps_ms
        old = self.connection.execute(_OLD, here | {"before": before, "most": most}).all()
        if not old:
            return 0
        keys = [
            {f"b_{name}": value for name, value in row.items()}
            for one in old
            for row in self.journal.key_rows(one.serial, one.time_ms, self.journal.to_keys(one))
        ]
        self.connection.execute(_DROP_KEY, keys)
        self.connection.execute(_DROP_EVENT, [here | {"at": one.serial} for one in old])
        return len(old)

    def forget_notes(self) -> None:
        """Remove all but the last labels: who has not followed them by now starts from nothing."""
        old = (_notes.c.stream_id == self.journal.stream_id, _notes.c.note <= self.last_note - MOST_NOTES)
        self.connection.execute(delete(_notes).where(*old))


def key_columns(plan: TransactionPlan) -> tuple[str, ...]:
    """The columns of the keys: entity, then counterparts."""
    return (*((plan.entity,) if plan.entity else ()), *plan.counterparts)


def key_scopes(plan: TransactionPlan) -> tuple[tuple[str, ...], ...]:
    """Columns by which transactions are found again, whatever features a version declares; the place is kept."""
    pairs = [(plan.entity, column) for column in plan.counterparts if plan.entity]
    return (*((column,) for column in key_columns(plan)), *pairs)


def partner_of(plan: TransactionPlan, columns: tuple[str, ...]) -> str:
    """The column whose different values a scope of these columns counts; see declaration.make_scopes."""
    if len(columns) > 1:
        return ""
    return next(iter(plan.counterparts), "") if columns[0] == plan.entity else plan.entity or ""


def _kept(row: Row[*tuple[Any, ...]] | None) -> Kept | None:
    if row is None:
        return None
    return Kept(serial=row.serial, request_sha256=row.request_sha256, answer=row.answer)


def _other_columns(name: str, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    differ = [part for part in wanted if there.get(part) != wanted[part]]
    told = "; ".join(f"{part} {there.get(part)} there, {wanted[part]} in the model" for part in differ)
    return f"the stream {name} is kept by other columns ({told}); train the model under a name of its own"

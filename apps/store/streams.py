"""The journal of a stream: transactions and what was answered, appended one by one; histories are made from it.

An entry is appended under a lock on the stream's row (SQLite: the database's one write lock), so that of several
processes each sees what the others kept before it. What is older than `keeps_ms` before the newest is removed bit by
bit with new entries: the journal holds so many days, a key's history at most `plan.most_events`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import numpy as np
import sqlalchemy
from sqlalchemy import Row, select
from sqlalchemy.exc import IntegrityError

from apps.store import stream_statements as statements
from apps.store.database import stating, writer_of, writing
from apps.store.stream_tables import StreamRow
from core.errors import InputError
from pipelines.finance.transactions.declaration import Scope
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.stream import Event

WAIT_S = 5.0  # for the lock; a transaction that waits longer is refused, not decided
PRUNE_EVERY, PRUNE_MOST = 16, 64  # entries, and old ones that are removed with them
MOST_NOTES = 10_000  # labels kept in the order in which they came; who is further behind starts from nothing
_TRIES = 3


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
        self._sql = statements.written(db.dialect.name)
        self._writer = writer_of(db, WAIT_S)
        self._patience = statements.patience(WAIT_S) if db.dialect.name == "postgresql" else None

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
        """Where the journal stands now."""
        with self.looking() as entry:
            return entry

    @contextmanager
    def looking(self) -> Iterator["Entry"]:
        """Look at the journal without its lock; others may go on, and nothing can be put in."""
        with stating(self.db) as connection:
            yield self._entry(connection, lock=False)

    def recall(
        self, scope: Scope, keys: tuple[int, ...], until: int, connection: sqlalchemy.Connection | None = None
    ) -> Events:
        """The newest transactions of a key, at most `most_events`, up to a serial, in the order in which they came."""
        if connection is None:
            with stating(self.db) as own:
                return self.recall(scope, keys, until, own)
        a, b = (*keys, 0)[:2]
        asked = {"place": self.scopes.index(scope.columns), "a": a, "b": b, "until": until, "param_1": 0}
        asked |= self._here | {"most": self.plan.most_events}
        found = connection.exec_driver_sql(self._sql["recall"], asked).all()
        table = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=5 * len(found)).reshape(len(found), 5)
        serial, time_ms, steps, partner, label = table[np.argsort(table[:, 0])].T
        key = {scope.partner: partner} if scope.partner else {}
        return Events(row=serial, time_ms=time_ms, key=key, steps=steps, label=label.astype(np.int8))

    def find(self, event_id: str) -> Kept | None:
        """The entry of an id."""
        with stating(self.db) as connection:
            return self.first(connection, event_id)

    @contextmanager
    def appending(self) -> Iterator["Entry"]:
        """Hold the stream's lock; what is put in is kept when the body ends, nothing when it raises.

        DatabaseError: the lock was not to be had in WAIT_S.
        """
        with stating(self._writer) as connection:
            if self._patience is not None:
                connection.execute(self._patience)
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

    def first(self, connection: sqlalchemy.Connection, event_id: str) -> Kept | None:
        """The entry that has this id already."""
        row = connection.exec_driver_sql(self._sql["first"], self._here | {"event": event_id}).first()
        return None if row is None else Kept(serial=row.serial, request_sha256=row.request_sha256, answer=row.answer)

    def put(self, connection: sqlalchemy.Connection, row: dict[str, Any], keys: list[dict[str, Any]]) -> None:
        """Write a transaction and its keys."""
        connection.exec_driver_sql(self._sql["put"], row | {"keys": json.dumps(row["keys"])})
        connection.exec_driver_sql(self._sql["key"], keys)

    def move(self, connection: sqlalchemy.Connection, entry: "Entry") -> None:
        """Write where an entry has brought the journal."""
        to = {"last_serial": entry.last_serial, "last_note": entry.last_note, "newest_ms": entry.newest_ms}
        connection.exec_driver_sql(self._sql["move"], self._here | to)

    def _entry(self, connection: sqlalchemy.Connection, *, lock: bool) -> "Entry":
        state = connection.exec_driver_sql(self._sql["lock" if lock else "state"], self._here).one()
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
        return self.journal.first(self.connection, event_id)

    def events_since(self, serial: int) -> list[Event]:
        """Transactions that were kept after this one."""
        found = self.connection.execute(statements.SINCE, {"stream": self.journal.stream_id, "since": serial})
        return [self.journal.to_event(row, row.label) for row in found]

    def notes_since(self, note: int) -> list[Event]:
        """Transactions with the labels that became known after this note."""
        found = self.connection.execute(statements.NOTED, {"stream": self.journal.stream_id, "since": note})
        return [self.journal.to_event(row, row.noted) for row in found]

    def put(self, event_id: str, event: Event, came_ms: int, judged: Judged) -> int:
        """Keep a transaction with its answer; returns its serial."""
        serial = self.last_serial = self.last_serial + 1
        event = replace(event, serial=serial)
        self.newest_ms = event.time_ms if self.newest_ms is None else max(self.newest_ms, event.time_ms)
        row = self.journal.event_row(event_id, event, came_ms) | vars(judged)
        self.journal.put(self.connection, row, self.journal.full_rows(event))
        self.move()
        if serial % PRUNE_EVERY == 0:
            self.prune(PRUNE_MOST)
        return serial

    def move(self) -> None:
        """Write where the journal stands now."""
        self.journal.move(self.connection, self)

    def prune(self, most: int) -> int:
        """Remove at most so many transactions that nobody can look back to; returns how many."""
        if self.newest_ms is None:
            return 0
        here, before = {"stream": self.journal.stream_id}, self.newest_ms - self.journal.plan.keeps_ms
        old = self.connection.execute(statements.OLD, here | {"before": before, "most": most}).all()
        if not old:
            return 0
        keys = [
            {f"b_{name}": value for name, value in row.items()}
            for one in old
            for row in self.journal.key_rows(one.serial, one.time_ms, self.journal.to_keys(one))
        ]
        self.connection.execute(statements.DROP_KEY, keys)
        self.connection.execute(statements.DROP_EVENT, [here | {"at": one.serial} for one in old])
        return len(old)

    def forget_notes(self) -> None:
        """Remove all but the last labels: who has not followed them by now starts from nothing."""
        old = {"stream": self.journal.stream_id, "until": self.last_note - MOST_NOTES}
        self.connection.execute(statements.DROP_NOTES, old)


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


def _other_columns(name: str, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    differ = [part for part in wanted if there.get(part) != wanted[part]]
    told = "; ".join(f"{part} {there.get(part)} there, {wanted[part]} in the model" for part in differ)
    return f"the stream {name} is kept by other columns ({told}); train the model under a name of its own"

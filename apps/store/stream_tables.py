"""The tables of streams of transactions: an append-only journal, from which every history in memory can be made again.

`streams.last_serial` and `last_note` are changed with every entry, under a lock on the row: who holds it sees all.
"""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from apps.store.tables import Base

LONGEST_ID = 200  # characters


class StreamRow(Base):
    """One stream: all transactions that are judged under one model's name, whatever its version."""

    __tablename__ = "streams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True, comment="the model's")
    columns: Mapped[dict[str, Any]] = mapped_column(comment="what its keys and amounts are; no version may change it")
    keeps_ms: Mapped[int] = mapped_column(BigInteger, comment="how old a transaction may grow, by the newest one")
    last_serial: Mapped[int] = mapped_column(BigInteger, default=0)
    last_note: Mapped[int] = mapped_column(BigInteger, default=0)
    newest_ms: Mapped[int | None] = mapped_column(BigInteger, comment="time of the newest transaction, since 1970")
    created_at: Mapped[datetime]


class StreamEvent(Base):
    """One transaction, and what was answered; without an answer it was put in as history."""

    __tablename__ = "stream_events"
    __table_args__ = (
        PrimaryKeyConstraint("stream_id", "serial"),
        UniqueConstraint("stream_id", "event_id", name="one_event_per_id"),
        Index("stream_events_by_time", "stream_id", "time_ms"),
    )

    stream_id: Mapped[int] = mapped_column(ForeignKey("streams.id"))
    serial: Mapped[int] = mapped_column(BigInteger, comment="from 1, in the order in which they were kept")
    event_id: Mapped[str] = mapped_column(String(LONGEST_ID))
    time_ms: Mapped[int] = mapped_column(BigInteger, comment="its own time, since 1970")
    came_ms: Mapped[int] = mapped_column(BigInteger, comment="when it came in, by the clock here")
    steps: Mapped[int] = mapped_column(BigInteger, comment="its amount in steps of the plan's unit")
    keys: Mapped[list[Any]] = mapped_column(comment="hashes: entity, then counterparts")
    label: Mapped[int] = mapped_column(SmallInteger, comment="1 fraud, 0 good, -1 unknown")
    request_sha256: Mapped[str | None] = mapped_column(String(64), comment="null: history, never judged")
    model_version: Mapped[int | None]
    probability: Mapped[float | None]
    decision: Mapped[str | None] = mapped_column(String(10))
    answer: Mapped[str | None] = mapped_column(Text, comment="as it was sent, JSON")
    actor: Mapped[str | None] = mapped_column(String(200))


class StreamKey(Base):
    """A transaction under one of its keys, clustered so that a history is one stretch of the table."""

    __tablename__ = "stream_keys"
    __table_args__ = (
        PrimaryKeyConstraint("stream_id", "scope", "key_a", "key_b", "time_ms", "serial"),
        {"sqlite_with_rowid": False},
    )

    stream_id: Mapped[int] = mapped_column(ForeignKey("streams.id"))
    scope: Mapped[int] = mapped_column(SmallInteger, comment="which columns the key is of; see apps.store.streams")
    key_a: Mapped[int] = mapped_column(BigInteger)
    key_b: Mapped[int] = mapped_column(BigInteger, comment="of a pair; else 0")
    time_ms: Mapped[int] = mapped_column(BigInteger)
    serial: Mapped[int] = mapped_column(BigInteger)
    steps: Mapped[int] = mapped_column(BigInteger)
    partner: Mapped[int] = mapped_column(BigInteger, comment="hash of the column whose different values are counted")
    label: Mapped[int] = mapped_column(SmallInteger)


class StreamNote(Base):
    """A label that became known, in the order in which they did; the newest of a transaction counts."""

    __tablename__ = "stream_notes"
    __table_args__ = (PrimaryKeyConstraint("stream_id", "note"),)

    stream_id: Mapped[int] = mapped_column(ForeignKey("streams.id"))
    note: Mapped[int] = mapped_column(BigInteger, comment="from 1")
    serial: Mapped[int] = mapped_column(BigInteger)
    label: Mapped[int] = mapped_column(SmallInteger)
    noted_at: Mapped[datetime]


def table_of(kind: type[Base]) -> Table:
    """The table itself, for statements that go past the objects: a stream has no time for them."""
    return cast(Table, kind.__table__)

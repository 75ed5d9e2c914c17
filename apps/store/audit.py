"""The audit chain: who did what to what. Events are only added; each holds the hash of the one before it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.store.database import reading
from apps.store.tables import AuditEvent

START = "0" * 64  # stands before the first event
_LOCK_NUMBER = 0x41554454
_PAGE = 1_000


@dataclass(frozen=True, kw_only=True)
class ChainCheck:
    """`broken_at` is the first event that does not fit the chain; `head` the hash to keep outside the database."""

    events: int
    head: str
    broken_at: int | None
    reason: str | None


def append(session: Session, *, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> AuditEvent:
    """Add an event in the transaction of the action itself: neither is kept without the other.

    `session` must come from `writing`, so that on SQLite nobody else can add an event in between; on PostgreSQL a
    lock held until the end of the transaction does that.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK_NUMBER)))
    last = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).first()
    event = AuditEvent(
        id=1 if last is None else last.id + 1,
        at=datetime.now(UTC),
        actor=actor[:200],
        action=action[:100],
        subject=subject[:300],
        detail=json.loads(json.dumps(detail, allow_nan=False, default=str)),
        previous_hash=START if last is None else last.hash,
        hash="",
    )
    event.hash = event_hash(event)
    session.add(event)
    session.flush()
    return event


def event_hash(event: AuditEvent) -> str:
    """SHA-256 over the previous hash and the canonical JSON of the event."""
    body = {
        "id": event.id,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": event.actor,
        "action": event.action,
        "subject": event.subject,
        "detail": event.detail,
    }
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(event.previous_hash.encode() + text.encode()).hexdigest()


def verify(db: sqlalchemy.Engine) -> ChainCheck:
    """Compute the whole chain again. Events cut off at the end show only against a head kept elsewhere."""
    count, head = 0, START
    while True:
        with reading(db) as session:
            query = select(AuditEvent).where(AuditEvent.id > count).order_by(AuditEvent.id).limit(_PAGE)
            events = session.scalars(query).all()
        if not events:
            return ChainCheck(events=count, head=head, broken_at=None, reason=None)
        for event in events:
            if reason := _fault(event, count + 1, head):
                return ChainCheck(events=count, head=head, broken_at=event.id, reason=reason)
            count, head = event.id, event.hash


def page(db: sqlalchemy.Engine, *, before: int | None = None, limit: int = 100) -> list[AuditEvent]:
    """Return events, newest first, at most 500; `before` is the id of the last one seen."""
    query = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(min(limit, 500))
    if before is not None:
        query = query.where(AuditEvent.id < before)
    with reading(db) as session:
        return list(session.scalars(query))


def _fault(event: AuditEvent, expected_id: int, previous: str) -> str | None:
    if event.id != expected_id:
        return f"event {expected_id} is missing"
    if event.previous_hash != previous:
        return "it does not hold the hash of the event before it"
    return None if event.hash == event_hash(event) else "it was changed: its hash does not fit"

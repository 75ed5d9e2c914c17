"""Chunks: who works on what, until when, and who may write the rows.

A claim takes a lease and raises the chunk's fence, in one statement that compares before it sets. Every later write
of that worker names the fence it was given; once somebody else has claimed the chunk, it is refused. A chunk is tried
three times, then it is dead: it keeps its cause, and its rows end with that error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from apps.store.database import now, reading, write
from apps.store.inspections import JudgedImage, upsert_inspections
from apps.store.results import ScoredCase, upsert_results
from apps.store.tables import Chunk, Job
from core.errors import AssayError

LEASE_S = 20.0
MAX_ATTEMPTS = 3
_BACKOFF_S = 1.0  # before the second attempt; four times as long before the third
_LONGEST_LEASE = timedelta(minutes=5)  # a lease that ends later was given by a clock that has jumped back since


class LeaseLostError(AssayError):
    """Somebody else works on this chunk now, or has ended it: what this worker did is not kept."""

    code = "LEASE_LOST"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a worker holds while it works: the chunk, the fence it was given, and what the job asks for."""

    chunk_id: int
    job_id: str
    kind: str
    model_id: int
    params: dict[str, Any]
    payload: dict[str, Any]
    first_row: int
    rows: int
    attempt: int
    fence: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a chunk gave, by row number in the input; `failed` rows have an error."""

    cases: Mapping[int, ScoredCase] = field(default_factory=dict)
    images: Mapping[int, JudgedImage] = field(default_factory=dict)
    failed: int = 0


def claim(db: sqlalchemy.Engine, chunk_id: int, worker: str, *, lease_s: float = LEASE_S) -> Claim | None:
    """Take a chunk for `lease_s` seconds. None: it is done, in other hands, waiting for its next try, or cancelled."""

    def work(session: Session) -> Claim | None:
        at = now(session)
        values: dict[str, Any] = {
            "state": "running",
            "attempt": Chunk.attempt + 1,
            "fence": Chunk.fence + 1,
            "worker": worker,
            "lease_until": at + timedelta(seconds=lease_s),
            "heartbeat_at": at,
        }
        alive = select(Job.id).where(Job.id == Chunk.job_id, Job.state.in_(("queued", "running"))).exists()
        wanted = update(Chunk).where(Chunk.id == chunk_id, claimable(at), alive)
        if _changed(session, wanted.values(values)) == 0:
            return None
        return _describe(session, chunk_id)

    return write(db, work)


def claimable(at: datetime) -> ColumnElement[bool]:
    """Say which chunks may be claimed: those that wait, and those whose lease has ended, if a try is left."""
    free = and_(Chunk.state == "queued", or_(Chunk.lease_until.is_(None), lease_ended(at)))
    return and_(Chunk.attempt < MAX_ATTEMPTS, or_(free, and_(Chunk.state == "running", lease_ended(at))))


def lease_ended(at: datetime) -> ColumnElement[bool]:
    """Say which leases count no more; for a waiting chunk: whose pause before the next try is over."""
    return or_(Chunk.lease_until < at, Chunk.lease_until > at + _LONGEST_LEASE)


def heartbeat(db: sqlalchemy.Engine, held: Claim, *, lease_s: float = LEASE_S) -> None:
    """Prolong a lease. LeaseLostError when it is no longer ours."""

    def work(session: Session) -> None:
        at = now(session)
        values = {"lease_until": at + timedelta(seconds=lease_s), "heartbeat_at": at}
        _require_held(session, update(Chunk).where(*_held(held)).values(values), held)

    write(db, work)


def finish(db: sqlalchemy.Engine, held: Claim, outcome: Outcome) -> None:
    """Keep the rows and end the chunk, in one transaction. LeaseLostError, and nothing kept, when it is not ours."""

    def work(session: Session) -> None:
        at = now(session)
        values = {"state": "done", "failed": outcome.failed, "finished_at": at, "lease_until": None, "error": None}
        _require_held(session, update(Chunk).where(*_held(held)).values(values), held)
        job_id, model_id = held.job_id, held.model_id
        upsert_results(session, job_id=job_id, model_id=model_id, cases=outcome.cases, at=at)
        upsert_inspections(session, job_id=job_id, model_id=model_id, images=outcome.images, at=at)

    write(db, work)


def release(db: sqlalchemy.Engine, held: Claim, cause: str, *, final: bool = False, counts: bool = True) -> None:
    """Give a chunk back after a fault. `final`: no try can help; `counts` false: this try was not the chunk's fault."""
    write(db, lambda session: _give_back(session, and_(*_held(held)), cause, final=final, counts=counts))


def release_lost(db: sqlalchemy.Engine, chunk_id: int, worker: str, cause: str, *, counts: bool = True) -> int:
    """Give back a chunk whose worker process is gone; `worker` is how the names of its processes begin."""
    lost = and_(Chunk.id == chunk_id, Chunk.state == "running", Chunk.worker.startswith(worker, autoescape=True))
    return write(db, lambda session: _give_back(session, lost, cause, counts=counts))


def give_back_expired(db: sqlalchemy.Engine) -> int:
    """Give back what workers hold that have shown no sign of life for a whole lease. Returns how many chunks."""
    cause = "WORKER_LOST: its worker gave no sign of life for a whole lease (killed, or hung)"
    with reading(db) as session:  # mostly there is none, and then nobody has to wait for a write lock
        if session.scalar(select(func.count()).where(_expired(now(session)))) == 0:
            return 0
    return write(db, lambda session: _give_back(session, _expired(now(session)), cause))


def _expired(at: datetime) -> ColumnElement[bool]:
    return and_(Chunk.state == "running", lease_ended(at))


def _give_back(
    session: Session, which: ColumnElement[bool], cause: str, *, final: bool = False, counts: bool = True
) -> int:
    """Make chunks wait for their next try, or bury those that have none left. Returns how many there were."""
    at = now(session)
    held = session.scalars(select(Chunk).where(which).with_for_update()).all()
    for chunk in held:
        chunk.error = cause[:2000]
        chunk.attempt -= 0 if counts else 1
        if final or chunk.attempt >= MAX_ATTEMPTS:
            chunk.state, chunk.lease_until, chunk.finished_at = "dead", None, at
            chunk.failed = chunk.rows
            continue
        pause = _BACKOFF_S * 4 ** (chunk.attempt - 1) if counts else 0.0
        chunk.state, chunk.lease_until, chunk.published_at = "queued", at + timedelta(seconds=pause), None
    return len(held)


def _describe(session: Session, chunk_id: int) -> Claim:
    chunk, job = session.execute(select(Chunk, Job).join(Job).where(Chunk.id == chunk_id)).one()
    if job.state == "queued":
        session.execute(update(Job).where(Job.id == job.id, Job.state == "queued").values(state="running"))
    return Claim(
        chunk_id=chunk.id,
        job_id=job.id,
        kind=job.kind,
        model_id=job.model_id,
        params=job.params,
        payload=chunk.payload,
        first_row=chunk.first_row,
        rows=chunk.rows,
        attempt=chunk.attempt,
        fence=chunk.fence,
    )


def _held(held: Claim) -> tuple[ColumnElement[bool], ...]:
    return Chunk.id == held.chunk_id, Chunk.fence == held.fence, Chunk.state == "running"


def _require_held(session: Session, change: sqlalchemy.Update, held: Claim) -> None:
    if _changed(session, change) != 1:
        raise LeaseLostError(f"chunk {held.chunk_id} of job {held.job_id} is no longer held with fence {held.fence}")


def _changed(session: Session, change: sqlalchemy.Update) -> int:
    result = session.execute(change.execution_options(synchronize_session=False))
    return int(result.rowcount)  # type: ignore[attr-defined]

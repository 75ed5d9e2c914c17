"""Sends hints: which chunk can be claimed, which job has to be ended. A hint that cannot be sent now is sent later."""

from datetime import datetime, timedelta
from functools import partial

import sqlalchemy
import structlog
from kombu.exceptions import OperationalError
from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from apps.settings import Settings
from apps.store.chunks import lease_ended
from apps.store.database import now, reading, write
from apps.store.tables import Chunk, Job, WorkerBeat
from apps.worker.app import BATCH_TASKS, CHUNK_TASKS, sender

OUTSTANDING = 32  # hints a job at a time, so that jobs take turns and the embedded broker stays quick
BEAT_S = 10.0  # a worker that was not seen for so long counts as gone
_STALE = timedelta(seconds=5)
_QUIET = timedelta(seconds=3)
_MOST = 1_000  # hints taken back at a time
_OPEN_JOBS = select(Job.id).where(Job.state.in_(("queued", "running")))

log = structlog.get_logger(__name__)


def publish(db: sqlalchemy.Engine, settings: Settings, *, job_id: str | None = None) -> int:
    """Send hints for chunks that wait, of one job or of all; returns how many were sent, fewer when the broker is down.

    Sent first, marked then: a process that dies in between causes a double, which does no harm.
    """
    sent: list[int] = []
    try:
        for chunk_id, kind in _waiting(db, job_id):
            sender(settings).send_task(CHUNK_TASKS[kind], args=[chunk_id])
            sent.append(chunk_id)
    except OperationalError as error:
        log.warning("the broker does not answer; hints are sent later", error=str(error))
    if sent:
        mark = update(Chunk).where(Chunk.id.in_(sent), Chunk.state == "queued")
        write(db, lambda session: session.execute(mark.values(published_at=now(session))))
    return len(sent)


def publish_endings(db: sqlalchemy.Engine, settings: Settings) -> int:
    """Send hints for jobs whose chunks have all ended and that nobody is ending."""
    sent = 0
    for job_id, kind in _to_be_ended(db):
        try:
            sender(settings).send_task(BATCH_TASKS[kind], args=[job_id])
        except OperationalError as error:
            log.warning("the broker does not answer; hints are sent later", error=str(error))
            return sent
        write(db, partial(_mark_job, job_id))
        sent += 1
    return sent


def forget_lost_hints(db: sqlalchemy.Engine) -> int:
    """Find hints that were lost with the broker: they are old, nothing ends, and yet some worker has nothing to do."""
    with reading(db) as session:
        at = now(session)
        if session.scalar(select(func.count()).where(Chunk.finished_at > at - _QUIET, Chunk.job_id.in_(_OPEN_JOBS))):
            return 0
        beats = session.scalars(select(WorkerBeat).where(WorkerBeat.seen_at > at - timedelta(seconds=BEAT_S))).all()
        running = session.scalar(select(func.count()).where(Chunk.state == "running")) or 0
        idle = sum(int(beat.info.get("concurrency", 0)) for beat in beats) - running
        stale = and_(Chunk.state == "queued", Chunk.published_at < at - _STALE, Chunk.job_id.in_(_OPEN_JOBS))
        lost = session.scalars(select(Chunk.id).where(stale).limit(_MOST if idle > 0 else 0)).all()
    if lost:
        mark = update(Chunk).where(Chunk.id.in_(lost), Chunk.state == "queued").values(published_at=None)
        write(db, lambda session: session.execute(mark))
    return len(lost)


def _mark_job(job_id: str, session: Session) -> None:
    session.execute(update(Job).where(Job.id == job_id).values(published_at=now(session)))


def _waiting(db: sqlalchemy.Engine, job_id: str | None) -> list[tuple[int, str]]:
    """Return chunks to hint at: of each job the first ones, up to the number that may be out."""
    with reading(db) as session:
        at = now(session)
        out = (
            select(Chunk.job_id, func.count().label("hints"))
            .where(Chunk.state == "queued", Chunk.published_at.is_not(None))
            .group_by(Chunk.job_id)
            .subquery()
        )
        place = func.row_number().over(partition_by=Chunk.job_id, order_by=Chunk.number)
        ready = or_(Chunk.lease_until.is_(None), lease_ended(at))
        found = (
            select(Chunk.id, Job.kind, place.label("place"), func.coalesce(out.c.hints, 0).label("hints"))
            .join(Job, Job.id == Chunk.job_id)
            .outerjoin(out, out.c.job_id == Chunk.job_id)
            .where(Chunk.state == "queued", Chunk.published_at.is_(None), ready, Job.state.in_(("queued", "running")))
        )
        if job_id is not None:
            found = found.where(Chunk.job_id == job_id)
        table = found.subquery()
        first = select(table.c.id, table.c.kind).where(table.c.place + table.c.hints <= OUTSTANDING)
        return [(row[0], row[1]) for row in session.execute(first.order_by(table.c.place, table.c.id))]


def _to_be_ended(db: sqlalchemy.Engine) -> list[tuple[str, str]]:
    with reading(db) as session:
        at: datetime = now(session)
        unended = select(Chunk.id).where(Chunk.job_id == Job.id, Chunk.state.in_(("queued", "running"))).exists()
        free = or_(Job.lease_until.is_(None), Job.lease_until < at)
        unhinted = or_(Job.published_at.is_(None), Job.published_at < at - _STALE)
        query = select(Job.id, Job.kind).where(Job.state.in_(("queued", "running")), ~unended, free, unhinted)
        return [(row[0], row[1]) for row in session.execute(query.limit(100))]

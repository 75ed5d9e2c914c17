"""The end of a job: once all chunks have ended, one worker writes the out file and closes the job."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from apps.store.chunks import LEASE_S, MAX_ATTEMPTS, LeaseLostError
from apps.store.database import now, reading, write
from apps.store.inspections import JudgedImage, upsert_inspections
from apps.store.results import ScoredCase, upsert_results
from apps.store.tables import Chunk, Inspection, Job, Result

_OPEN = ("queued", "running")
_PAUSE_S = 5.0  # before the next try to write the file
_PAGE = 20_000


@dataclass(frozen=True, kw_only=True)
class Closing:
    """What a worker holds while it ends a job."""

    job_id: str
    kind: str
    model_id: int
    params: dict[str, Any]
    rows_total: int
    attempt: int
    fence: int


def claim_closing(db: sqlalchemy.Engine, job_id: str, worker: str, *, lease_s: float = LEASE_S) -> Closing | None:
    """Take the end of a job. None: chunks are still open, the job has ended, or somebody else is ending it."""

    def work(session: Session) -> Closing | None:
        at = now(session)
        unended = select(Chunk.id).where(Chunk.job_id == job_id, Chunk.state.in_(_OPEN)).exists()
        free = or_(Job.lease_until.is_(None), Job.lease_until < at)
        wanted = update(Job).where(Job.id == job_id, Job.state.in_(_OPEN), free, ~unended)
        values: dict[str, Any] = {
            "state": "running",
            "attempt": Job.attempt + 1,
            "fence": Job.fence + 1,
            "worker": worker,
            "lease_until": at + timedelta(seconds=lease_s),
        }
        if _changed(session, wanted.values(values)) == 0:
            return None
        job = session.get_one(Job, job_id)
        fields = ("kind", "model_id", "params", "rows_total", "attempt", "fence")
        return Closing(job_id=job_id, **{name: getattr(job, name) for name in fields})

    return write(db, work)


def prolong_closing(db: sqlalchemy.Engine, held: Closing, *, lease_s: float = LEASE_S) -> None:
    """Keep the end of a job for longer. LeaseLostError when it is no longer ours."""

    def work(session: Session) -> None:
        until = now(session) + timedelta(seconds=lease_s)
        _require_held(session, held, {"lease_until": until})

    write(db, work)


def close_job(db: sqlalchemy.Engine, held: Closing, summary: dict[str, Any]) -> None:
    """Mark the job as done. LeaseLostError when somebody else is at it."""

    def work(session: Session) -> None:
        at = now(session)
        values = {"state": "done", "summary": summary, "finished_at": at, "lease_until": None, "error": None}
        _require_held(session, held, values)

    write(db, work)


def postpone_closing(db: sqlalchemy.Engine, held: Closing, cause: str) -> None:
    """Leave the end of the job for later; after the third try the job has failed, its rows stay in the results."""

    def work(session: Session) -> None:
        at = now(session)
        values: dict[str, Any] = {"error": cause[:2000], "lease_until": at + timedelta(seconds=_PAUSE_S)}
        if held.attempt >= MAX_ATTEMPTS:
            values |= {"state": "failed", "finished_at": at, "lease_until": None}
        _require_held(session, held, values)

    write(db, work)


def dead_chunks(db: sqlalchemy.Engine, job_id: str) -> list[Chunk]:
    """Return the chunks of a job that were given up."""
    with reading(db) as session:
        return list(session.scalars(select(Chunk).where(Chunk.job_id == job_id, Chunk.state == "dead")))


def fill_dead_scores(db: sqlalchemy.Engine, held: Closing, chunk: Chunk, ids: tuple[str, ...]) -> None:
    """Give every row of a dead chunk its place in the results, with the cause as its error."""
    cases = {
        chunk.first_row + place: ScoredCase(
            case_id=case_id, score=None, probability=None, decision=None, error=chunk.error
        )
        for place, case_id in enumerate(ids)
    }

    def work(session: Session) -> None:
        upsert_results(session, job_id=held.job_id, model_id=held.model_id, cases=cases, at=now(session))

    write(db, work)


def fill_dead_images(db: sqlalchemy.Engine, held: Closing, images: dict[int, JudgedImage]) -> None:
    """Give every picture of a dead chunk its answer, `unknown`."""

    def work(session: Session) -> None:
        upsert_inspections(session, job_id=held.job_id, model_id=held.model_id, images=images, at=now(session))

    write(db, work)


def rows_in_order(db: sqlalchemy.Engine, table: type[Result] | type[Inspection], job_id: str) -> Iterator[list[Any]]:
    """Yield the rows that a job wrote to a table in input order, page by page, as plain rows with the column names."""
    columns, last = list(table.__table__.columns), -1
    while True:
        with reading(db) as session:
            query = select(*columns).where(table.job_id == job_id, table.row > last).order_by(table.row)
            rows = list(session.execute(query.limit(_PAGE)))
        if not rows:
            return
        yield rows
        last = rows[-1].row


def failed_rows(db: sqlalchemy.Engine, job_id: str) -> int:
    """Return how many rows of a job ended with an error."""
    with reading(db) as session:
        return session.scalar(select(func.sum(Chunk.failed)).where(Chunk.job_id == job_id)) or 0


def _held(held: Closing) -> tuple[ColumnElement[bool], ...]:
    return Job.id == held.job_id, Job.fence == held.fence, Job.state == "running"


def _require_held(session: Session, held: Closing, values: dict[str, Any]) -> None:
    if _changed(session, update(Job).where(*_held(held)).values(values)) != 1:
        raise LeaseLostError(f"the end of job {held.job_id} is no longer held with fence {held.fence}")


def _changed(session: Session, change: sqlalchemy.Update) -> int:
    result = session.execute(change.execution_options(synchronize_session=False))
    return int(result.rowcount)  # type: ignore[attr-defined]

"""Jobs: a file or a set of pictures, cut into chunks and accepted as a whole or not at all."""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from apps.settings import Settings
from apps.store import audit
from apps.store.cutting import CutRows, cut_case, cut_table
from apps.store.database import reading, write
from apps.store.objects import open_objects
from apps.store.tables import Chunk, Job, Model
from core.errors import AssayError, GateError, InputError, NotFoundError
from data.tables import TableWriter

ROWS_PER_CHUNK = 5_000
PICTURES_PER_CHUNK = 16
MAX_WAITING = 1_000  # jobs; more are refused until some are done
OPEN_STATES = ("queued", "running")


@dataclass(frozen=True, kw_only=True)
class Due:
    """The schedule and the due time (UTC) that a job is for; there is one job for both, whoever submits it."""

    schedule_id: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Order:
    """How a job is asked for, whatever its kind. The same `idempotency_key` gives the first job again."""

    idempotency_key: str | None = None
    due: Due | None = None
    actor: str = "local"


@dataclass(frozen=True, kw_only=True)
class JobState:
    """Where a job stands. Rows are pictures for an inspect job; `rows_done` counts failed ones too."""

    job: Job
    chunks: dict[str, int]  # by state: queued, running, done, dead, cancelled
    rows_done: int
    rows_failed: int

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return self.rows_done / self.job.rows_total if self.job.rows_total else 1.0

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.job.state not in OPEN_STATES


def submit_score_job(
    db: sqlalchemy.Engine,
    settings: Settings,
    *,
    model: Model,
    source: Path,
    out: Path | None = None,
    id_column: str | None = None,
    where: Mapping[str, str] | None = None,
    reasons: int = 4,
    reasons_for: Literal["review", "all"] = "review",
    rows_per_chunk: int = ROWS_PER_CHUNK,
    order: Order | None = None,
) -> Job:
    """Cut a table into chunks for the workers; the verdicts go to `out` (in the home unless given).

    InputError where the file, a column or `out` is no good: then there is no job. The broker may be down: the hints
    to the workers are sent later.
    """
    job_id, order = uuid.uuid4().hex, order or Order()
    out = (out or settings.home / "out" / f"{job_id}.csv").resolve()
    if out.parent == settings.home.resolve() / "out":
        out.parent.mkdir(parents=True, exist_ok=True)
    TableWriter(out)  # refuses an ending or a folder that cannot be
    wish = {
        "source": str(source.resolve()),
        "id_column": id_column,
        "where": dict(where or {}),
        "reasons": reasons,
        "reasons_for": reasons_for,
    }
    request = _request_hash(order, {**wish, "source": None, "model": model.id}, [source])  # content, not path
    if (known := _known_job(db, order, request)) is not None:
        return known
    cut = cut_table(settings, model, job_id, wish, rows_per_chunk)
    told = {"out": str(out), "notes": cut.notes, "period": cut.period}
    job = _new_job(job_id, "score", model, {**wish, **told}, order, request)
    return _accept(db, settings, job, cut, order)


def submit_assessment(
    db: sqlalchemy.Engine,
    settings: Settings,
    *,
    model: Model,
    case_id: str,
    application: Mapping[str, object],
    order: Order | None = None,
) -> Job:
    """Make a job of a single case; its verdict is found in the results, there is no file."""
    job_id, order = uuid.uuid4().hex, order or Order()
    request = _request_hash(order, {"model": model.id, "id": case_id, "application": dict(application)}, [])
    if (known := _known_job(db, order, request)) is not None:
        return known
    cut = cut_case(settings, job_id, case_id, application)
    job = _new_job(job_id, "assess", model, {"out": None, "reasons": 4, "reasons_for": "all"}, order, request)
    return _accept(db, settings, job, cut, order)


def submit_inspect_job(
    db: sqlalchemy.Engine,
    settings: Settings,
    *,
    model: Model,
    paths: Sequence[Path],
    out: Path | None = None,
    heatmaps: bool = False,
    pictures_per_chunk: int = PICTURES_PER_CHUNK,
    order: Order | None = None,
) -> Job:
    """Make a job of pictures by path; the answers go to `out`, one JSON document a line, in the order of `paths`."""
    if not paths:
        raise InputError("no pictures to inspect; name files or a folder that holds some")
    job_id, order = uuid.uuid4().hex, order or Order()
    out = (out or settings.home / "out" / f"{job_id}.jsonl").resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    request = _request_hash(order, {"model": model.id, "heatmaps": heatmaps}, paths)
    if (known := _known_job(db, order, request)) is not None:
        return known
    whole = [str(path.resolve()) for path in paths]
    parts = [whole[start : start + pictures_per_chunk] for start in range(0, len(whole), pictures_per_chunk)]
    cut = CutRows(payloads=[{"paths": part} for part in parts], sizes=[len(part) for part in parts], notes=[])
    job = _new_job(job_id, "inspect", model, {"out": str(out), "heatmaps": heatmaps}, order, request)
    return _accept(db, settings, job, cut, order)


def job_state(db: sqlalchemy.Engine, job_id: str) -> JobState:
    """Return where a job stands."""
    by_state = select(Chunk.state, func.count(), func.sum(Chunk.rows), func.sum(Chunk.failed))
    with reading(db) as session:
        job = session.get(Job, job_id)
        rows = session.execute(by_state.where(Chunk.job_id == job_id).group_by(Chunk.state)).all()
    if job is None:
        raise NotFoundError(f"no job has the id {job_id}")
    ended = [row for row in rows if row[0] in ("done", "dead")]
    return JobState(
        job=job,
        chunks={row[0]: row[1] for row in rows},
        rows_done=sum(row[2] for row in ended),
        rows_failed=sum(row[3] for row in ended),
    )


def list_jobs(db: sqlalchemy.Engine, *, state: str | None = None, limit: int = 100) -> list[Job]:
    """Return jobs, newest first, at most 500."""
    query = select(Job).order_by(Job.created_at.desc(), Job.id).limit(min(limit, 500))
    if state is not None:
        query = query.where(Job.state == state)
    with reading(db) as session:
        return list(session.scalars(query))


def cancel_job(db: sqlalchemy.Engine, job_id: str, *, actor: str = "local") -> Job:
    """Stop a job at the edge of its running chunks; rows that are done stay, no file is written."""

    def work(session: Session) -> Job:
        job = session.get(Job, job_id, with_for_update=True)
        if job is None:
            raise NotFoundError(f"no job has the id {job_id}")
        if job.state in OPEN_STATES:
            job.state, job.finished_at = "cancelled", datetime.now(UTC)
            waiting = update(Chunk).where(Chunk.job_id == job_id, Chunk.state == "queued")
            session.execute(waiting.values(state="cancelled"))
            audit.append(session, actor=actor, action="job.cancel", subject=job_id, detail={})
        return job

    return write(db, work)


def _new_job(
    job_id: str, kind: str, model: Model, params: dict[str, Any], order: Order, request: str | None
) -> Callable[[], Job]:
    def make() -> Job:  # anew for every try of the transaction
        return Job(
            id=job_id,
            kind=kind,
            state="queued",
            model_id=model.id,
            params=params,
            idempotency_key=order.idempotency_key,
            request_sha256=request,
            schedule_id=order.due.schedule_id if order.due else None,
            due_at=order.due.at if order.due else None,
            created_at=datetime.now(UTC),
        )

    return make


def _accept(db: sqlalchemy.Engine, settings: Settings, make: Callable[[], Job], cut: CutRows, order: Order) -> Job:
    from apps.worker.hints import publish  # noqa: PLC0415  (Celery takes a third of a second to import)

    def work(session: Session) -> Job:
        waiting = session.scalar(select(func.count()).select_from(Job).where(Job.state == "queued")) or 0
        if waiting >= MAX_WAITING:
            raise AssayError(f"{waiting} jobs are waiting already; try again later", code="TOO_MUCH_WORK")
        job = make()
        job.chunks_total, job.rows_total = len(cut.sizes), sum(cut.sizes)
        session.add(job)
        session.flush()
        session.add_all(_chunks(job.id, cut))
        detail = {"kind": job.kind, "rows": job.rows_total, "model": job.model_id}
        audit.append(session, actor=order.actor, action="job.submit", subject=job.id, detail=detail)
        return job

    try:
        job = write(db, work)
    except IntegrityError as error:
        open_objects(settings).drop(f"jobs/{make().id}")
        return _first_job(db, order, make().request_sha256, error)
    publish(db, settings, job_id=job.id)
    return job


def _chunks(job_id: str, cut: CutRows) -> list[Chunk]:
    chunks, first = [], 0
    for number, (payload, rows) in enumerate(zip(cut.payloads, cut.sizes, strict=True)):
        chunks.append(Chunk(job_id=job_id, number=number, payload=payload, first_row=first, rows=rows, state="queued"))
        first += rows
    return chunks


def _first_job(db: sqlalchemy.Engine, order: Order, request: str | None, error: IntegrityError) -> Job:
    """Return the job that was faster: the one with the same key, or for the same due time."""
    if (known := _known_job(db, order, request)) is not None:
        return known
    if order.due is None:
        raise AssayError(f"the job could not be stored: {error.orig}") from error
    with reading(db) as session:
        same = select(Job).where(Job.schedule_id == order.due.schedule_id, Job.due_at == order.due.at)
        return session.scalars(same).one()


def _known_job(db: sqlalchemy.Engine, order: Order, request: str | None) -> Job | None:
    if order.idempotency_key is None:
        return None
    with reading(db) as session:
        job = session.scalars(select(Job).where(Job.idempotency_key == order.idempotency_key)).first()
    if job is not None and job.request_sha256 != request:
        words = f"the idempotency key {order.idempotency_key!r} was used for another request"
        raise GateError(f"{words}; take a new key", code="KEY_REUSED")
    return job


def _request_hash(order: Order, wish: Mapping[str, Any], files: Sequence[Path]) -> str | None:
    if order.idempotency_key is None:
        return None
    digest = hashlib.sha256(json.dumps(wish, sort_keys=True, default=str).encode())
    for path in files:
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()

"""What pages read, through `apps`, kept for a few seconds. Each read is one transaction and one short answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import streamlit as st
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from apps.settings import load_settings
from apps.store.database import database_url, open_database, reading
from apps.store.objects import open_objects
from apps.store.tables import Chunk, Evaluation, Job, Model, Schedule, WorkerBeat
from core.errors import AssayError
from core.runtime.bundle import Bundle, open_bundle

TTL_S: Final = 3
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class ModelLine:
    """One version of a model."""

    id: int
    name: str
    version: int
    kind: str
    state: str
    folder: str
    manifest_sha256: str
    metrics: dict[str, Any]
    created_at: datetime

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, kw_only=True)
class EvaluationLine:
    """Metrics and curves of one model on one labelled file."""

    id: int
    model_id: int
    data: str
    metrics: dict[str, Any]
    curves: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class JobLine:
    """One batch with the state of its chunks."""

    id: str
    kind: str
    state: str
    model_id: int
    params: dict[str, Any]
    summary: dict[str, Any]
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    chunks_total: int
    rows_total: int
    chunks: dict[str, int] = field(default_factory=dict)
    most_attempts: int = 0

    @property
    def mark(self) -> str:
        """The state by the name under which its words and its sign are kept."""
        return "job_failed" if self.state == "failed" else self.state

    @property
    def progress(self) -> float:
        """Share of chunks that are over, done or given up."""
        over = self.chunks.get("done", 0) + self.chunks.get("dead", 0)
        return 1.0 if self.state == "done" else over / max(self.chunks_total, 1)


@dataclass(frozen=True, kw_only=True)
class WorkerLine:
    name: str
    started_at: datetime
    seen_at: datetime
    info: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ScheduleLine:
    name: str
    cron: str
    kind: str
    catch_up: str
    enabled: bool
    next_due_at: datetime | None
    last_due_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ChunkLine:
    number: int
    state: str
    attempt: int
    worker: str | None
    heartbeat_at: datetime | None
    first_row: int
    rows: int
    error: str | None


def cached(read: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Run `read` in one transaction on the settings' database, and keep its answer for TTL_S seconds."""

    @wraps(read)
    def outer(*args: P.args, **kwargs: P.kwargs) -> R:
        settings = load_settings()
        where = database_url(settings).render_as_string(hide_password=False)
        answer: R = _kept(where, f"{read.__module__}.{read.__qualname__}", args, kwargs, _read=read)
        return answer

    return outer


@st.cache_data(ttl=TTL_S, max_entries=500, show_spinner=False)
def _kept(where: str, name: str, args: Any, kwargs: Any, *, _read: Any) -> Any:
    with reading(open_database(load_settings())) as session:
        return _read(session, *args, **kwargs)


@cached
def models(session: Session, kind: str | None = None) -> list[ModelLine]:
    """All versions, by name; champions first, then the newest."""
    order = (Model.name, case((Model.state == "champion", 0), else_=1), Model.version.desc())
    query = select(Model).order_by(*order)
    if kind is not None:
        query = query.where(Model.kind == kind)
    return [_line(ModelLine, model) for model in session.scalars(query)]


@cached
def evaluations(session: Session, model_id: int | None = None) -> list[EvaluationLine]:
    """Evaluations, newest first, 200 at most."""
    query = select(Evaluation).order_by(Evaluation.created_at.desc(), Evaluation.id.desc()).limit(200)
    if model_id is not None:
        query = query.where(Evaluation.model_id == model_id)
    return [_line(EvaluationLine, evaluation) for evaluation in session.scalars(query)]


@cached
def jobs(session: Session, model_id: int | None = None, limit: int = 100) -> list[JobLine]:
    """Jobs, newest first, with the states of their chunks."""
    query = select(Job).order_by(Job.created_at.desc()).limit(min(limit, 500))
    if model_id is not None:
        query = query.where(Job.model_id == model_id)
    found = list(session.scalars(query))
    counted = (
        select(Chunk.job_id, Chunk.state, func.count(), func.max(Chunk.attempt))
        .where(Chunk.job_id.in_([job.id for job in found]))
        .group_by(Chunk.job_id, Chunk.state)
    )
    states: dict[str, dict[str, int]] = {}
    attempts: dict[str, int] = {}
    for job_id, state, count, most in session.execute(counted):
        states.setdefault(job_id, {})[state] = count
        attempts[job_id] = max(attempts.get(job_id, 0), most)
    return [_line(JobLine, job, chunks=states.get(job.id, {}), most_attempts=attempts.get(job.id, 0)) for job in found]


@cached
def chunk_states(session: Session) -> dict[str, int]:
    """How many chunks of jobs that are not over wait, run, or were given up."""
    query = select(Chunk.state, func.count()).join(Job, Job.id == Chunk.job_id)
    query = query.where(Job.state.in_(("queued", "running")) | (Chunk.state == "dead")).group_by(Chunk.state)
    return dict(session.execute(query).all())


@cached
def chunks(session: Session, job_id: str, states: tuple[str, ...] = (), limit: int = 200) -> list[ChunkLine]:
    """Chunks of a job in order; `states` keeps only those."""
    query = select(Chunk).where(Chunk.job_id == job_id).order_by(Chunk.number).limit(min(limit, 500))
    if states:
        query = query.where(Chunk.state.in_(states))
    return [_line(ChunkLine, chunk) for chunk in session.scalars(query)]


@cached
def workers(session: Session) -> list[WorkerLine]:
    """Workers by their last sign of life, newest first."""
    query = select(WorkerBeat).order_by(WorkerBeat.seen_at.desc()).limit(100)
    return [_line(WorkerLine, beat) for beat in session.scalars(query)]


@cached
def schedules(session: Session) -> list[ScheduleLine]:
    """Recurring jobs by name."""
    return [_line(ScheduleLine, row) for row in session.scalars(select(Schedule).order_by(Schedule.name))]


def bundle(model: ModelLine) -> Bundle:
    """The checked bundle of a model. InputError or NotFoundError in one line when it cannot be used."""
    return _checked_bundle(str(load_settings().home.resolve() / model.folder), model.manifest_sha256)


def rule(model: ModelLine) -> dict[str, float]:
    """The numbers of a model's decision rule (thresholds, points); empty where its bundle cannot be used."""
    try:
        told = bundle(model).manifest.decision
    except AssayError:  # the page of the models says what is wrong with it
        return {}
    return {name: float(value) for name, value in told.items() if isinstance(value, int | float)}


def company_plan(model: ModelLine) -> dict[str, Any]:
    """How a company model reads a table (its columns of companies and periods, ...); empty as above."""
    try:
        told = bundle(model).manifest.about.get("company")
    except AssayError:
        return {}
    return dict(told) if isinstance(told, dict) else {}


def stored(key: str) -> bytes:
    """The bytes of an object. NotFoundError when it is gone."""
    return open_objects(load_settings()).get(key)


def age(now: datetime, then: datetime) -> str:
    """How long ago, in the largest fitting unit.

    >>> from datetime import UTC
    >>> age(datetime(2026, 1, 1, 1, 30, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    '90 min'
    """
    seconds = max((now - then).total_seconds(), 0.0)
    for unit, size in (("d", 172_800), ("h", 7_200), ("min", 120)):
        if seconds >= size:
            return f"{seconds / (size / 2):.0f} {unit}"
    return f"{seconds:.0f} s"


@st.cache_data(ttl=60, max_entries=20, show_spinner=False)
def _checked_bundle(folder: str, manifest_sha256: str) -> Bundle:
    return open_bundle(Path(folder))


def _line(kind: type[R], row: Any, **more: Any) -> R:
    """Copy a row of the database into the plain record of the same column names."""
    names = [name for name in kind.__dataclass_fields__ if name not in more]  # type: ignore[attr-defined]
    return kind(**{name: getattr(row, name) for name in names}, **more)

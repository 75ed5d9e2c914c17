"""The tables. Times are UTC; the job table is the truth about work, a broker message only a hint.

`jobs` and `chunks` carry lease, heartbeat and a fencing number; `results` has one row for
(job, row), whoever writes it and however often.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

LONGEST_PERIOD = 40  # characters


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime on every database; SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored; use datetime.now(UTC)")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, datetime: UtcDateTime}  # noqa: RUF012


class Installation(Base):
    """The one row that tells this database from others that share a broker."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(32), comment="part of the names of the queues")


class Model(Base):
    """One version of one model; `state` is candidate, champion (at most one a name) or archived."""

    __tablename__ = "models"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        Index(
            "one_champion",
            "name",
            unique=True,
            sqlite_where=text("state = 'champion'"),
            postgresql_where=text("state = 'champion'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(20), comment="credit, company, inspection")
    state: Mapped[str] = mapped_column(String(20))
    folder: Mapped[str] = mapped_column(Text, comment="the bundle, relative to the home")
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]
    promoted_at: Mapped[datetime | None] = mapped_column(comment="when it first became champion; rollback follows it")
    row_version: Mapped[int] = mapped_column(default=1, comment="compare-and-swap on every change of state")


class Evaluation(Base):
    """All metrics of one model on one labelled file, with what the charts need (curves, bins), already summed up."""

    __tablename__ = "evaluations"

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), index=True)
    data: Mapped[str] = mapped_column(Text, comment="the file, as the user named it")
    metrics: Mapped[dict[str, Any]]
    curves: Mapped[dict[str, Any]] = mapped_column(comment="roc, calibration, histogram")
    created_at: Mapped[datetime]


class Schedule(Base):
    """A batch job that recurs; due times are UTC."""

    __tablename__ = "schedules"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    cron: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(40), comment="score or inspect")
    params: Mapped[dict[str, Any]]
    catch_up: Mapped[str] = mapped_column(String(10), default="latest", comment="latest, all or skip")
    enabled: Mapped[bool] = mapped_column(default=True)
    next_due_at: Mapped[datetime | None]
    last_due_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Job(Base):
    """One batch; `state` is queued, running, done, failed or cancelled. The model version is pinned at creation.

    `lease_until`, `fence` and `worker` belong to whoever writes the out file once all chunks have ended.
    """

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("schedule_id", "due_at", name="one_run_per_due_time"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40), comment="score, assess, inspect")
    state: Mapped[str] = mapped_column(String(20), index=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    params: Mapped[dict[str, Any]] = mapped_column(comment="input reference, output path, reasons, ...")
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="counts, histogram of scores by decision")
    error: Mapped[str | None] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(String(200), unique=True)
    request_sha256: Mapped[str | None] = mapped_column(String(64))
    schedule_id: Mapped[int | None] = mapped_column(ForeignKey("schedules.id"))
    due_at: Mapped[datetime | None]
    chunks_total: Mapped[int] = mapped_column(default=0)
    rows_total: Mapped[int] = mapped_column(default=0, comment="rows or pictures")
    attempt: Mapped[int] = mapped_column(default=0, comment="how often the out file was begun")
    fence: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[datetime | None]
    published_at: Mapped[datetime | None] = mapped_column(comment="last hint to write the out file")
    created_at: Mapped[datetime] = mapped_column(index=True)
    finished_at: Mapped[datetime | None]


class Chunk(Base):
    """A part of a job that one worker does at a time.

    `fence` grows with each claim; a write with an older number is refused, so that a worker that slept past its
    lease cannot spoil its successor's rows. `state`: queued, running, done or dead (after the last attempt).
    """

    __tablename__ = "chunks"
    __table_args__ = (
        UniqueConstraint("job_id", "number"),
        Index("chunks_by_state", "state", "lease_until"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    number: Mapped[int]
    payload: Mapped[dict[str, Any]] = mapped_column(comment="object key of the rows, or the list of pictures")
    first_row: Mapped[int] = mapped_column(comment="place of its first row in the input, from 0")
    rows: Mapped[int]
    failed: Mapped[int] = mapped_column(default=0, comment="rows with an error, once it has ended")
    state: Mapped[str] = mapped_column(String(20))
    attempt: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(200))
    lease_until: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None] = mapped_column(comment="last hint to the broker; null: none is out")
    error: Mapped[str | None] = mapped_column(Text, comment="why the last attempt failed")
    finished_at: Mapped[datetime | None]


class Result(Base):
    """One scored case. `job_id` is null for a case that came in alone through the gateway.

    Each of `reasons` is {code, words, words_zh, contribution, feature, value}; hard rules have no contribution.
    """

    __tablename__ = "results"
    __table_args__ = (
        UniqueConstraint("job_id", "row", name="one_result_per_row"),
        Index("results_by_model", "model_id", "decision"),
        Index("results_by_case", "case_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))
    row: Mapped[int | None] = mapped_column(comment="place in the input file, from 0")
    case_id: Mapped[str] = mapped_column(Text)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    score: Mapped[float | None] = mapped_column(Float)
    probability: Mapped[float | None] = mapped_column(Float)
    decision: Mapped[str | None] = mapped_column(String(10))
    reasons: Mapped[list[Any]] = mapped_column(default=list, comment="strongest first")
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)
    period: Mapped[str | None] = mapped_column(String(LONGEST_PERIOD), comment="year or day of a company's statements")


class Inspection(Base):
    """One inspected picture, with what the contract's answer holds; picture and heatmap lie in the object store."""

    __tablename__ = "inspections"
    __table_args__ = (UniqueConstraint("job_id", "row", name="one_inspection_per_row"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))
    row: Mapped[int | None]
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"), index=True)
    path: Mapped[str | None] = mapped_column(Text)
    verdict: Mapped[str] = mapped_column(String(10), index=True)
    score: Mapped[float | None] = mapped_column(Float)
    answer: Mapped[dict[str, Any]] = mapped_column(comment="the contract's JSON document")
    image_key: Mapped[str | None] = mapped_column(String(200))
    heatmap_key: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(index=True)


class WorkerBeat(Base):
    """The last sign of life of each worker, for the operations page."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    info: Mapped[dict[str, Any]] = mapped_column(default=dict)


class ApiKey(Base):
    """Only a prefix and the SHA-256 of a key are kept."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(12), unique=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditEvent(Base):
    """Append-only; `hash` chains each event to the one before it."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(300))
    detail: Mapped[dict[str, Any]]
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)

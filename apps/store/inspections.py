"""Inspected pictures: the contract's answer, and where picture and heatmap lie in the object store."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from apps.store import audit
from apps.store.database import reading, write
from apps.store.results import MAX_PAGE, upsert
from apps.store.tables import Inspection, Model
from core.errors import NotFoundError


@dataclass(frozen=True, kw_only=True)
class JudgedImage:
    """One picture as it is stored; `answer` is the contract's JSON document."""

    answer: dict[str, Any]
    image_key: str | None = None
    heatmap_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class InspectionFilter:
    """Which inspections are meant; None means all. Scores from 0 to 1, both ends included."""

    model_id: int | None = None
    job_id: str | None = None
    verdict: str | None = None
    lowest_score: float | None = None
    highest_score: float | None = None
    since: datetime | None = None
    until: datetime | None = None


def new_id() -> str:
    """Return an id for a picture that came in alone; it is the `id` of its answer."""
    return uuid.uuid4().hex


def id_in_job(job_id: str, row: int) -> str:
    """Return the id of a picture of a job: the same at every attempt."""
    return hashlib.sha256(f"{job_id}:{row}".encode()).hexdigest()[:32]


def unknown_answer(model: Model, image_id: str, path: str, error: str) -> dict[str, Any]:
    """Return the contract's answer for a picture that could not be judged."""
    return {
        "id": image_id,
        "path": path,
        "verdict": "unknown",
        "score": None,
        "threshold": None,
        "label": None,
        "labels": {},
        "regions": [],
        "model": model.name,
        "model_version": model.version,
        "latency_ms": {"decode": 0.0, "queue": 0.0, "model": 0.0, "total": 0.0},
        "error": error,
    }


def save_inspection(db: sqlalchemy.Engine, *, model: Model, image: JudgedImage, actor: str = "local") -> Inspection:
    """Keep one picture that came in alone, under the `id` of its answer (see `new_id`), with its audit event."""
    answer = image.answer

    def work(session: Session) -> Inspection:
        inspection = Inspection(
            id=answer["id"], job_id=None, row=None, created_at=datetime.now(UTC), **_values(model.id, image)
        )
        session.add(inspection)
        detail = {"model": f"{model.name}@{model.version}", "verdict": answer["verdict"], "score": answer["score"]}
        audit.append(session, actor=actor, action="inspection", subject=answer["id"], detail=detail)
        return inspection

    return write(db, work)


def upsert_inspections(
    session: Session, *, job_id: str, model_id: int, images: Mapping[int, JudgedImage], at: datetime
) -> None:
    """Keep the pictures of a job by their place in it; those that are there already are written over."""
    rows = [
        {
            "id": id_in_job(job_id, row),
            "job_id": job_id,
            "row": row,
            "created_at": at,
            **_values(model_id, image),
        }
        for row, image in images.items()
    ]
    upsert(session, Inspection, rows)


def get_inspection(db: sqlalchemy.Engine, inspection_id: str) -> Inspection:
    """Return one inspection by its id."""
    with reading(db) as session:
        inspection = session.get(Inspection, inspection_id)
    if inspection is None:
        raise NotFoundError(f"no inspection has the id {inspection_id}")
    return inspection


def page_inspections(
    db: sqlalchemy.Engine, wanted: InspectionFilter, *, offset: int = 0, limit: int = 60
) -> list[Inspection]:
    """Return at most 500 inspections, newest first."""
    query = select(Inspection).where(*_conditions(wanted)).offset(offset).limit(min(limit, MAX_PAGE))
    with reading(db) as session:
        return list(session.scalars(query.order_by(Inspection.created_at.desc(), Inspection.row, Inspection.id)))


def counts_by_verdict(db: sqlalchemy.Engine, wanted: InspectionFilter) -> dict[str, int]:
    """Return the number of pictures by verdict."""
    query = select(Inspection.verdict, func.count()).where(*_conditions(wanted)).group_by(Inspection.verdict)
    with reading(db) as session:
        return {row[0]: row[1] for row in session.execute(query)}


def _conditions(wanted: InspectionFilter) -> list[ColumnElement[bool]]:
    tests: dict[str, Callable[[Any], ColumnElement[bool]]] = {
        "model_id": lambda value: Inspection.model_id == value,
        "job_id": lambda value: Inspection.job_id == value,
        "verdict": lambda value: Inspection.verdict == value,
        "lowest_score": lambda value: Inspection.score >= value,
        "highest_score": lambda value: Inspection.score <= value,
        "since": lambda value: Inspection.created_at >= value,
        "until": lambda value: Inspection.created_at < value,
    }
    given = {name: getattr(wanted, name) for name in tests}
    return [tests[name](value) for name, value in given.items() if value is not None]


def _values(model_id: int, image: JudgedImage) -> dict[str, Any]:
    return {
        "model_id": model_id,
        "path": image.answer.get("path"),
        "verdict": image.answer["verdict"],
        "score": image.answer.get("score"),
        "answer": image.answer,
        "image_key": image.image_key,
        "heatmap_key": image.heatmap_key,
    }

"""Scored cases: kept one by one by the gateway, in bulk by chunks; read in pages and sums, never whole."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, Integer, Select, and_, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from apps.store import audit
from apps.store.database import reading, write
from apps.store.tables import LONGEST_PERIOD, Inspection, Model, Result
from core.errors import NotFoundError

MAX_PAGE = 500
_SHIFT = 1_000_000  # bins; makes the cast below round down for negative scores too


@dataclass(frozen=True, kw_only=True)
class ScoredCase:
    """One scored case as it is stored: all of score, probability and decision, or an error.

    Each reason is {code, words, words_zh, contribution, feature, value}, strongest first; `contribution` in log-odds,
    None for what stands beside the model (a hard rule, a doubt), which comes first. `period`: of which year the
    statements of a company are.
    """

    case_id: str
    score: float | None
    probability: float | None
    decision: str | None
    reasons: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    period: str | None = None


@dataclass(frozen=True, kw_only=True)
class ResultFilter:
    """Which results are meant; None means all. Scores in points, both ends included; `case_id` as it begins."""

    model_id: int | None = None
    job_id: str | None = None
    decision: str | None = None
    case_id: str | None = None
    lowest_score: float | None = None
    highest_score: float | None = None
    with_error: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Bin:
    """How many cases have a score in [low, low + width) points and this decision."""

    low: float
    decision: str | None
    count: int


def reason_text(reason: Mapping[str, Any]) -> str:
    """Return a reason as the out file has it: `CODE: words (contribution)`; a hard rule has no contribution."""
    push = reason["contribution"]
    return f"{reason['code']}: {reason['words']}" + ("" if push is None else f" ({push:+.2f})")


def save_assessment(db: sqlalchemy.Engine, *, model: Model, case: ScoredCase, actor: str = "local") -> Result:
    """Keep one case that came in alone, and its audit event, in one transaction: neither is there without the other.

    The audit gets the decision, no value of the application.
    """

    def work(session: Session) -> Result:
        result = Result(model_id=model.id, job_id=None, row=None, created_at=datetime.now(UTC), **_values(case))
        session.add(result)
        detail = {"model": f"{model.name}@{model.version}", "decision": case.decision, "probability": case.probability}
        audit.append(session, actor=actor, action="assessment", subject=case.case_id, detail=detail)
        return result

    return write(db, work)


def upsert_results(
    session: Session, *, job_id: str, model_id: int, cases: Mapping[int, ScoredCase], at: datetime
) -> None:
    """Keep the cases of a job by row number; rows that are there already are written over."""
    rows = [
        {"job_id": job_id, "row": row, "model_id": model_id, "created_at": at, **_values(case)}
        for row, case in cases.items()
    ]
    upsert(session, Result, rows)


def upsert(session: Session, table: type[Result] | type[Inspection], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows of a job, or write over those with the same (job_id, row)."""
    if not rows:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    insert = dialect.insert(table.__table__)  # the table itself: the mapped class takes twice as long
    keep = {"job_id", "row", "id"}
    changed = {name: insert.excluded[name] for name in rows[0] if name not in keep}
    session.execute(insert.on_conflict_do_update(index_elements=["job_id", "row"], set_=changed), list(rows))


def get_result(db: sqlalchemy.Engine, result_id: int) -> Result:
    """Return one case by its number."""
    with reading(db) as session:
        result = session.get(Result, result_id)
    if result is None:
        raise NotFoundError(f"no scored case has the number {result_id}")
    return result


def page(
    db: sqlalchemy.Engine, wanted: ResultFilter, *, after: int | None = None, limit: int = 100, newest: bool = True
) -> list[Result]:
    """Return at most 500 cases, newest first (or oldest first). `after` is the id of the last one seen."""
    query = select(Result).where(*_conditions(wanted)).limit(min(limit, MAX_PAGE))
    query = query.order_by(Result.id.desc() if newest else Result.id)
    if after is not None:
        query = query.where(Result.id < after if newest else Result.id > after)
    with reading(db) as session:
        return list(session.scalars(query))


def count(db: sqlalchemy.Engine, wanted: ResultFilter) -> int:
    """Return how many cases there are."""
    with reading(db) as session:
        return session.scalar(select(func.count()).select_from(Result).where(*_conditions(wanted))) or 0


def counts_by_decision(db: sqlalchemy.Engine, wanted: ResultFilter) -> dict[str, int]:
    """Return the number of cases by decision; cases with an error are counted under "error"."""
    decision = func.coalesce(Result.decision, "error")
    query = select(decision, func.count()).where(*_conditions(wanted)).group_by(decision)
    with reading(db) as session:
        return {row[0]: row[1] for row in session.execute(query)}


def histogram(db: sqlalchemy.Engine, wanted: ResultFilter, *, width: float = 20.0) -> list[Bin]:
    """Return counts by score bin of `width` points and decision, in SQL; cases without a score are left out."""
    with reading(db) as session:
        rows = session.execute(_histogram_query(session, wanted, width)).all()
    return [Bin(low=number * width, decision=decision, count=total) for number, decision, total in rows]


def _histogram_query(session: Session, wanted: ResultFilter, width: float) -> Select[Any]:
    number: ColumnElement[Any] = Result.score / width
    if session.get_bind().dialect.name == "postgresql":
        number = cast(func.floor(number), Integer)
    else:
        number = cast(number + _SHIFT, Integer) - _SHIFT
    conditions = and_(Result.score.is_not(None), *_conditions(wanted))
    columns = number.label("number"), Result.decision, func.count()
    return select(*columns).where(conditions).group_by("number", Result.decision).order_by("number", Result.decision)


def _conditions(wanted: ResultFilter) -> list[ColumnElement[bool]]:
    tests: dict[str, Callable[[Any], ColumnElement[bool]]] = {
        "model_id": lambda value: Result.model_id == value,
        "job_id": lambda value: Result.job_id == value,
        "decision": lambda value: Result.decision == value,
        "case_id": lambda value: Result.case_id.startswith(value, autoescape=True),
        "lowest_score": lambda value: Result.score >= value,
        "highest_score": lambda value: Result.score <= value,
        "with_error": lambda value: Result.error.is_not(None) if value else Result.error.is_(None),
        "since": lambda value: Result.created_at >= value,
        "until": lambda value: Result.created_at < value,
    }
    given = {name: getattr(wanted, name) for name in tests}
    return [tests[name](value) for name, value in given.items() if value is not None]


def storable(text: str) -> str:
    """Replace what not every database can keep as text: NUL and halves of surrogate pairs.

    >>> storable("a\\x00b")
    'a\ufffdb'
    """
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _values(case: ScoredCase) -> dict[str, Any]:
    return {
        "case_id": storable(case.case_id),
        "score": case.score,
        "probability": case.probability,
        "decision": case.decision,
        "reasons": case.reasons,
        "error": None if case.error is None else storable(case.error),
        "period": None if case.period is None else storable(case.period)[:LONGEST_PERIOD],
    }

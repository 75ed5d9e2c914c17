"""Jobs that were done in the caller's own process: kept beside those of the workers, so that the pages show both."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy

from apps.store import audit
from apps.store.database import writing
from apps.store.tables import Job, Model


def record_run(
    db: sqlalchemy.Engine,
    *,
    kind: str,
    model: Model,
    params: Mapping[str, Any],
    summary: Mapping[str, Any],
    actor: str = "local",
) -> Job:
    """Keep a finished run; `summary` has rows, failed and the counts that the pages draw. Its rows are in its file."""
    now = datetime.now(UTC)
    job = Job(
        id=uuid.uuid4().hex,
        kind=kind,
        state="done",
        model_id=model.id,
        params=dict(params),
        summary=dict(summary),
        rows_total=int(summary["rows"]),
        created_at=now,
        finished_at=now,
    )
    with writing(db) as session:
        session.add(job)
        detail = {"kind": kind, "rows": job.rows_total, "model": model.id}
        audit.append(session, actor=actor, action="job.run", subject=job.id, detail=detail)
    return job

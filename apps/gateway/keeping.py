"""Keeps a decision and its audit event in one transaction: neither is there without the other."""

from dataclasses import asdict
from datetime import UTC, datetime

import sqlalchemy
from sqlalchemy.orm import Session

from apps.gateway.keys import Caller
from apps.store import audit
from apps.store.database import write
from apps.store.inspections import JudgedImage
from apps.store.results import ScoredCase
from apps.store.tables import Inspection, Model, Result


def keep_assessment(db: sqlalchemy.Engine, model: Model, case: ScoredCase, caller: Caller) -> None:
    """Keep one scored case. The audit gets the decision, no value of the application."""

    def work(session: Session) -> None:
        session.add(Result(model_id=model.id, created_at=datetime.now(UTC), **asdict(case)))
        detail = {"model": f"{model.name}@{model.version}", "decision": case.decision, "probability": case.probability}
        audit.append(session, actor=caller.actor, action="assessment", subject=case.case_id, detail=detail)

    write(db, work)


def keep_inspection(db: sqlalchemy.Engine, model: Model, image: JudgedImage, caller: Caller) -> None:
    """Keep one judged picture under the id of its answer."""
    answer = image.answer

    def work(session: Session) -> None:
        session.add(
            Inspection(
                id=answer["id"],
                created_at=datetime.now(UTC),
                model_id=model.id,
                path=answer["path"],
                verdict=answer["verdict"],
                score=answer["score"],
                answer=answer,
                image_key=image.image_key,
                heatmap_key=image.heatmap_key,
            )
        )
        detail = {"model": f"{model.name}@{model.version}", "verdict": answer["verdict"], "score": answer["score"]}
        audit.append(session, actor=caller.actor, action="inspection", subject=answer["id"], detail=detail)

    write(db, work)

"""Judges transactions of streams that come by the broker, as the gateway judges those that come by HTTP."""

import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy
import structlog
from sqlalchemy.orm import Session

from apps.engines import engine_for
from apps.live_streams import AnswerWriter, Asked, live_stream, now_ms
from apps.settings import Settings
from apps.store import audit
from apps.store.database import write
from apps.store.models import resolve
from apps.store.results import storable
from core.errors import AssayError, GateError, InputError, NotFoundError

ACTOR = "broker"
LONGEST = 200  # characters of an id in the audit

log = structlog.get_logger(__name__)


def judge_transaction(
    db: sqlalchemy.Engine, settings: Settings, reference: str, transaction: Mapping[str, Any], label: bool | None
) -> None:
    """Judge one and keep it with its answer; one that cannot be judged leaves an audit event with the cause.

    DatabaseError: it could not be kept; the message is to be delivered again.
    """
    started = time.perf_counter()
    asked = Asked(transaction=transaction, actor=ACTOR, clock_ms=now_ms(), label=-1 if label is None else int(label))
    event_id = ""
    try:
        model = resolve(db, reference)
        if model.kind != "fraud":
            raise InputError(f"the model {reference} is of kind {model.kind}; streams need fraud", code="WRONG_KIND")
        live = live_stream(db, model, engine_for(settings, model))
        event_id = str(transaction.get(live.judging.plan.id_column or "", ""))
        live.judge(asked, AnswerWriter(live, 0.0, started))
    except (InputError, NotFoundError, GateError) as error:  # the same at every try
        _refuse(db, reference, event_id, error)


def _refuse(db: sqlalchemy.Engine, reference: str, event_id: str, error: AssayError) -> None:
    log.warning("a transaction cannot be judged", model=reference, code=error.code)
    detail = {"model": reference, "code": error.code, "error": storable(str(error))}
    subject = storable(event_id)[:LONGEST]

    def work(session: Session) -> None:
        audit.append(session, actor=ACTOR, action="stream.refused", subject=subject, detail=detail)

    write(db, work)

"""`POST /v1/assessments`: one application for credit or one company, scored here, kept, answered with its reasons."""

import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import asdict, replace
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from apps.gateway.bodies import read_json
from apps.gateway.company import to_company_case
from apps.gateway.evidence import (
    LONGEST_TEXT,
    Cell,
    ColumnName,
    read_transactions,
    statements_schema,
    transactions_schema,
)
from apps.gateway.keys import Caller, caller_of
from apps.gateway.models import ModelReference, open_engine, resolve_reference
from apps.gateway.problems import Problem, problem_responses
from apps.gateway.state import Gateway, gateway_of
from apps.scored import to_cases
from apps.store.results import ScoredCase, reason_text, save_assessment
from core.runtime.engine import Engine
from data.records import LoanCase
from pipelines.finance.company import Wish
from pipelines.finance.company_request import score_case
from pipelines.finance.fraud_request import score_transaction
from pipelines.finance.fraud_stream import FraudJudge
from pipelines.finance.score import Score, score
from pipelines.finance.scorecard import Decision

REASONS = 4
JSON = "application/json"
NOT_JUDGED = {
    "credit": ("statements", "report_text", "transactions"),
    "company": ("transactions",),
    "fraud": ("statements", "report_text"),
}

REPORT_TEXT = {
    "type": ["string", "null"],
    "default": None,
    "description": f"company models: text of the report, English or Chinese, at most {LONGEST_TEXT} bytes in UTF-8",
}

router = APIRouter(prefix="/v1", tags=["finance"])


class AssessmentRequest(BaseModel):
    """`application` holds the columns that the model was trained on, by name; null means missing. To a fraud model it
    is the transaction, and `transactions` are past ones, of which nothing is kept (`POST /v1/transactions` does that).

    A company model may have `statements` in its place: years (the latest is judged, the others are its history) under
    the headings of the training table or the names of the items, each with the model's column of periods or
    `period_end`; or the `statements` of `assay report extract --json`. `report_text` is the text of the report.
    """

    model_config = ConfigDict(extra="forbid")

    model: ModelReference
    application: dict[ColumnName, Cell] = Field(
        default_factory=dict, max_length=2_000, description="may be left out where a company's statements are given"
    )
    statements: Annotated[Any, WithJsonSchema(statements_schema())] = None
    report_text: Annotated[Any, WithJsonSchema(REPORT_TEXT)] = None
    transactions: Annotated[Any, WithJsonSchema(transactions_schema())] = None


class Latency(BaseModel):
    """Milliseconds: waiting for a thread, in the model and its reasons, and all together."""

    queue: float
    model: float
    total: float


class AssessmentAnswer(BaseModel):
    """`decision` is null, and `error` filled, where the case cannot be scored. `warnings`: scored, but with a doubt.

    `attribution` says how the reasons were found: "exact", or "trees exact; network by masking".
    """

    id: str
    score: float | None
    probability: float | None
    decision: Literal["approve", "review", "decline"] | None
    reasons: list[dict[str, Any]]
    attribution: str  # how the reasons were found
    model: str
    model_version: int
    error: str | None
    warnings: list[str]
    latency_ms: Latency


@router.post(
    "/assessments",
    summary="Score one application",
    responses=problem_responses(400, 404, 408, 413, 415, 422, 429),
    openapi_extra={
        "requestBody": {"required": True, "content": {JSON: {"schema": AssessmentRequest.model_json_schema()}}}
    },
)
async def post_assessment(
    request: Request,
    gateway: Annotated[Gateway, Depends(gateway_of)],
    caller: Annotated[Caller, Depends(caller_of)],
) -> AssessmentAnswer:
    gateway.judges.refuse_when_full()
    limits = gateway.limits
    asked = await read_json(request, AssessmentRequest, limits, limits.assessment_bytes)
    return await gateway.judges.run(lambda queue_ms: assess(gateway, asked, caller, queue_ms))


def assess(gateway: Gateway, asked: AssessmentRequest, caller: Caller, queue_ms: float) -> AssessmentAnswer:
    """Score an application or a company, keep it, and answer.

    Raises:
        Problem: the model is unusable or of another kind, or the evidence is not of the kind that it judges.
        NotFoundError: there is no such model.
        InputError: columns of the model are absent.
    """
    model = resolve_reference(gateway.db, asked.model)
    if model.kind not in _JUDGES:
        words = f"the model {asked.model} is of kind {model.kind}; this call needs {' or '.join(_JUDGES)}"
        raise Problem(422, "WRONG_KIND", words)
    refuse_what_is_not_judged(asked, model.kind)
    engine = open_engine(gateway.settings, model)
    started = time.perf_counter()
    case, warnings = _JUDGES[model.kind](asked, engine)
    model_ms = (time.perf_counter() - started) * 1000
    save_assessment(gateway.db, model=model, case=case, actor=caller.actor)
    gateway.telemetry.decisions.labels("finance", case.decision or "error").inc()
    gateway.telemetry.judge_seconds.labels("finance").observe(model_ms / 1000)
    gateway.telemetry.queue_seconds.labels("finance").observe(queue_ms / 1000)
    return AssessmentAnswer(
        id=case.case_id,
        score=case.score,
        probability=case.probability,
        decision=cast(Decision | None, case.decision),
        reasons=case.reasons,
        attribution=engine.attribution,
        model=model.name,
        model_version=model.version,
        error=case.error,
        warnings=sorted(warnings),
        latency_ms=Latency(queue=round(queue_ms, 2), model=round(model_ms, 2), total=round(queue_ms + model_ms, 2)),
    )


def _credit(asked: AssessmentRequest, engine: Engine) -> tuple[ScoredCase, Collection[str]]:
    if not asked.application:
        raise Problem(422, "INVALID_REQUEST", "/application: a credit model needs at least one column")
    scored = score(to_case(asked, engine), engine, reasons=REASONS)
    return _to_stored(scored), scored.warnings


def _fraud(asked: AssessmentRequest, engine: Engine) -> tuple[ScoredCase, Collection[str]]:
    scored = score_transaction(
        asked.application, read_transactions(asked.transactions), FraudJudge(engine), reasons=REASONS
    )
    return _to_stored(scored), scored.warnings


def _company(asked: AssessmentRequest, engine: Engine) -> tuple[ScoredCase, Collection[str]]:
    company = to_company_case(asked.application, asked.statements, asked.report_text, engine)
    scored = score_case(company, engine, Wish(reasons=REASONS, reasons_for="all"))
    (case,) = to_cases(scored, reasons=REASONS)
    reasons = [reason | {"text": reason_text(reason)} for reason in case.reasons]
    return replace(case, reasons=reasons), scored.warnings


def _to_stored(scored: Score) -> ScoredCase:
    return ScoredCase(
        case_id=scored.case_id or uuid.uuid4().hex,
        score=scored.points,
        probability=scored.probability,
        decision=scored.decision,
        reasons=[asdict(reason) | {"text": str(reason)} for reason in scored.reasons],
        error=scored.error,
    )


_JUDGES: dict[str, Callable[[AssessmentRequest, Engine], tuple[ScoredCase, Collection[str]]]] = {
    "credit": _credit,
    "company": _company,
    "fraud": _fraud,
}


def to_case(asked: AssessmentRequest, engine: Engine) -> LoanCase:
    """The record that is scored. Its id is the model's id column where the application has one, else a new one."""
    column = engine.bundle.manifest.spec.get("id_column")
    given = asked.application.get(column) if column is not None else None
    if isinstance(given, str) and "\x00" in given:
        raise Problem(422, "NUL_BYTE", f"the id in {column!r} holds a NUL character; send it without")
    return LoanCase(case_id=str(given) if given not in (None, "") else uuid.uuid4().hex, application=asked.application)


def refuse_what_is_not_judged(asked: AssessmentRequest, kind: str) -> None:
    """Evidence that would be ignored must not look as if it had been weighed. Raises Problem 422."""
    sent = [name for name in NOT_JUDGED[kind] if getattr(asked, name) is not None]
    if sent:
        raise Problem(
            422,
            "NOT_SUPPORTED",
            f"{' and '.join(sent)} cannot be judged by a model of kind {kind}; leave the field out or send null",
        )

"""`POST /v1/assessments`: one application for credit, scored in this process, kept, answered with its reasons."""

import time
import uuid
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from apps.gateway.bodies import read_json
from apps.gateway.keys import Caller, caller_of
from apps.gateway.models import ModelReference, open_engine, resolve_kind
from apps.gateway.problems import Problem, problem_responses
from apps.gateway.state import Gateway, gateway_of
from apps.store.results import ScoredCase, save_assessment
from core.runtime.engine import Engine
from data.records import LoanCase
from pipelines.finance.score import Score, score

REASONS = 4
LONGEST_CELL = 2_000
JSON = "application/json"
NOT_YET = ("statements", "report_text", "transactions")

router = APIRouter(prefix="/v1", tags=["finance"])


def _plain(value: Any) -> Any:
    """A cell of a table; the model's own gate decides what it allows there."""
    if isinstance(value, str) and len(value) > LONGEST_CELL:
        raise ValueError(f"a text may have {LONGEST_CELL} characters")
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("a text must be whole Unicode, without halves of surrogate pairs")
    if value is not None and not isinstance(value, str | int | float | bool):
        raise ValueError("a text, a number, true, false or null is allowed")
    return value


Cell = Annotated[
    Any, AfterValidator(_plain), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})
]  # fmt: skip
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class AssessmentRequest(BaseModel):
    """`application` holds the columns that the model was trained on, by name; null means missing."""

    model_config = ConfigDict(extra="forbid")

    model: ModelReference
    application: dict[ColumnName, Cell] = Field(min_length=1, max_length=2_000)
    statements: Any = Field(default=None, description="not judged yet: null")
    report_text: Any = Field(default=None, description="not judged yet: null")
    transactions: Any = Field(default=None, description="not judged yet: null")


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
    asked = await read_json(request, AssessmentRequest, gateway.limits)
    refuse_what_is_not_judged_yet(asked)
    return await gateway.judges.run(lambda queue_ms: assess(gateway, asked, caller, queue_ms))


def assess(gateway: Gateway, asked: AssessmentRequest, caller: Caller, queue_ms: float) -> AssessmentAnswer:
    """Score an application, keep it, and answer.

    Raises:
        Problem: the model is unusable or of another kind.
        NotFoundError: there is no such model.
        InputError: the application lacks columns of the model.
    """
    model = resolve_kind(gateway.db, asked.model, "credit")
    engine = open_engine(gateway.settings, model)
    started = time.perf_counter()
    scored = score(to_case(asked, engine), engine, reasons=REASONS)
    model_ms = (time.perf_counter() - started) * 1000
    case = to_scored_case(scored)
    save_assessment(gateway.db, model=model, case=case, actor=caller.actor)
    gateway.telemetry.decisions.labels("finance", case.decision or "error").inc()
    gateway.telemetry.judge_seconds.labels("finance").observe(model_ms / 1000)
    gateway.telemetry.queue_seconds.labels("finance").observe(queue_ms / 1000)
    return AssessmentAnswer(
        id=case.case_id,
        score=case.score,
        probability=case.probability,
        decision=scored.decision,
        reasons=case.reasons,
        attribution=engine.attribution,
        model=model.name,
        model_version=model.version,
        error=case.error,
        warnings=sorted(scored.warnings),
        latency_ms=Latency(queue=round(queue_ms, 2), model=round(model_ms, 2), total=round(queue_ms + model_ms, 2)),
    )


def to_scored_case(scored: Score) -> ScoredCase:
    """What is kept and answered."""
    return ScoredCase(
        case_id=scored.case_id,
        score=scored.points,
        probability=scored.probability,
        decision=scored.decision,
        reasons=[asdict(reason) | {"text": str(reason)} for reason in scored.reasons],
        error=scored.error,
    )


def to_case(asked: AssessmentRequest, engine: Engine) -> LoanCase:
    """The record that is scored. Its id is the model's id column where the application has one, else a new one."""
    column = engine.bundle.manifest.spec.get("id_column")
    given = asked.application.get(column) if column is not None else None
    if isinstance(given, str) and "\x00" in given:
        raise Problem(422, "NUL_BYTE", f"the id in {column!r} holds a NUL character; send it without")
    return LoanCase(case_id=str(given) if given not in (None, "") else uuid.uuid4().hex, application=asked.application)


def refuse_what_is_not_judged_yet(asked: AssessmentRequest) -> None:
    """Evidence that would be ignored must not look as if it had been weighed. Raises Problem 422."""
    sent = [name for name in NOT_YET if getattr(asked, name) is not None]
    if sent:
        raise Problem(
            422,
            "NOT_SUPPORTED",
            f"{' and '.join(sent)} cannot be judged by this version; leave the field out or send null",
        )

"""`POST /v1/transactions`: one transaction of a stream, judged by the past that the stream keeps, and kept with it.

Transactions are judged one after the other in a thread of their own; each is in the database before it is answered.
"""

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from apps.engines import engine_for
from apps.gateway.bodies import read_json
from apps.gateway.evidence import Cell, ColumnName, inlined
from apps.gateway.finance import AssessmentAnswer
from apps.gateway.keys import Caller, caller_of
from apps.gateway.models import ModelReference, open_engine
from apps.gateway.problems import Problem, problem_responses
from apps.gateway.state import Gateway, gateway_of
from apps.live_streams import Answered, AnswerWriter, Asked, LiveStream, live_stream, now_ms
from apps.store.models import list_models
from apps.store.stream_tables import LONGEST_ID
from core.errors import AssayError, NotFoundError

REASONS = 4
JSON = "application/json"
MOST_LABELS = 10_000
REFUSALS = (400, 404, 408, 413, 415, 422, 429)

router = APIRouter(prefix="/v1", tags=["transactions"])

EventId = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID)]


class TransactionRequest(BaseModel):
    """`transaction` holds the columns of the model's table by name; null means missing. Its id column is needed.

    `label` says what it turned out to be, where that is known already (true: fraud); it counts after the model's delay.
    `reasons`: "review" gives them to what is not approved, "all" to every one.
    """

    model_config = ConfigDict(extra="forbid")

    model: ModelReference
    transaction: dict[ColumnName, Cell] = Field(min_length=1, max_length=2_000)
    label: bool | None = None
    reasons: Literal["review", "all"] = "review"


class TransactionAnswer(AssessmentAnswer):
    """As that of an assessment; `serial` is the transaction's number in its stream, from 1."""

    serial: int


class LabelEntry(BaseModel):
    """What the transaction of this id turned out to be."""

    model_config = ConfigDict(extra="forbid")

    id: EventId
    fraud: bool


class LabelsRequest(BaseModel):
    """Labels that became known; of one id the last one counts."""

    model_config = ConfigDict(extra="forbid")

    model: ModelReference
    labels: list[LabelEntry] = Field(min_length=1, max_length=MOST_LABELS)


class LabelsAnswer(BaseModel):
    """How many labels are new or other than before, and ids that the stream does not hold."""

    changed: int
    unknown: list[str]


def _body(kind: type[BaseModel]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    known = schema.pop("$defs", {})
    return {"requestBody": {"required": True, "content": {JSON: {"schema": inlined(schema, known)}}}}


@router.post(
    "/transactions",
    summary="Judge one transaction of a stream",
    response_model=TransactionAnswer,
    responses=problem_responses(*REFUSALS, 409),
    openapi_extra=_body(TransactionRequest),
)
async def post_transaction(
    request: Request,
    gateway: Annotated[Gateway, Depends(gateway_of)],
    caller: Annotated[Caller, Depends(caller_of)],
) -> Response:
    gateway.streamers.refuse_when_full()
    asked = await read_json(request, TransactionRequest, gateway.limits)
    answered = await gateway.streamers.run(lambda queue_ms: judge(gateway, asked, caller, queue_ms))
    return Response(answered.text.encode("utf-8", "replace"), media_type=JSON)


@router.get(
    "/transactions",
    summary="What was answered to a transaction",
    response_model=TransactionAnswer,
    responses=problem_responses(404, 422),
)
async def get_transaction(
    gateway: Annotated[Gateway, Depends(gateway_of)],
    model: Annotated[ModelReference, Query()],
    event_id: Annotated[EventId, Query(alias="id")],
) -> Response:
    answered = await gateway.judges.run(lambda _: find(gateway, model, event_id))
    return Response(answered.encode("utf-8", "replace"), media_type=JSON)


@router.post(
    "/transactions/labels",
    summary="Note what transactions turned out to be",
    responses=problem_responses(*REFUSALS),
    openapi_extra=_body(LabelsRequest),
)
async def post_labels(request: Request, gateway: Annotated[Gateway, Depends(gateway_of)]) -> LabelsAnswer:
    gateway.streamers.refuse_when_full()
    asked = await read_json(request, LabelsRequest, gateway.limits)
    return await gateway.streamers.run(lambda _: note(gateway, asked))


def judge(gateway: Gateway, asked: TransactionRequest, caller: Caller, queue_ms: float) -> Answered:
    """Judge a transaction, keep it, and give its answer.

    Raises:
        Problem: the model is unusable or of another kind.
        InputError, GateError, DatabaseError: as `LiveStream.judge`; nothing is kept.
    """
    started = time.perf_counter()
    live = stream_of(gateway, asked.model)
    given = Asked(
        transaction=asked.transaction,
        actor=caller.actor,
        clock_ms=now_ms(),
        label=-1 if asked.label is None else int(asked.label),
        reasons=REASONS,
        reasons_for=asked.reasons,
    )
    answered = live.judge(given, AnswerWriter(live, queue_ms, started))
    if not answered.again:
        gateway.telemetry.decisions.labels("transactions", answered.decision).inc()
        gateway.telemetry.judge_seconds.labels("transactions").observe(time.perf_counter() - started)
        gateway.telemetry.queue_seconds.labels("transactions").observe(queue_ms / 1000)
    return answered


def find(gateway: Gateway, model: str, event_id: str) -> str:
    """The answer of a transaction, as it was sent. NotFoundError: there is none."""
    kept = stream_of(gateway, model).journal.find(event_id)
    if kept is None or kept.answer is None:
        raise NotFoundError(f"no transaction of the stream has the id {event_id!r} and an answer")
    return kept.answer


def note(gateway: Gateway, asked: LabelsRequest) -> LabelsAnswer:
    """Note labels, all of them or none."""
    noted = stream_of(gateway, asked.model).note({entry.id: int(entry.fraud) for entry in asked.labels})
    return LabelsAnswer(changed=noted.changed, unknown=list(noted.unknown))


def stream_of(gateway: Gateway, reference: str) -> LiveStream:
    """The stream of a model. Raises Problem 422 for a model of another kind, 503 where it cannot be used."""
    model = gateway.champions.resolve(reference)
    if model.kind != "fraud":
        raise Problem(422, "WRONG_KIND", f"the model {reference} is of kind {model.kind}; this call needs fraud")
    return live_stream(gateway.db, model, open_engine(gateway.settings, model))


def warm_streams(gateway: Gateway) -> None:
    """Bring the streams of all fraud champions into memory; what fails here fails again, and is told, at a request."""
    try:
        champions = [model for model in list_models(gateway.db, kind="fraud") if model.state == "champion"]
        for model in champions:
            live = live_stream(gateway.db, model, engine_for(gateway.settings, model))
            gateway.log.info("stream is warm", model=model.name, histories=live.warm())
    except AssayError as error:
        gateway.log.warning("streams cannot be warmed", code=error.code, cause=str(error))

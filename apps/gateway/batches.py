"""`POST /v1/batches`: a table or a folder of pictures for the workers; where it stands; its results."""

import asyncio
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from apps.gateway.bodies import read_json, require_type
from apps.gateway.forms import Upload, read_form
from apps.gateway.keys import Caller, caller_of
from apps.gateway.models import ModelReference, open_engine, resolve_reference
from apps.gateway.problems import Problem, invalid, problem_responses
from apps.gateway.state import Gateway, gateway_of
from apps.gateway.tables_in import stored_file, stored_pictures, uploaded_table
from apps.store.jobs import JobState, Order, job_state, submit_inspect_job, submit_score_job
from apps.store.models import get_model
from apps.store.tables import Job, Model
from core.errors import InputError, NotFoundError

FORM, JSON = "multipart/form-data", "application/json"
IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,150}")
RESULT_TYPES = {".csv": "text/csv", ".jsonl": "application/x-ndjson"}

router = APIRouter(prefix="/v1", tags=["batches"])

BatchId = Annotated[str, PathParameter(pattern="^[0-9a-f]{32}$")]


class BatchOptions(BaseModel):
    """What a batch asks for, beside its rows."""

    model_config = ConfigDict(extra="forbid")

    model: ModelReference
    id: str | None = Field(default=None, max_length=200, description="the column of the ids; default: the model's")
    reasons: int = Field(default=4, ge=0, le=20, description="reasons for each row")
    reasons_for: Literal["review", "all"] = "review"


class BatchRequest(BatchOptions):
    """A batch whose rows are stored already: `path` is a file or folder below the inbox of the gateway's home."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class BatchLinks(BaseModel):
    self: str
    results: str | None


class BatchAnswer(BaseModel):
    """Where a batch stands: queued, running, done, failed or cancelled; `progress` runs from 0 to 1.

    `rows_failed` of `rows_done` could not be judged.
    """

    id: str
    kind: str
    state: str
    model: str
    model_version: int
    progress: float
    rows_total: int
    rows_done: int
    rows_failed: int
    chunks: dict[str, int]
    summary: dict[str, Any]
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    links: BatchLinks


FORM_SCHEMA: dict[str, Any] = BatchOptions.model_json_schema()
FORM_SCHEMA["properties"]["file"] = {
    "type": "string",
    "format": "binary",
    "description": "CSV, CSV.GZ, Parquet or XLSX",
}
FORM_SCHEMA["required"] = ["model", "file"]


@router.post(
    "/batches",
    status_code=202,
    summary="Judge many",
    responses={
        **problem_responses(400, 404, 408, 409, 413, 415, 422, 429),
        202: {"headers": {"Location": {"schema": {"type": "string"}, "description": "where the batch can be watched"}}},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {FORM: {"schema": FORM_SCHEMA}, JSON: {"schema": BatchRequest.model_json_schema()}},
        },
        "parameters": [
            {
                "in": "header",
                "name": "Idempotency-Key",
                "required": False,
                "schema": {"type": "string", "maxLength": 150},
                "description": "the same key and request give the first batch again; another request is 409",
            }
        ],
    },
)
async def post_batch(
    request: Request,
    response: Response,
    gateway: Annotated[Gateway, Depends(gateway_of)],
    caller: Annotated[Caller, Depends(caller_of)],
) -> BatchAnswer:
    gateway.submitters.refuse_when_full()
    order = _order(request, caller)
    if require_type(request, FORM, JSON) == JSON:
        asked = await read_json(request, BatchRequest, gateway.limits)
        answer = await gateway.submitters.run(lambda _: submit_stored(gateway, asked, order))
    else:
        limits = gateway.limits
        with await read_form(
            request,
            texts=list(BatchOptions.model_fields),
            files=["file"],
            file_bytes=limits.table_bytes,
            limits=limits,
            folder=gateway.upload_folder,
        ) as form:
            options, upload = _options(form.texts), form.file("file")
            answer = await gateway.submitters.run(lambda _: submit_upload(gateway, options, upload, order))
    response.headers["Location"] = answer.links.self
    return answer


@router.get("/batches/{batch_id}", summary="Where a batch stands", responses=problem_responses(404, 422))
async def get_batch(batch_id: BatchId, gateway: Annotated[Gateway, Depends(gateway_of)]) -> BatchAnswer:
    return await asyncio.to_thread(batch_answer, gateway, batch_id)


@router.get(
    "/batches/{batch_id}/results",
    summary="The rows of a finished batch",
    response_class=FileResponse,
    responses=problem_responses(404, 409, 422),
)
async def get_batch_results(batch_id: BatchId, gateway: Annotated[Gateway, Depends(gateway_of)]) -> FileResponse:
    state = await asyncio.to_thread(job_state, gateway.db, batch_id)
    if state.job.state != "done":
        raise Problem(409, "NOT_DONE", f"the batch is {state.job.state}; its results can be had when it is done")
    path = _results_file(gateway, state.job)
    if path is None:
        raise NotFoundError("the results of this batch were written to another place, or have been removed")
    return FileResponse(path, media_type=RESULT_TYPES.get(path.suffix, "application/octet-stream"), filename=path.name)


def submit_upload(gateway: Gateway, asked: BatchOptions, upload: Upload, order: Order) -> BatchAnswer:
    """Make a job of an uploaded table. Raises Problem 422 for a model that judges pictures."""
    model = resolve_reference(gateway.db, asked.model)
    if model.kind == "inspection":
        raise Problem(422, "WRONG_KIND", "pictures come as a folder below the inbox: send JSON with its path")
    with uploaded_table(upload, gateway.upload_folder) as source:
        try:
            return _submit_table(gateway, asked, model, source, order)
        except InputError as error:  # the file has a name that means nothing to the sender
            raise InputError(str(error).replace(str(source), upload.label), code=error.code) from error


def submit_stored(gateway: Gateway, asked: BatchRequest, order: Order) -> BatchAnswer:
    """Make a job of a table, or of pictures, that lie below the inbox."""
    model = resolve_reference(gateway.db, asked.model)
    if model.kind != "inspection":
        return _submit_table(gateway, asked, model, stored_file(gateway.inbox_folder, asked.path), order)
    pictures = stored_pictures(gateway.inbox_folder, asked.path)
    job = submit_inspect_job(gateway.db, gateway.settings, model=model, paths=pictures, heatmaps=True, order=order)
    return batch_answer(gateway, job.id)


def batch_answer(gateway: Gateway, batch_id: str) -> BatchAnswer:
    """Read where a batch stands. Raises NotFoundError."""
    state: JobState = job_state(gateway.db, batch_id)
    job, model = state.job, get_model(gateway.db, state.job.model_id)
    here = f"/v1/batches/{job.id}"
    has_results = job.state == "done" and _results_file(gateway, job) is not None
    return BatchAnswer(
        id=job.id,
        kind=job.kind,
        state=job.state,
        model=model.name,
        model_version=model.version,
        progress=round(state.progress, 4),
        rows_total=job.rows_total,
        rows_done=state.rows_done,
        rows_failed=state.rows_failed,
        chunks=state.chunks,
        summary=job.summary,
        error=job.error,
        created_at=job.created_at,
        finished_at=job.finished_at,
        links=BatchLinks(self=here, results=f"{here}/results" if has_results else None),
    )


def _submit_table(gateway: Gateway, asked: BatchOptions, model: Model, source: Path, order: Order) -> BatchAnswer:
    """Raises InputError for a table that is none, or lacks a column of the model: there is no job then."""
    open_engine(gateway.settings, model)  # a damaged model is no fault of the caller
    job = submit_score_job(
        gateway.db,
        gateway.settings,
        model=model,
        source=source,
        id_column=asked.id,
        reasons=asked.reasons,
        reasons_for=asked.reasons_for,
        order=order,
    )
    return batch_answer(gateway, job.id)


def _order(request: Request, caller: Caller) -> Order:
    """Who asks, and the idempotency key, which is the caller's own: two callers may use the same one."""
    sent = request.headers.getlist("Idempotency-Key")
    if not sent:
        return Order(actor=caller.actor)
    if len(sent) > 1 or not IDEMPOTENCY_KEY.fullmatch(sent[0]):
        raise Problem(422, "BAD_IDEMPOTENCY_KEY", "Idempotency-Key must be 1 to 150 visible ASCII characters, once")
    return Order(actor=caller.actor, idempotency_key=f"{caller.prefix}:{sent[0]}")


def _options(texts: dict[str, str]) -> BatchOptions:
    try:
        return BatchOptions.model_validate_strings(texts)
    except ValidationError as error:
        raise invalid(error) from None


def _results_file(gateway: Gateway, job: Job) -> Path | None:
    """The file of a job's rows, where it lies in the home's own folder: no other place is served."""
    out = job.params.get("out")
    path = Path(out) if out else None
    served = path is not None and path.parent == gateway.settings.home.resolve() / "out" and path.is_file()
    return path if served else None

"""`POST /v1/inspections`: one station picture, judged in this process, kept with its heatmap, answered."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from apps.gateway.bodies import require_type
from apps.gateway.forms import Upload, read_form
from apps.gateway.keys import Caller, caller_of
from apps.gateway.models import REFERENCE, open_engine, resolve_kind
from apps.gateway.problems import problem_responses
from apps.gateway.state import Gateway, gateway_of
from apps.judging import judge_content, keep_pixels
from apps.store.inspections import new_id, save_inspection
from apps.store.objects import open_objects

router = APIRouter(prefix="/v1", tags=["inspection"])


class InspectedRegion(BaseModel):
    """A place in the picture as uploaded, after EXIF rotation: [x0, y0, x1, y1], x1 and y1 exclusive."""

    box: tuple[int, int, int, int]
    score: float
    label: str
    area_px: int


class InspectionLatency(BaseModel):
    """Milliseconds. `total` runs from the end of the upload to the verdict."""

    decode: float
    queue: float
    model: float
    total: float


class InspectionAnswer(BaseModel):
    """`unknown`, with `error` filled, is the verdict on a picture that cannot be judged."""

    id: str
    path: str | None
    verdict: Literal["pass", "review", "reject", "unknown"]
    score: float | None
    threshold: float | None
    label: str | None
    labels: dict[str, float]
    regions: list[InspectedRegion]
    model: str
    model_version: int
    latency_ms: InspectionLatency
    error: str | None


FORM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["model", "image"],
    "additionalProperties": False,
    "properties": {
        "model": {"type": "string", "pattern": REFERENCE, "description": "NAME, or NAME@VERSION"},
        "image": {"type": "string", "format": "binary", "description": "PNG, JPEG, BMP or TIFF, by its content"},
    },
}


@router.post(
    "/inspections",
    summary="Judge one picture",
    responses=problem_responses(400, 404, 408, 413, 415, 422, 429),
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM_SCHEMA}}}},
)
async def post_image(
    request: Request,
    gateway: Annotated[Gateway, Depends(gateway_of)],
    caller: Annotated[Caller, Depends(caller_of)],
) -> InspectionAnswer:
    gateway.judges.refuse_when_full()
    require_type(request, "multipart/form-data")
    limits = gateway.limits
    with await read_form(
        request,
        texts=["model"],
        files=["image"],
        file_bytes=limits.image_bytes,
        limits=limits,
        folder=gateway.upload_folder,
    ) as form:
        reference, upload = form.text("model"), form.file("image")
        return await gateway.judges.run(lambda queue_ms: inspect(gateway, reference, upload, caller, queue_ms))


def inspect(gateway: Gateway, reference: str, upload: Upload, caller: Caller, queue_ms: float) -> InspectionAnswer:
    """Judge an uploaded picture, keep it with its heatmap, and answer.

    Raises:
        Problem: the model is unusable or of another kind.
        NotFoundError: there is no such model.
        InputError: the picture is too large (413) or of a kind that is not read (415).
    """
    model = resolve_kind(gateway.db, reference, "inspection")
    engine = open_engine(gateway.settings, model)
    content = upload.read()
    judged = judge_content(
        content,
        engine,
        model,
        image_id=new_id(),
        path=upload.label,
        heatmap=True,
        queue_ms=queue_ms,
        max_pixels=gateway.limits.image_pixels,
    )
    answer = InspectionAnswer(**judged.answer)
    image = keep_pixels(judged, content, open_objects(gateway.settings))
    save_inspection(gateway.db, model=model, image=image, actor=caller.actor)
    gateway.telemetry.decisions.labels("inspection", answer.verdict).inc()
    gateway.telemetry.judge_seconds.labels("inspection").observe((answer.latency_ms.total - queue_ms) / 1000)
    gateway.telemetry.queue_seconds.labels("inspection").observe(queue_ms / 1000)
    return answer

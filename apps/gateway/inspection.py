"""`POST /v1/inspections`: one station picture, judged in this process, kept with its heatmap, answered."""

import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from fastapi import APIRouter, Depends, Request
from numpy.typing import NDArray
from pydantic import BaseModel

from apps.gateway.bodies import require_type
from apps.gateway.forms import Upload, read_form
from apps.gateway.keeping import keep_inspection
from apps.gateway.keys import Caller, caller_of
from apps.gateway.models import REFERENCE, open_engine, resolve_kind
from apps.gateway.problems import problem_responses
from apps.gateway.state import Gateway, gateway_of
from apps.store.inspections import JudgedImage, new_id
from apps.store.objects import open_objects
from core.errors import AssayError, InputError
from core.runtime.engine import Engine
from data.images import decode
from pipelines.inspection.judge import Judgement, judge, unknown

HEATMAP_PX = 1024  # longest side of a kept heatmap

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


@dataclass(frozen=True)
class _Timed:
    """A judgement, and the milliseconds that decoding and judging took."""

    judgement: Judgement
    decode_ms: float
    model_ms: float


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
    timed = _judge(content, upload.label, engine, gateway.limits.image_pixels)
    answer = InspectionAnswer(
        **timed.judgement.to_json(),
        model=model.name,
        model_version=model.version,
        latency_ms=_latency(queue_ms, timed),
    )
    objects = open_objects(gateway.settings)
    heatmap = timed.judgement.heatmap
    image = JudgedImage(
        answer=answer.model_dump(mode="json"),
        image_key=objects.put(content),
        heatmap_key=None if heatmap is None else objects.put(heatmap_png(heatmap), suffix=".png"),
    )
    keep_inspection(gateway.db, model, image, caller)
    gateway.telemetry.decisions.labels("inspection", answer.verdict).inc()
    gateway.telemetry.judge_seconds.labels("inspection").observe((timed.decode_ms + timed.model_ms) / 1000)
    gateway.telemetry.queue_seconds.labels("inspection").observe(queue_ms / 1000)
    return answer


def heatmap_png(heatmap_HW: NDArray[np.float32]) -> bytes:
    """Defect probability (H, W) as an 8-bit grey PNG, at most 1,024 pixels long."""
    shrink = HEATMAP_PX / max(heatmap_HW.shape)
    if shrink < 1:
        heatmap_HW = np.asarray(cv2.resize(heatmap_HW, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA))
    grey = np.clip(np.rint(heatmap_HW * 255), 0, 255).astype(np.uint8)
    written, png = cv2.imencode(".png", grey)
    if not written:
        raise AssayError("the heatmap could not be encoded as PNG")
    return bytes(png)


def _judge(content: bytes, label: str, engine: Engine, max_pixels: int) -> _Timed:
    """Decode and judge. A picture that is broken is an answer (`unknown`); a kind that is not read is an error."""
    image_id = new_id()
    started = time.perf_counter()
    try:
        image = decode(content, image_id=image_id, path=label, max_pixels=max_pixels)
    except InputError as error:
        if error.code != "BAD_IMAGE":
            raise
        return _Timed(unknown(image_id, label, f"{error.code}: {error}"), _ms_since(started), 0.0)
    decoded = time.perf_counter()
    judgement = judge(image, engine, heatmap=True)
    return _Timed(judgement, (decoded - started) * 1000, _ms_since(decoded))


def _latency(queue_ms: float, timed: _Timed) -> InspectionLatency:
    total = queue_ms + timed.decode_ms + timed.model_ms
    parts = {"decode": timed.decode_ms, "queue": queue_ms, "model": timed.model_ms, "total": total}
    return InspectionLatency(**{name: round(value, 2) for name, value in parts.items()})


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000

"""From the bytes of a picture to the contract's answer: the one way for gateway, workers and command line."""

import time
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.store.inspections import JudgedImage
from apps.store.objects import ObjectStore
from apps.store.tables import Model
from core.errors import AssayError, InputError
from core.runtime.engine import Engine
from data.images import MAX_PIXELS, decode
from data.records import StationImage
from pipelines.inspection.judge import judge, unknown

HEATMAP_PX = 1024  # longest side of a kept heatmap


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The contract's answer; the picture as decoded (None: broken), and the defect probability (H, W) if asked for."""

    answer: dict[str, Any]
    image: StationImage | None
    heatmap_hw: NDArray[np.float32] | None


def judge_content(
    content: bytes,
    engine: Engine,
    model: Model,
    *,
    image_id: str,
    path: str | None,
    heatmap: bool = False,
    queue_ms: float = 0.0,
    max_pixels: int = MAX_PIXELS,
) -> Judged:
    """Decode and judge. A broken picture is an answer, `unknown`.

    InputError for what is not even looked at: too large (IMAGE_TOO_LARGE), or no kind that is read
    (UNSUPPORTED_IMAGE); `unknown_answer` makes an answer of that where one is wanted.
    """
    started = time.perf_counter()
    image = None
    try:
        image = decode(content, image_id=image_id, path=path, max_pixels=max_pixels)
    except InputError as error:
        if error.code != "BAD_IMAGE":
            raise
        judgement = unknown(image_id, path, f"{error.code}: {error}")
    decoded = time.perf_counter()
    if image is not None:
        judgement = judge(image, engine, heatmap=heatmap)
    ended = time.perf_counter()
    decode_ms, model_ms = (decoded - started) * 1000, (ended - decoded) * 1000
    latency = {"decode": decode_ms, "queue": queue_ms, "model": model_ms, "total": queue_ms + decode_ms + model_ms}
    answer = judgement.to_json() | {
        "model": model.name,
        "model_version": model.version,
        "latency_ms": {name: round(ms, 2) for name, ms in latency.items()},
    }
    return Judged(answer=answer, image=image, heatmap_hw=judgement.heatmap)


def keep_pixels(judged: Judged, content: bytes, objects: ObjectStore, *, suffix: str = "") -> JudgedImage:
    """Put the picture and its heatmap into the object store; return what the database keeps."""
    heat = judged.heatmap_hw
    return JudgedImage(
        answer=judged.answer,
        image_key=objects.put(content, suffix=suffix),
        heatmap_key=None if heat is None else objects.put(heatmap_png(heat), suffix=".png"),
    )


def heatmap_png(heatmap_HW: NDArray[np.float32]) -> bytes:
    """Encode a defect probability (H, W) as an 8-bit grey PNG, at most 1,024 pixels long."""
    shrink = HEATMAP_PX / max(heatmap_HW.shape)
    if shrink < 1:
        heatmap_HW = np.asarray(cv2.resize(heatmap_HW, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA))
    return _png(np.clip(np.rint(heatmap_HW * 255), 0, 255).astype(np.uint8))


def overlay_png(judged: Judged) -> bytes:
    """Draw the heatmap over the picture, with the regions in white frames; for people to look at."""
    assert judged.image is not None, "a broken picture has no overlay"
    assert judged.heatmap_hw is not None, "judge with heatmap=True"
    grey = np.clip(judged.heatmap_hw * 255, 0, 255).astype(np.uint8)
    heat = cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    share_HW1 = 0.65 * judged.heatmap_hw[..., None]
    drawn = np.asarray(judged.image.pixels * (1 - share_HW1) + heat * share_HW1).astype(np.uint8)
    for region in judged.answer["regions"]:
        x0, y0, x1, y1 = region["box"]
        cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), (255, 255, 255), max(1, max(drawn.shape) // 300))
    return _png(np.ascontiguousarray(drawn[..., ::-1]))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    written, png = cv2.imencode(".png", pixels)
    if not written:
        raise AssayError("a picture could not be encoded as PNG")
    return bytes(png)

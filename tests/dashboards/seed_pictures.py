"""Inspected pictures for the pages to show: brushed plates, some scratched, with heatmaps."""

import io
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from apps.settings import Settings
from apps.store.objects import open_objects
from apps.store.tables import Inspection, Job


def pictures(settings: Settings, job: Job, count: int, rng: np.random.Generator) -> list[Inspection]:
    store = open_objects(settings)
    rows = []
    for place in range(count):
        pixels, heat, box, score = _surface(rng, defective=place % 3 == 0)
        verdict = "reject" if score >= 0.55 else "review" if score >= 0.35 else "pass"
        broken = place == 5
        label = "scratch" if box is not None and place % 2 else "pit"
        region = {"box": box, "score": score, "label": label, "area_px": 412} if box is not None else None
        key = f"{place:032x}"
        answer = {
            "id": key,
            "path": f"line-2/lot-07/part_{place:04d}.png",
            "verdict": "unknown" if broken else verdict,
            "score": None if broken else score,
            "threshold": 0.55,
            "label": label,
            "labels": {label: score},
            "regions": [region] if region and not broken and score > 0.3 else [],
            "latency_ms": {"decode": 1.1, "queue": 0.4, "model": 6.2, "total": 8.0},
            "error": "BAD_IMAGE: the picture ends early; send it again" if broken else None,
        }
        rows.append(
            Inspection(
                id=key,
                job_id=job.id,
                row=place,
                model_id=job.model_id,
                path=answer["path"],
                verdict=answer["verdict"],
                score=answer["score"],
                answer=answer,
                image_key=None if broken else store.put(_png(pixels), suffix=".png"),
                heatmap_key=None if broken else store.put(_png(heat), suffix=".png"),
                created_at=job.created_at + timedelta(seconds=place),
            )
        )
    return rows


def _surface(
    rng: np.random.Generator, *, defective: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[int] | None, float]:
    """A brushed plate of 320 x 240 px, perhaps with a scratch; its heatmap of 40 x 30; the box and the score."""
    height, width = 240, 320
    rows = np.cumsum(rng.normal(0, 1, (height, 1)), axis=0) * 1.2
    light = np.linspace(-18, 18, width)[None, :] * rng.uniform(-1, 1)
    grey = 150 + rows + light + rng.normal(0, 7, (height, width))
    heat = np.clip(rng.normal(0.04, 0.03, (30, 40)), 0, 1)
    box = None
    score = float(np.clip(rng.beta(1.5, 9), 0, 1))
    if defective:
        x, y, length = int(rng.integers(40, 200)), int(rng.integers(40, 160)), int(rng.integers(40, 80))
        for step in range(length):
            grey[y + step // 2 : y + step // 2 + 3, x + step : x + step + 2] -= rng.uniform(35, 70)
        box = [x - 4, y - 4, x + length + 6, y + length // 2 + 8]
        score = float(rng.beta(6, 2.2))
        centre_y, centre_x = (box[1] + box[3]) / 16, (box[0] + box[2]) / 16
        ys, xs = np.mgrid[0:30, 0:40]
        blob = np.exp(-(((xs - centre_x) / 5) ** 2 + ((ys - centre_y) / 3) ** 2))
        heat = np.clip(np.maximum(heat, score * blob), 0, 1)
    colour = np.clip(grey, 0, 255)[..., None] * np.array([0.96, 1.0, 1.04])
    return np.clip(colour, 0, 255).astype(np.uint8), np.rint(heat * 255).astype(np.uint8), box, score


def _png(pixels: NDArray[np.uint8]) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()

"""Judges the pictures of a chunk; one that cannot be judged is `unknown`, and the others go on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from apps.engines import engine_for
from apps.settings import Settings
from apps.store.chunks import Claim, Outcome
from apps.store.inspections import JudgedImage, id_in_job, unknown_answer
from apps.store.objects import ObjectStore, open_objects
from apps.store.tables import Model
from core.errors import InputError
from core.runtime.engine import Engine
from data.images import decode
from pipelines.inspection.judge import judge


def inspect_pictures(settings: Settings, model: Model, claim: Claim) -> Outcome:
    """Judge pictures by path; pictures and heatmaps are kept in the object store."""
    engine, store = engine_for(settings, model), open_objects(settings)
    heatmaps = bool(claim.params.get("heatmaps"))
    images = {}
    for place, path in enumerate(claim.payload["paths"]):
        row = claim.first_row + place
        image_id = id_in_job(claim.job_id, row)
        try:
            images[row] = _inspect(store, engine, Path(path), image_id, model, heatmaps=heatmaps)
        except InputError as error:
            answer = unknown_answer(model, image_id, path, f"{error.code}: {error}")
            images[row] = JudgedImage(answer=answer)
        except OSError as error:
            words = f"FILE_MISSING: {path} cannot be read: {error.strerror}"
            images[row] = JudgedImage(answer=unknown_answer(model, image_id, path, words))
    failed = sum(image.answer["verdict"] == "unknown" for image in images.values())
    return Outcome(images=images, failed=failed)


def _inspect(
    store: ObjectStore, engine: Engine, path: Path, image_id: str, model: Model, *, heatmaps: bool
) -> JudgedImage:
    content = path.read_bytes()
    image = decode(content, image_id=image_id, path=str(path))
    judgement = judge(image, engine, heatmap=heatmaps)
    answer = judgement.to_json() | {"model": model.name, "model_version": model.version}
    kept = JudgedImage(answer=answer, image_key=store.put(content, suffix=path.suffix.lower()))
    if judgement.heatmap is None:
        return kept
    return replace(kept, heatmap_key=_put_heatmap(store, judgement.heatmap))


def _put_heatmap(store: ObjectStore, heatmap_hw: np.ndarray[Any, Any]) -> str:
    _, png = cv2.imencode(".png", np.clip(heatmap_hw * 255, 0, 255).astype(np.uint8))
    return store.put(png.tobytes(), suffix=".png")

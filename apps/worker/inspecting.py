"""Judges the pictures of a chunk; one that cannot be judged is `unknown`, and the others go on."""

from pathlib import Path

from apps.engines import engine_for
from apps.judging import judge_content, keep_pixels
from apps.settings import Settings
from apps.store.chunks import Claim, Outcome
from apps.store.inspections import JudgedImage, id_in_job, unknown_answer
from apps.store.objects import ObjectStore, open_objects
from apps.store.tables import Model
from core.errors import InputError
from core.runtime.engine import Engine


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
    judged = judge_content(content, engine, model, image_id=image_id, path=str(path), heatmap=heatmaps)
    return keep_pixels(judged, content, store, suffix=path.suffix.lower())

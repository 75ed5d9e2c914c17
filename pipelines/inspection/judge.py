"""Judge a picture of a part: the main path. Pure: no database, no clock, no network, and no torch.

Pixels -> `prepare` -> `Engine.predict` -> calibrated probability and defect map -> regions -> verdict.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.errors import AssayError
from core.runtime.engine import Engine
from data.records import StationImage
from pipelines.inspection.box_regions import LEAST_SCORE, name_boxes, read_boxes
from pipelines.inspection.prepare import canvas_for, has_contrast, prepare
from pipelines.inspection.regions import Region, find_regions, heat_of, scale_to
from pipelines.inspection.thresholds import Zones

TOGETHER = 8  # pictures of one canvas that go through the engine in one call
FAINT = 0.5  # a flagged picture without a region shows where its map reaches this share of its highest point


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The answer for one picture. `verdict` is pass, review, reject, or unknown with `error` filled.

    `score` is the calibrated probability of a defect; `labels` shares it out among the classes; `label` is the
    likeliest class of a picture that did not pass. `heatmap` (H, W) is the defect probability at each pixel.
    """

    image_id: str
    path: str | None
    verdict: str
    score: float | None = None
    threshold: float | None = None
    label: str | None = None
    labels: Mapping[str, float]
    regions: tuple[Region, ...] = ()
    error: str | None = None
    heatmap: NDArray[np.float32] | None = None

    def to_json(self) -> dict[str, Any]:
        """The contract's inspection answer, less what only the application knows: model, version, latency."""
        return {
            "id": self.image_id,
            "path": self.path,
            "verdict": self.verdict,
            "score": self.score,
            "threshold": self.threshold,
            "label": self.label,
            "labels": dict(self.labels),
            "regions": [region.to_json() for region in self.regions],
            "error": self.error,
        }


@dataclass(frozen=True)
class _Seen:
    """What the network said of one picture: probability, map (K, h, w), class logits (K,), boxes where it tells any."""

    probability: float
    map_Khw: NDArray[np.float32]
    logit_K: NDArray[np.float64]
    boxes_Chw: NDArray[np.float32] | None


def judge(image: StationImage, engine: Engine, *, heatmap: bool = False, all_regions: bool = False) -> Judgement:
    """Judge one picture. What cannot be judged is `unknown`, never `pass`.

    `all_regions` tells regions at the threshold of pictures that pass too, and no others (for evaluation); of a network
    that tells boxes, all boxes that are not plainly nothing, each with its score.
    """
    return judge_many([image], engine, heatmap=heatmap, all_regions=all_regions)[0]


def judge_many(
    images: Sequence[StationImage], engine: Engine, *, heatmap: bool = False, all_regions: bool = False
) -> list[Judgement]:
    """Judge pictures in their order; those of one shape go through the engine together."""
    size_px = int(engine.bundle.manifest.decision["size_px"])
    answers: dict[int, Judgement] = {}
    by_canvas: dict[object, list[int]] = defaultdict(list)
    for place, image in enumerate(images):
        if has_contrast(image.pixels):
            by_canvas[canvas_for(image.height_px, image.width_px, size_px)].append(place)
        else:
            words = "NO_CONTRAST: every pixel has one value; check camera, light and file"
            answers[place] = unknown(image.image_id, image.path, words)
    for places in by_canvas.values():
        for start in range(0, len(places), TOGETHER):
            some = places[start : start + TOGETHER]
            seen = _see_alike([images[place] for place in some], engine, size_px)
            for place, one in zip(some, seen, strict=True):
                if isinstance(one, Judgement):
                    answers[place] = one
                else:
                    answers[place] = _answer(images[place], one, engine, heatmap=heatmap, all_regions=all_regions)
    return [answers[place] for place in range(len(images))]


def unknown(image_id: str, path: str | None, error: str) -> Judgement:
    """Return the answer for a picture that cannot be judged, for example because it cannot be decoded."""
    return Judgement(image_id=image_id, path=path, verdict="unknown", labels={}, error=error)


def _see_alike(images: Sequence[StationImage], engine: Engine, size_px: int) -> list["Judgement | _Seen"]:
    try:
        inputs = np.stack([prepare(image.pixels, size_px) for image in images])
        prediction = engine.predict(Batch(inputs={"image": inputs}))
    except AssayError as error:
        return [unknown(image.image_id, image.path, f"{error.code}: {error}") for image in images]
    outputs = prediction.outputs
    boxes = outputs.get("boxes")
    return [
        _Seen(
            float(probability),
            np.asarray(outputs["defect_map"][place], np.float32),
            np.asarray(outputs["label_logits"][place], np.float64),
            None if boxes is None else np.asarray(boxes[place], np.float32),
        )
        for place, probability in enumerate(prediction.probability)
    ]


def _answer(image: StationImage, seen: _Seen, engine: Engine, *, heatmap: bool, all_regions: bool) -> Judgement:
    decision = engine.bundle.manifest.decision
    names, zones = list(decision["labels"]), Zones.from_json(decision)
    share_K = np.exp(seen.logit_K - seen.logit_K.max())
    share_K /= share_K.sum()
    verdict = zones.verdict(seen.probability)
    regions: tuple[Region, ...] = ()
    line = float(decision["region_threshold"])
    if seen.boxes_Chw is not None and (all_regions or verdict != "pass"):
        heat = scale_to(heat_of(seen.map_Khw), image.height_px, image.width_px)
        least = LEAST_SCORE if all_regions else float(decision["box_threshold"])
        regions = name_boxes(read_boxes(seen.boxes_Chw, heat, least), heat, names, line)
    elif all_regions:
        regions = find_regions(seen.map_Khw, image.height_px, image.width_px, names, line)
    if verdict != "pass" and not regions and not all_regions:
        regions = _regions_of(image, seen.map_Khw, names, line)
    return Judgement(
        image_id=image.image_id,
        path=image.path,
        verdict=verdict,
        score=seen.probability,
        threshold=zones.threshold,
        label=None if verdict == "pass" else names[int(np.argmax(share_K))],
        labels={name: float(share * seen.probability) for name, share in zip(names, share_K, strict=True)},
        regions=regions,
        heatmap=scale_to(heat_of(seen.map_Khw), image.height_px, image.width_px) if heatmap else None,
    )


def _regions_of(
    image: StationImage, map_Khw: NDArray[np.floating], names: Sequence[str], threshold: float
) -> tuple[Region, ...]:
    """Regions at the threshold, or where the map never reaches it, around its highest points: a verdict has a place."""
    found = find_regions(map_Khw, image.height_px, image.width_px, names, threshold)
    if found:
        return found
    faint = FAINT * float(scale_to(heat_of(map_Khw), image.height_px, image.width_px).max())
    return find_regions(map_Khw, image.height_px, image.width_px, names, faint)

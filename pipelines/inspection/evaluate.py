"""Evaluation: labelled pictures through the very path that serves, and the contract's metrics with intervals.

At the model's threshold: `escape_rate` is the share of defective pictures that would pass, `overkill_rate` the share
of good ones that would not, `f1` is of defective against good; `accuracy` and `balanced_accuracy` are of the class
(good is one class, and where a picture is only `defective`, so is that). `ms_per_image` is preparation, engine and
regions of one decoded picture.

Legend: B pictures, R bootstrap draws.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.metrics.bootstrap import Metric
from core.metrics.boxes import BoxList, match, mean_average_precision
from core.metrics.pixels import (
    Tally,
    aupro,
    pixel_auroc,
    pixel_average_precision,
    sum_tallies,
    tally,
    tolerant_f1,
)
from core.metrics.resample import draw_weights, with_interval
from core.runtime.engine import Engine
from data.images import read_image
from data.inspection.split_file import LabelledImage
from pipelines.inspection.judge import Judgement, judge
from pipelines.inspection.truth import mask_of, true_boxes
from pipelines.inspection.verdicts import class_metrics, escape_overkill, image_metrics, verdicts_of

DRAWS = 400
MOST_TALLIES = 500  # pictures or groups share them beyond that: a bounded memory
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All metrics by the contract's names; `per_class` by class; `failed` pictures that could not be judged.

    `curves` holds `escape_overkill`: columns threshold, escape, overkill (empty where one kind of picture is missing).
    """

    metrics: dict[str, Metric]
    curves: dict[str, Any]
    per_class: dict[str, dict[str, Metric]]
    ms_per_image: dict[str, float]
    images: int
    defective: int
    failed: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The document that `assay evaluate --json` prints."""
        return {
            **{name: metric.to_json() for name, metric in self.metrics.items()},
            "per_class": {
                name: {key: metric.to_json() for key, metric in of.items()} for name, of in self.per_class.items()
            },
            "ms_per_image": self.ms_per_image,
            "n": self.images,
            "positives": self.defective,
            "failed": self.failed,
        }


@dataclass
class _Seen:
    """What was found, picture by picture."""

    truth: list[LabelledImage] = field(default_factory=list)
    judged: list[Judgement] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    found: list[BoxList] = field(default_factory=list)
    true: list[BoxList] = field(default_factory=list)
    boxed: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def evaluate_images(
    images: Sequence[LabelledImage],
    engine: Engine,
    progress: Callable[[float, str], None] = lambda share, words: None,
    *,
    seed: int = 0,
) -> Evaluation:
    """Judge every picture and measure. A picture that cannot be judged is listed in `failed` and left out.

    Raises InputError where not one picture could be judged.
    """
    seen = _Seen()
    for number, image in enumerate(images):
        _look(image, engine, seen)
        progress((number + 1) / len(images), "judging")
    if not seen.judged:
        first = next(iter(seen.failed.values()), "the split holds no row")
        raise InputError(f"not one of {len(images)} pictures could be judged; the first: {first}")
    names = list(engine.bundle.manifest.decision["labels"])
    verdicts = verdicts_of(seen.truth, seen.judged, names)
    metrics = image_metrics(verdicts, seed) | _pixel_metrics(seen, seed) | _box_metrics(seen, seed)
    spent = np.array(seen.seconds[1:] or seen.seconds) * 1000  # the first call warms up
    return Evaluation(
        metrics=metrics,
        curves=escape_overkill(verdicts),
        per_class=class_metrics(verdicts, seed),
        ms_per_image={"p50": float(np.quantile(spent, 0.5)), "p99": float(np.quantile(spent, 0.99))},
        images=len(seen.judged),
        defective=sum(image.defective for image in seen.truth),
        failed=seen.failed,
    )


def _look(image: LabelledImage, engine: Engine, seen: _Seen) -> None:
    decision = engine.bundle.manifest.decision
    try:
        picture = read_image(image.path)
        started = time.perf_counter()
        judgement = judge(picture, engine, heatmap=True, all_regions=True)
        seen.seconds.append(time.perf_counter() - started)
        if judgement.heatmap is None:
            seen.failed[image.name] = judgement.error or "unknown"
            return
        mask = mask_of(image, judgement.heatmap.shape)
    except InputError as error:
        seen.failed[image.name] = str(error)
        return
    seen.truth.append(image)
    seen.judged.append(judgement)
    group = image.group or image.name
    if mask is not None:
        key = group if len(seen.tallies) < MOST_TALLIES or group in seen.tallies else _shared(group, seen)
        added = tally(judgement.heatmap, mask, float(decision["region_threshold"]))
        seen.tallies[key] = sum_tallies([seen.tallies[key], added]) if key in seen.tallies else added
        seen.found.append(_found_boxes(judgement, list(decision["labels"])))
        seen.true.append(true_boxes(image, mask, list(decision["labels"])))
        seen.boxed.append(group)


def _shared(group: str, seen: _Seen) -> str:
    return list(seen.tallies)[sum(group.encode()) % MOST_TALLIES]


def _found_boxes(judgement: Judgement, labels: list[str]) -> BoxList:
    regions = judgement.regions
    return BoxList(
        np.array([region.box for region in regions], np.float64).reshape(-1, 4),
        np.array([labels.index(region.label) for region in regions], np.int64),
        np.array([region.score for region in regions], np.float64),
    )


def _pixel_metrics(seen: _Seen, seed: int) -> dict[str, Metric]:
    names = ("pixel_auroc", "pixel_average_precision", "aupro", "aupro_005", "pixel_f1_2px")
    if not any(tally.count("regions") for tally in seen.tallies.values()):
        return {name: Metric(missing="no mask or box") for name in names}
    stack_BM = np.stack([tally.vector_M for tally in seen.tallies.values()])
    weights_RB = draw_weights(list(seen.tallies), DRAWS // 2, seed)
    measures: dict[str, Callable[[Tally], float]] = {
        "pixel_auroc": pixel_auroc,
        "pixel_average_precision": pixel_average_precision,
        "aupro": aupro,
        "aupro_005": lambda total: aupro(total, 0.05),
        "pixel_f1_2px": tolerant_f1,
    }
    return {name: with_interval(partial(_of_sum, measure, stack_BM), weights_RB) for name, measure in measures.items()}


def _box_metrics(seen: _Seen, seed: int) -> dict[str, Metric]:
    if not any(len(boxes.label_N) for boxes in seen.true):
        return {name: Metric(missing="no mask or box") for name in ("ap50", "ap33")}
    weights_RB = draw_weights(seen.boxed, DRAWS // 2, seed)
    metrics = {}
    for name, least in (("ap50", 0.5), ("ap33", 0.33)):
        matches = match(seen.found, seen.true, least)
        metrics[name] = with_interval(partial(mean_average_precision, matches), weights_RB)
    return metrics


def _of_sum(measure: Callable[[Tally], float], stack_BM: Floats, w_B: Floats) -> float:
    return measure(Tally(w_B @ stack_BM))

"""Metrics of verdicts on whole pictures: ranking, classes, escapes and overkills.

Legend: B pictures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.metrics.binary import Counts, auc_of, average_precision_of, count, rank
from core.metrics.bootstrap import Metric
from core.metrics.resample import draw_weights, with_interval
from data.inspection.split_file import UNNAMED_DEFECT, LabelledImage
from pipelines.inspection.judge import Judgement
from pipelines.inspection.truth import NORMAL, class_of

DRAWS = 400
POINTS = 200  # of a curve
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Names = NDArray[np.str_]


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """Truth and answer: defective or not, probability, flagged at the threshold, true and told class, group."""

    yes_B: Flags
    p_B: Floats
    flagged_B: Flags
    true_B: Names
    told_B: Names
    groups: tuple[str, ...]


def verdicts_of(truth: Sequence[LabelledImage], judged: Sequence[Judgement], names: Sequence[str]) -> Verdicts:
    """Gather judged pictures. Where the truth is only `defective`, a flagged picture is told `defective` as well."""
    p_B = np.array([judgement.score for judgement in judged], np.float64)
    flagged_B = np.array([p >= (judgement.threshold or 0.0) for p, judgement in zip(p_B, judged, strict=True)])
    true_B = np.array([class_of(image, names) for image in truth])
    likeliest = np.array([max(judgement.labels, key=judgement.labels.__getitem__) for judgement in judged])
    told_B = np.where(flagged_B, np.where(true_B == UNNAMED_DEFECT, UNNAMED_DEFECT, likeliest), NORMAL)
    return Verdicts(
        yes_B=np.array([image.defective for image in truth]),
        p_B=p_B,
        flagged_B=flagged_B,
        true_B=true_B,
        told_B=told_B,
        groups=tuple(image.group or image.name for image in truth),
    )


def image_metrics(seen: Verdicts, seed: int) -> dict[str, Metric]:
    """The contract's metrics of whole pictures; what needs good and defective ones is missing with a cause."""
    good_B = ~seen.yes_B
    measures: dict[str, Callable[[Floats], float]] = {
        "image_auroc": partial(_ranked, seen.yes_B, seen.p_B, auc_of),
        "image_average_precision": partial(_ranked, seen.yes_B, seen.p_B, average_precision_of),
        "accuracy": partial(_share, seen.told_B == seen.true_B, np.ones_like(good_B), "no picture"),
        "balanced_accuracy": partial(_balanced, seen),
        "f1": partial(_f1, seen),
        "escape_rate": partial(_share, ~seen.flagged_B, seen.yes_B, "no defective picture"),
        "overkill_rate": partial(_share, seen.flagged_B, good_B, "no defect-free picture"),
    }
    weights_RB = draw_weights(seen.groups, DRAWS, seed)
    return {name: with_interval(measure, weights_RB) for name, measure in measures.items()}


def class_metrics(seen: Verdicts, seed: int) -> dict[str, dict[str, Metric]]:
    """By class of defect: recall at the threshold, share told as that class, AUROC against the good ones."""
    weights_RB = draw_weights(seen.groups, DRAWS, seed)
    found = {}
    for name in sorted(set(seen.true_B[seen.yes_B])):
        mine_B = seen.true_B == name
        measures: dict[str, Callable[[Floats], float]] = {
            "recall": partial(_share, seen.flagged_B, mine_B, "no picture"),
            "label_accuracy": partial(_share, seen.told_B == name, mine_B, "no picture"),
            "image_auroc": partial(_ranked_among, seen, mine_B | ~seen.yes_B),
        }
        found[str(name)] = {key: with_interval(measure, weights_RB) for key, measure in measures.items()}
    return found


def escape_overkill(seen: Verdicts) -> dict[str, dict[str, list[float]]]:
    """Escape and overkill rate by threshold, at most POINTS of them; nothing where one kind of picture is missing."""
    if seen.yes_B.all() or not seen.yes_B.any():
        return {}
    lines = np.unique(np.quantile(np.concatenate([[0.0], seen.p_B, [1.0]]), np.linspace(0, 1, POINTS)))
    bad, good = np.sort(seen.p_B[seen.yes_B]), np.sort(seen.p_B[~seen.yes_B])
    escape = np.searchsorted(bad, lines) / len(bad)
    overkill = 1 - np.searchsorted(good, lines) / len(good)
    curve = {"threshold": lines.tolist(), "escape": escape.tolist(), "overkill": overkill.tolist()}
    return {"escape_overkill": curve}


def _ranked(yes_B: Flags, p_B: Floats, of: Callable[[Counts], float], w_B: Floats) -> float:
    drawn = w_B > 0
    if not yes_B[drawn].any() or yes_B[drawn].all():
        raise ValueError("one class")
    ranking = rank(yes_B, p_B)
    return of(count(ranking, w_B[ranking.order_B]))


def _ranked_among(seen: Verdicts, some_B: Flags, w_B: Floats) -> float:
    return _ranked(seen.yes_B[some_B], seen.p_B[some_B], auc_of, w_B[some_B])


def _share(hit_B: Flags, among_B: Flags, cause: str, w_B: Floats) -> float:
    weight_B = w_B * among_B
    if not weight_B.sum():
        raise ValueError(cause)
    return float(np.dot(hit_B, weight_B) / weight_B.sum())


def _balanced(seen: Verdicts, w_B: Floats) -> float:
    """Mean over the true classes of the share that is told right."""
    right_B = seen.told_B == seen.true_B
    names = np.unique(seen.true_B[w_B > 0])
    return float(np.mean([_share(right_B, seen.true_B == name, "no picture", w_B) for name in names]))


def _f1(seen: Verdicts, w_B: Floats) -> float:
    if not np.dot(w_B, seen.yes_B) or not np.dot(w_B, ~seen.yes_B):
        raise ValueError("one class")
    both = float(np.dot(w_B, seen.yes_B & seen.flagged_B))
    return 2 * both / float(np.dot(w_B, seen.yes_B.astype(np.float64) + seen.flagged_B))

"""Average precision of found boxes against true ones.

A found box is a hit when it overlaps a true box of its class and picture, not yet taken by a better-scored one, by at
least the asked share (intersection over union). Average precision sums precision times step of recall, with
precision made monotone from the right (Pascal VOC 2010 and later); the mean over classes that have true boxes is told.
Boxes are (x0, y0, x1, y1) in pixels, x1 and y1 exclusive.

Legend: G true boxes, F found boxes of one picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BoxList:
    """Boxes of one picture: `box_N4`, their class numbers and, for found ones, scores."""

    box_N4: Floats
    label_N: NDArray[np.int64]
    score_N: Floats


def overlaps(found_F4: Floats, true_G4: Floats) -> Floats:
    """Intersection over union of every pair, (F, G).

    >>> overlaps(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2]])).round(3).tolist()
    [[0.333]]
    """
    low = np.maximum(found_F4[:, None, :2], true_G4[None, :, :2])
    high = np.minimum(found_F4[:, None, 2:], true_G4[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=2)
    found, true = _areas(found_F4)[:, None], _areas(true_G4)[None, :]
    return np.asarray(both / (found + true - both), np.float64)


@dataclass(frozen=True)
class Matches:
    """One class over all pictures: score, hit and picture of every found box; number of true boxes by picture."""

    score: Floats
    hit: NDArray[np.bool_]
    picture: NDArray[np.int64]
    true_B: Floats


def match(found: Sequence[BoxList], true: Sequence[BoxList], least: float) -> list[Matches]:
    """Match found to true boxes, class by class (only classes that have true boxes), at an overlap of `least`."""
    classes = sorted({int(label) for boxes in true for label in boxes.label_N})
    return [_match_class(found, true, least, label) for label in classes]


def mean_average_precision(matches: Sequence[Matches], weight_B: Floats | None = None) -> float:
    """Mean over classes; `weight_B` says how often each picture counts. ValueError without a true box."""
    values = []
    for one in matches:
        weights = np.ones(len(one.true_B)) if weight_B is None else weight_B
        if np.dot(weights, one.true_B) > 0:
            values.append(average_precision_of_boxes(one, weights))
    if not values:
        raise ValueError("no true box")
    return float(np.mean(values))


def average_precision_of_boxes(one: Matches, weight_B: Floats) -> float:
    """Average precision of one class under picture weights."""
    order = np.argsort(-one.score, kind="stable")
    weight = weight_B[one.picture[order]]
    hits = np.cumsum(weight * one.hit[order])
    flagged = np.cumsum(weight)
    precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = hits / float(np.dot(weight_B, one.true_B))
    return float(np.dot(np.diff(recall, prepend=0.0), precision))


def _match_class(found: Sequence[BoxList], true: Sequence[BoxList], least: float, label: int) -> Matches:
    scores, hits, pictures, counts = [], [], [], []
    for picture, (here, wanted) in enumerate(zip(found, true, strict=True)):
        mine, theirs = here.label_N == label, wanted.label_N == label
        counts.append(float(theirs.sum()))
        order = np.argsort(-here.score_N[mine], kind="stable")
        share_FG = overlaps(here.box_N4[mine][order], wanted.box_N4[theirs])
        scores.extend(here.score_N[mine][order])
        hits.extend(_take(share_FG, least))
        pictures.extend([picture] * int(mine.sum()))
    return Matches(np.array(scores), np.array(hits, bool), np.array(pictures, np.int64), np.array(counts))


def _take(share_FG: Floats, least: float) -> list[bool]:
    """Say of each found box, best first, whether it hits a true box that is still free."""
    free = np.ones(share_FG.shape[1], bool)
    hits = []
    for share_G in share_FG:
        share = np.where(free, share_G, -1.0)
        best = int(np.argmax(share)) if len(share) else -1
        hit = best >= 0 and share[best] >= least
        if hit:
            free[best] = False
        hits.append(bool(hit))
    return hits


def _areas(box_N4: Floats) -> Floats:
    return np.asarray((box_N4[:, 2] - box_N4[:, 0]) * (box_N4[:, 3] - box_N4[:, 1]), np.float64)

"""Regions from told boxes: the sure ones, one for each place, in the pixels of the picture as uploaded.

Legend: K classes; P points of the map; N boxes that are kept; H, W of the picture.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.metrics.boxes import BoxList, match, overlaps
from pipelines.inspection.regions import MOST, Region

LEAST_SCORE = 0.05  # below that nothing is told, not even for evaluation
SAME_PLACE = 0.25  # two boxes of a class that overlap by more than this are one
AGREES = 0.5  # boxes that overlap the surest of a place by this share are averaged with it, by their scores
CANDIDATES = 300  # of a picture and class that are compared with each other
OVERLAP = 0.33  # at which a box counts as found when the line is chosen
Floats = NDArray[np.float64]


def read_boxes(boxes_Chw: NDArray[np.floating], heat_HW: NDArray[np.float32], line: float) -> BoxList:
    """Return the boxes (x0, y0, x1, y1) that reach the score `line`, strongest first, in whole pixels.

    `boxes_Chw` holds the sides as shares of the picture's width and height, then a score for each class.
    """
    height, width = heat_HW.shape
    told = np.asarray(boxes_Chw, np.float64).reshape(len(boxes_Chw), -1)
    size = np.array([width, height, width, height])
    box_P4 = np.clip(told[:4].T, 0.0, 1.0) * size
    box_P4[:, 2:] = np.maximum(box_P4[:, 2:], box_P4[:, :2] + 1e-3)  # every box has an area
    kept = [
        (score, number, box_4)
        for number, score_P in enumerate(told[4:])
        for score, box_4 in _apart(box_P4, score_P, line)
    ]
    kept.sort(key=lambda one: -one[0])
    box_N4 = np.array([box_4 for *_, box_4 in kept[:MOST]], np.float64).reshape(-1, 4)
    box_N4 = np.floor(box_N4 + 0.5)
    box_N4[:, :2] = np.minimum(box_N4[:, :2], size[:2] - 1)
    box_N4[:, 2:] = np.maximum(box_N4[:, 2:], box_N4[:, :2] + 1)
    numbers = np.array([number for _, number, _ in kept[:MOST]], np.int64)
    return BoxList(box_N4, numbers, np.array([score for score, *_ in kept[:MOST]], np.float64))


def name_boxes(
    found: BoxList, heat_HW: NDArray[np.float32], labels: Sequence[str], threshold: float
) -> tuple[Region, ...]:
    """Name the boxes. The area of a region is where the map reaches `threshold` inside the box, else the box's."""
    regions = []
    for box_4, number, score in zip(found.box_N4, found.label_N, found.score_N, strict=True):
        x0, y0, x1, y1 = (int(side) for side in box_4)
        inside = int(np.count_nonzero(heat_HW[y0:y1, x0:x1] >= threshold))
        regions.append(Region((x0, y0, x1, y1), float(score), labels[number], inside or (x1 - x0) * (y1 - y0)))
    return tuple(regions)


def choose_box_line(found: Sequence[BoxList], true: Sequence[BoxList]) -> float:
    """Return the score of best F1 on validation pictures (overlap of a third, class right); 0.5 without true boxes."""
    matches = match(found, true, OVERLAP)
    wanted = sum(float(one.true_B.sum()) for one in matches)
    score = np.concatenate([one.score for one in matches]) if matches else np.zeros(0)
    if not wanted or not len(score):
        return 0.5
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(np.concatenate([one.hit for one in matches])[order])
    best = int(np.argmax(2 * hits / (np.arange(1, len(order) + 1) + wanted)))
    return float(np.clip(score[order][best], LEAST_SCORE, 0.95))


def _apart(box_P4: Floats, score_P: Floats, line: float) -> list[tuple[float, Floats]]:
    """Score and box of each place, the surest first: what lies where a taken one does is dropped, or averaged with it.

    Averaging after Solovyev et al., Weighted boxes fusion, arXiv 1910.13302.
    """
    order = np.argsort(-score_P, kind="stable")[:CANDIDATES]
    order = order[score_P[order] >= line]
    box_N4, score_N = box_P4[order], score_P[order]
    share_NN = overlaps(box_N4, box_N4)
    free_N = np.ones(len(order), bool)
    found: list[tuple[float, Floats]] = []
    for place in range(len(order)):
        if not free_N[place]:
            continue
        near_N = free_N & (share_NN[place] > SAME_PLACE)
        near_N[place] = True
        free_N &= ~near_N
        weight_N = score_N * (near_N & (share_NN[place] >= AGREES))
        weight_N[place] = score_N[place]
        found.append((float(score_N[place]), np.asarray(weight_N @ box_N4 / weight_N.sum(), np.float64)))
    return found

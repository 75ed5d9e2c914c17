"""Boxes of a training picture: those that were given, moved with the picture, or those around the parts of its mask.

Legend: N boxes, as x0, y0, x1, y1 in pixels and the class (1..K, or -1 for no name); H, W of the canvas.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.inspection.prepare import Canvas
from pipelines.inspection.samples import UNNAMED

KEPT = 0.25  # share of a box's area that must stay on the canvas for the box to count
FEWEST = 4  # pixels of a part; smaller ones are crumbs of a mask


def move_boxes(boxes_N5: NDArray[np.float32], matrix_23: NDArray[np.float64], canvas: Canvas) -> NDArray[np.float32]:
    """Return the boxes around the moved ones, cut to the canvas; those that lie outside are left out."""
    if not len(boxes_N5):
        return boxes_N5
    corner_N42 = boxes_N5[:, [[0, 1], [2, 1], [2, 3], [0, 3]]].astype(np.float64)
    moved_N42 = corner_N42 @ matrix_23[:, :2].T + matrix_23[:, 2]
    low, high = moved_N42.min(axis=1), moved_N42.max(axis=1)
    limit = np.array([canvas.width, canvas.height])
    cut_low, cut_high = low.clip(0, limit), high.clip(0, limit)
    stays = (cut_high - cut_low).prod(axis=1) >= KEPT * (high - low).prod(axis=1)
    return np.asarray(np.concatenate([cut_low, cut_high, boxes_N5[:, 4:]], axis=1)[stays], np.float32)


def boxes_around(places_HW: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the boxes around the 8-connected parts of each class.

    >>> boxes_around(np.array([[2, 2, 0], [2, 2, 0], [0, 0, 0]], np.uint8)).tolist()
    [[0.0, 0.0, 2.0, 2.0, 2.0]]
    """
    rows: list[tuple[int, ...]] = []
    for number in np.unique(places_HW[places_HW > 0]):
        count, _, stats, _ = cv2.connectedComponentsWithStats((places_HW == number).astype(np.uint8), connectivity=8)
        for x, y, wide, high, area in stats[1:count].tolist():
            if area >= FEWEST:
                rows.append((x, y, x + wide, y + high, -1 if number == UNNAMED else int(number)))
    return np.array(rows, np.float32).reshape(-1, 5)

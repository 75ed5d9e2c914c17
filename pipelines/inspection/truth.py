"""What an annotation says, in the form that training, thresholds and metrics compare with.

Legend: H, W of the picture.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from core.metrics.boxes import BoxList
from data.inspection.split_file import UNNAMED_DEFECT, LabelledImage, draw_boxes, read_mask

NORMAL = "free"


def class_of(image: LabelledImage, labels: Sequence[str]) -> str:
    """Return the one class of a picture: `free`, its label, its boxes' where they agree, else `defective`."""
    if not image.defective:
        return NORMAL
    classes = [name for name in image.classes if name in labels]
    if len(classes) == 1:
        return classes[0]
    return image.label if not classes and len(image.classes) == 1 else UNNAMED_DEFECT


def mask_of(image: LabelledImage, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Return (H, W), True where the defect is; empty for a good picture; None where nobody said."""
    size = (shape[0], shape[1])
    if not image.defective:
        return np.zeros(size, bool)
    if image.mask is not None:
        return read_mask(image.mask, size)
    return draw_boxes(image.boxes, size) if image.boxes else None


def true_boxes(image: LabelledImage, mask_HW: NDArray[np.bool_], labels: Sequence[str]) -> BoxList:
    """Return the boxes of the file, or those around the connected parts of the mask; class len(labels): not known."""
    if image.boxes:
        boxes = [(box.x1, box.y1, box.x2, box.y2) for box in image.boxes]
        names = [box.label for box in image.boxes]
    else:
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask_HW.astype(np.uint8), connectivity=8)
        boxes = [
            (x, y, x + wide, y + high) for x, y, wide, high, _ in (map(int, stats[part]) for part in range(1, count))
        ]
        names = [class_of(image, labels)] * len(boxes)
    numbers = [labels.index(name) if name in labels else len(labels) for name in names]
    return BoxList(np.array(boxes, np.float64).reshape(-1, 4), np.array(numbers, np.int64), np.ones(len(boxes)))

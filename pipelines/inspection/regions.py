"""Regions: connected parts of the defect map, as boxes in the pixels of the picture as uploaded.

Legend: K classes; h, w of the map; H, W of the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

MOST = 100  # regions of one picture; the strongest are kept


@dataclass(frozen=True)
class Region:
    """One found defect: `box` (x0, y0, x1, y1), x1 and y1 exclusive; `score` its highest defect probability."""

    box: tuple[int, int, int, int]
    score: float
    label: str
    area_px: int

    def to_json(self) -> dict[str, object]:
        """The contract's words."""
        return {"box": list(self.box), "score": self.score, "label": self.label, "area_px": self.area_px}


def heat_of(defect_map_Khw: NDArray[np.floating]) -> NDArray[np.float32]:
    """Probability of any defect at each point, (h, w)."""
    return np.asarray(np.clip(defect_map_Khw.sum(axis=0), 0.0, 1.0), np.float32)


def scale_to(heat_hw: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Scale a map to the picture's (H, W), linear."""
    return np.asarray(cv2.resize(heat_hw, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def find_regions(
    defect_map_Khw: NDArray[np.floating], height: int, width: int, labels: Sequence[str], threshold: float
) -> tuple[Region, ...]:
    """Return the regions where the defect probability reaches `threshold`, strongest first.

    A region's label is the class with the most probability inside it.
    """
    heat = scale_to(heat_of(defect_map_Khw), height, width)
    count, part_HW, stats, _ = cv2.connectedComponentsWithStats((heat >= threshold).astype(np.uint8), connectivity=8)
    if count == 1:
        return ()
    peak = np.zeros(count, np.float32)
    np.maximum.at(peak, np.asarray(part_HW, np.int64).ravel(), heat.ravel())
    kept = sorted(range(1, count), key=lambda part: -peak[part])[:MOST]
    map_h, map_w = defect_map_Khw.shape[1:]
    small_hw = cv2.resize(part_HW.astype(np.float32), (map_w, map_h), interpolation=cv2.INTER_NEAREST)
    regions = []
    for part in kept:
        x, y, wide, high, area = (int(value) for value in stats[part])
        inside = small_hw == part
        if not inside.any():  # smaller than a point of the map: the point at its middle speaks for it
            inside[(2 * y + high) * map_h // (2 * height), (2 * x + wide) * map_w // (2 * width)] = True
        label = labels[int(np.argmax(defect_map_Khw[:, inside].sum(axis=1)))]
        regions.append(Region((x, y, x + wide, y + high), float(peak[part]), label, area))
    return tuple(regions)

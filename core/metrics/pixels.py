"""Metrics of defect maps against masks, from histograms: one pass over the pixels, any number of bootstrap draws.

Scores are logits of the defect probability, put into BINS equal bins over [-LIMIT, LIMIT]; pixels of one bin count as
equal. A `Tally` holds what one picture (or one group of pictures) adds; all metrics are sums of tallies.

AUPRO is the area under the mean overlap with each true region (8-connected) against the false-positive rate of all
defect-free pixels, from 0 to a limit, divided by the limit. Source: Bergmann et al., MVTec AD, IJCV 2021, section 5.

Legend: H, W of the picture; N bins; R true regions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

BINS = 4096
LIMIT = 16.0
REACH_PX = 2  # of the tolerant F1
Floats = NDArray[np.float64]


COUNTS = ("regions", "predicted", "predicted_near", "true", "true_near")


@dataclass(frozen=True)
class Tally:
    """What pictures add, as one vector, so that tallies add up and take weights: `vector_M` of 3 N + 5 numbers.

    First the defect and the clear pixels by bin, highest score first; then, by bin, the sum over true regions of the
    share of their pixels; then the counts named in COUNTS.
    """

    vector_M: Floats

    @property
    def defect(self) -> Floats:
        return self.vector_M[:BINS]

    @property
    def clear(self) -> Floats:
        return self.vector_M[BINS : 2 * BINS]

    @property
    def overlap(self) -> Floats:
        return self.vector_M[2 * BINS : 3 * BINS]

    def count(self, name: str) -> float:
        """Return one of COUNTS."""
        return float(self.vector_M[3 * BINS + COUNTS.index(name)])


def tally(probability_HW: NDArray[np.floating], mask_HW: NDArray[np.bool_], threshold: float) -> Tally:
    """Count one picture; `threshold` is the probability from which a pixel is called a defect (tolerant F1 only)."""
    if probability_HW.shape != mask_HW.shape:
        raise ValueError(f"map and mask must have one shape, got {probability_HW.shape} and {mask_HW.shape}")
    bin_HW = bins_of(probability_HW)
    count, region_HW = cv2.connectedComponents(mask_HW.astype(np.uint8), connectivity=8)
    overlap_N = np.zeros(BINS)
    for region in range(1, count):
        inside = bin_HW[region_HW == region]
        overlap_N += np.bincount(inside, minlength=BINS) / len(inside)
    predicted_HW = probability_HW >= threshold
    counts = (
        count - 1,
        predicted_HW.sum(),
        (predicted_HW & grow(mask_HW, REACH_PX)).sum(),
        mask_HW.sum(),
        (mask_HW & grow(predicted_HW, REACH_PX)).sum(),
    )
    defect_N = np.bincount(bin_HW[mask_HW], minlength=BINS)
    clear_N = np.bincount(bin_HW[~mask_HW], minlength=BINS)
    return Tally(np.concatenate([defect_N, clear_N, overlap_N, counts]).astype(np.float64))


def bins_of(probability_HW: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the bin of each pixel; bin 0 holds the highest scores."""
    p = np.clip(probability_HW.astype(np.float64), 1e-9, 1 - 1e-9)
    place = (LIMIT - np.log(p / (1 - p))) * (BINS / (2 * LIMIT))
    return np.clip(place, 0, BINS - 1).astype(np.int64)


def grow(mask_HW: NDArray[np.bool_], reach_px: int) -> NDArray[np.bool_]:
    """Return what lies within `reach_px` of a mask (a disc)."""
    away = np.arange(-reach_px, reach_px + 1)
    disc = (away[:, None] ** 2 + away**2 <= reach_px**2).astype(np.uint8)
    return np.asarray(cv2.dilate(mask_HW.astype(np.uint8), disc) > 0)


def pixel_auroc(total: Tally) -> float:
    """Area under the ROC curve over all pixels; equal bins count half. ValueError without both kinds."""
    _need_both(total)
    below = total.clear.sum() - np.cumsum(total.clear)
    wins = float(np.dot(total.defect, below + total.clear / 2))
    return wins / float(total.defect.sum() * total.clear.sum())


def pixel_average_precision(total: Tally) -> float:
    """Sum of precision times step of recall over all pixels. ValueError without both kinds."""
    _need_both(total)
    hits, flagged = np.cumsum(total.defect), np.cumsum(total.defect + total.clear)
    precision = np.divide(hits, flagged, out=np.zeros(BINS), where=flagged > 0)
    return float(np.dot(total.defect, precision) / total.defect.sum())


def aupro(total: Tally, limit: float = 0.3) -> float:
    """Area under the per-region overlap up to a false-positive rate of `limit`, in 0..1. ValueError without regions."""
    _need_both(total)
    rate = np.append(0.0, np.cumsum(total.clear) / total.clear.sum())
    overlap = np.append(0.0, np.cumsum(total.overlap) / total.count("regions"))
    at_limit = float(np.interp(limit, rate, overlap))
    inside = rate < limit
    rate, overlap = np.append(rate[inside], limit), np.append(overlap[inside], at_limit)
    return float(np.dot(np.diff(rate), (overlap[1:] + overlap[:-1]) / 2) / limit)


def tolerant_f1(total: Tally) -> float:
    """F1 where a pixel within two pixels of the other side counts as met. ValueError without a true pixel."""
    if total.count("true") == 0:
        raise ValueError("no true pixel to be met")
    predicted = total.count("predicted")
    precision = total.count("predicted_near") / predicted if predicted else 0.0
    recall = total.count("true_near") / total.count("true")
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def sum_tallies(tallies: Sequence[Tally]) -> Tally:
    """Return the sum of tallies; of none, zeros."""
    total = np.zeros(3 * BINS + len(COUNTS))
    for part in tallies:
        total = total + part.vector_M
    return Tally(total)


def _need_both(total: Tally) -> None:
    if not total.defect.any() or not total.clear.any():
        raise ValueError("both defect and clear pixels are needed")

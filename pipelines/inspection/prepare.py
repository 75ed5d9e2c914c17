"""From pixels to the network's input: one code for training and serving, numpy and OpenCV only.

A picture keeps its aspect ratio and gets the area of a square of `size_px`: a long tile squeezed into a square would
lose its thin cracks. Sides are multiples of 32, the trunk's deepest stride. Brightness and contrast are taken out of
each picture by its own mean and spread, since one part comes at many exposures.

Legend: H, W of the picture as decoded; h, w of the canvas; C = 3 channels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

STRIDE = 32
LONGEST = 4.0  # aspect ratios beyond 4:1 are squeezed to it
SPREAD_FLOOR = 4.0  # grey levels: a flat picture must not become noise
TARGET_SPREAD = 0.4  # about that of natural pictures in [-1, 1]
LIMIT = 2.5  # values beyond are cut off: glare must not rule


@dataclass(frozen=True)
class Canvas:
    """Height and width of the network's input in pixels."""

    height: int
    width: int


def canvas_for(height: int, width: int, size_px: int) -> Canvas:
    """Return the canvas of about `size_px` squared pixels whose aspect ratio is nearest to that of the picture.

    >>> canvas_for(250, 600, 320)
    Canvas(height=224, width=480)
    """
    aspect = float(np.clip(width / height, 1 / LONGEST, LONGEST))
    wide = max(STRIDE, round(size_px * aspect**0.5 / STRIDE) * STRIDE)
    high = max(STRIDE, round(size_px**2 / wide / STRIDE) * STRIDE)
    return Canvas(height=high, width=wide)


def fit(pixels_HWC: NDArray[np.uint8], canvas: Canvas) -> NDArray[np.uint8]:
    """Scale to the canvas: area means when it shrinks, so that nothing thin is skipped, else linear."""
    height, width = pixels_HWC.shape[:2]
    if (height, width) == (canvas.height, canvas.width):
        return pixels_HWC
    shrinks = canvas.height * canvas.width < height * width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels_HWC, (canvas.width, canvas.height), interpolation=method), np.uint8)


def normalise(pixels_hwC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (3, h, w) float32 of mean 0 and a fixed spread; grey (h, w) is taken too.

    The mean and spread are those of all channels together: colours keep their relation.
    """
    values = pixels_hwC.astype(np.float32)
    mean, spread = cv2.meanStdDev(values.reshape(-1, 1))
    gain = TARGET_SPREAD / max(float(spread[0, 0]), SPREAD_FLOOR)
    values -= float(mean[0, 0])
    values *= gain
    np.clip(values, -LIMIT, LIMIT, out=values)
    if values.ndim == 2:
        return np.ascontiguousarray(np.broadcast_to(values, (3, *values.shape)))
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def prepare(pixels_HWC: NDArray[np.uint8], size_px: int) -> NDArray[np.float32]:
    """Return the network's input (3, h, w) for a decoded picture."""
    height, width = pixels_HWC.shape[:2]
    return normalise(fit(pixels_HWC, canvas_for(height, width, size_px)))


def has_contrast(pixels_HWC: NDArray[np.uint8]) -> bool:
    """Tell whether a picture shows anything: a dead camera or a closed shutter gives one value everywhere."""
    return bool((pixels_HWC != pixels_HWC.reshape(-1, pixels_HWC.shape[-1])[0]).any())

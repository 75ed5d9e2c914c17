"""Training pictures in memory: decoded once, little larger than the network's input, with what is known of them.

Legend: H, W of the kept picture; K defect classes, numbered 1..K in the order of the labels; 0 is background.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from data.images import read_image
from data.inspection.split_file import LabelledImage, draw_boxes, read_mask
from pipelines.inspection.attention import Known
from pipelines.inspection.prepare import Canvas, canvas_for

UNNAMED = 255  # in `places`: a defect whose class nobody named
DEFECTIVE = "defective"  # a label that names no class
ROOM = 1.25  # pictures are kept this much larger than the canvas, for zooms
MEMORY_BYTES = 3_000_000_000  # of kept pictures


@dataclass(frozen=True)
class Sample:
    """One picture for training.

    `pixels` is (H, W) uint8 where all channels are equal, else (H, W, 3). `places` is (H, W) uint8 (0, 1..K, UNNAMED)
    or None where nobody said where the defect lies. `label` is 0 (none), 1..K, or -1 for no name. `boxes` (N, 5) are
    the boxes that were given, as x0, y0, x1, y1 in pixels of `pixels`, and the class (-1 for no name).
    """

    pixels: NDArray[np.uint8]
    places: NDArray[np.uint8] | None
    known: Known
    label: int
    group: str
    canvas: Canvas
    boxes: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 5), np.float32))


def label_names(images: Sequence[LabelledImage]) -> tuple[str, ...]:
    """Return the names of the defect classes, sorted: the pictures' labels, or where they name none, the boxes'."""
    named = {image.label for image in images if image.defective and image.label != DEFECTIVE}
    named |= {box.label for image in images if image.label == DEFECTIVE for box in image.boxes}
    return tuple(sorted(named)) or (DEFECTIVE,)


def load_samples(
    images: Sequence[LabelledImage], labels: Sequence[str], size_px: int, progress: Callable[[float, str], None]
) -> list[Sample]:
    """Decode all pictures. Raises InputError for a picture or mask that cannot be read, or when memory would not do."""
    samples, used = [], 0
    for index, image in enumerate(images):
        sample = _load(image, labels, size_px)
        used += sample.pixels.nbytes + (0 if sample.places is None else sample.places.nbytes)
        if used > MEMORY_BYTES:
            raise InputError(
                f"the first {index + 1} of {len(images)} training pictures fill {used:,} bytes at {size_px} px; "
                "train on fewer pictures or with a smaller size"
            )
        samples.append(sample)
        progress((index + 1) / len(images), "reading pictures")
    return samples


def _load(image: LabelledImage, labels: Sequence[str], size_px: int) -> Sample:
    pixels = read_image(image.path).pixels
    places, known = _places(image, labels, (pixels.shape[0], pixels.shape[1]))
    canvas = canvas_for(pixels.shape[0], pixels.shape[1], size_px)
    grey = bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all())
    kept = np.ascontiguousarray(pixels[..., 0]) if grey else pixels
    scale = ROOM * (canvas.height * canvas.width / (pixels.shape[0] * pixels.shape[1])) ** 0.5
    if scale < 1:
        size = (round(canvas.width * ROOM), round(canvas.height * ROOM))
        kept = np.asarray(cv2.resize(kept, size, interpolation=cv2.INTER_AREA), np.uint8)
        places = None if places is None else _shrink(places, size)
    boxes = _boxes(image, labels, kept.shape[1] / pixels.shape[1], kept.shape[0] / pixels.shape[0])
    return Sample(kept, places, known, _label(image, labels), image.group or image.path.stem, canvas, boxes)


def _boxes(image: LabelledImage, labels: Sequence[str], scale_x: float, scale_y: float) -> NDArray[np.float32]:
    rows = [
        (box.x1, box.y1, box.x2, box.y2, labels.index(box.label) + 1 if box.label in labels else -1)
        for box in image.boxes
    ]
    scale_5 = np.array([scale_x, scale_y, scale_x, scale_y, 1.0], np.float32)
    return np.asarray(np.array(rows, np.float32).reshape(-1, 5) * scale_5, np.float32)


def _label(image: LabelledImage, labels: Sequence[str]) -> int:
    """Number of the class; a picture that is only `defective` has the class of its boxes where they agree."""
    if not image.defective:
        return 0
    names = {image.label} if image.label != DEFECTIVE else {box.label for box in image.boxes}
    numbers = [labels.index(name) + 1 for name in names if name in labels]
    return numbers[0] if len(numbers) == 1 else -1


def _places(
    image: LabelledImage, labels: Sequence[str], shape: tuple[int, int]
) -> tuple[NDArray[np.uint8] | None, Known]:
    if not image.defective:
        return None, Known.NORMAL
    if image.mask is not None:
        mask = read_mask(Path(image.mask), shape)
        number = _label(image, labels)
        return np.where(mask, number if number > 0 else UNNAMED, 0).astype(np.uint8), Known.MASK
    if image.boxes:
        places = np.zeros(shape, np.uint8)
        for box in sorted(image.boxes, key=lambda box: -(box.x2 - box.x1) * (box.y2 - box.y1)):
            number = labels.index(box.label) + 1 if box.label in labels else UNNAMED
            places[draw_boxes((box,), shape)] = number
        return places, Known.BOXES
    return None, Known.LABEL


def _shrink(places: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale down without losing what is thinner than a pixel: the largest number under each new pixel wins."""
    width, height = size
    factor = max(1, round(places.shape[1] / width))
    grown = cv2.dilate(places, np.ones((factor, factor), np.uint8)) if factor > 1 else places
    return np.asarray(cv2.resize(grown, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)

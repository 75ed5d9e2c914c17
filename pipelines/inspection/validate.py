"""What the exported network says of the validation pictures: the ground for calibration and thresholds.

Legend: B pictures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.metrics.pixels import Tally, sum_tallies, tally
from core.runtime.sessions import OnnxRunner
from data.images import read_image
from data.inspection.split_file import LabelledImage
from pipelines.inspection.prepare import prepare
from pipelines.inspection.regions import heat_of, scale_to
from pipelines.inspection.truth import mask_of


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Margins of the image head with truth and groups, and the sum of the pixel tallies of what is located."""

    margin_B: NDArray[np.float64]
    yes_B: NDArray[np.bool_]
    groups: tuple[str, ...]
    pixels: Tally


def validate(
    images: Sequence[LabelledImage], onnx: Path, size_px: int, progress: Callable[[float, str], None]
) -> Validation:
    """Run the exported network, as it will serve, over labelled pictures. Raises InputError for an unreadable one."""
    runner = OnnxRunner(onnx, device="cpu")
    margins, total = [], sum_tallies([])
    for number, image in enumerate(images):
        pixels = read_image(image.path).pixels
        outputs = runner.run({"image": prepare(pixels, size_px)[None]})
        margins.append(float(outputs["margin"][0]))
        mask = mask_of(image, pixels.shape)
        if mask is not None:
            heat = scale_to(heat_of(np.asarray(outputs["defect_map"][0], np.float32)), mask.shape[0], mask.shape[1])
            total = sum_tallies([total, tally(heat, mask, 0.5)])
        progress((number + 1) / len(images), "choosing thresholds")
    return Validation(
        margin_B=np.array(margins, np.float64),
        yes_B=np.array([image.defective for image in images]),
        groups=tuple(image.group or image.name for image in images),
        pixels=total,
    )

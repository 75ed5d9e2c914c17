"""What the exported network says of the validation pictures: the ground for calibration and thresholds.

Legend: B pictures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.batch import Array
from core.metrics.boxes import BoxList
from core.metrics.pixels import Tally, sum_tallies, tally
from data.images import read_image
from data.inspection.split_file import LabelledImage
from pipelines.inspection.box_regions import LEAST_SCORE, read_boxes
from pipelines.inspection.prepare import prepare
from pipelines.inspection.regions import heat_of, scale_to
from pipelines.inspection.truth import mask_of, true_boxes


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Margins of the image head with truth and groups, and the sum of the pixel tallies of what is located.

    Of a network of two stages `first_B` is what stage 0 said; `found` and `true` are boxes, where it tells any.
    """

    margin_B: NDArray[np.float64]
    first_B: NDArray[np.float64] | None
    yes_B: NDArray[np.bool_]
    groups: tuple[str, ...]
    pixels: Tally
    found: list[BoxList]
    true: list[BoxList]


def validate(
    images: Sequence[LabelledImage],
    run: Callable[[dict[str, Array]], dict[str, Array]],
    labels: Sequence[str],
    size_px: int,
    progress: Callable[[float, str], None],
) -> Validation:
    """Run the exported network, as it will serve, over labelled pictures. Raises InputError for an unreadable one."""
    margins: list[float] = []
    first: list[float] = []
    total = sum_tallies([])
    found: list[BoxList] = []
    true: list[BoxList] = []
    for number, image in enumerate(images):
        pixels = read_image(image.path).pixels
        outputs = run({"image": prepare(pixels, size_px)[None]})
        margins.append(float(outputs["margin"][0]))
        first.extend(outputs["margin_0"].tolist() if "margin_0" in outputs else [])
        mask = mask_of(image, pixels.shape)
        if mask is not None:
            heat = scale_to(heat_of(np.asarray(outputs["defect_map"][0], np.float32)), mask.shape[0], mask.shape[1])
            total = sum_tallies([total, tally(heat, mask, 0.5)])
            if "boxes" in outputs:
                found.append(read_boxes(outputs["boxes"][0], heat, LEAST_SCORE))
                true.append(true_boxes(image, mask, labels))
        progress((number + 1) / len(images), "choosing thresholds")
    return Validation(
        margin_B=np.array(margins, np.float64),
        first_B=np.array(first, np.float64) if first else None,
        yes_B=np.array([image.defective for image in images]),
        groups=tuple(image.group or image.name for image in images),
        pixels=total,
        found=found,
        true=true,
    )

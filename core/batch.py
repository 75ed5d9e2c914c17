"""A batch: one array per modality, with masks and targets. It imports no torch, so that serving trees stays light.

Shape legend, used all over `core`:
B batch, T tokens, D width, F features of a table, C channels, H height, W width, K classes, E experts.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs by modality name: `table` (B, F) float64 with NaN for missing; `image` (B, C, H, W) float32.

    `masks` marks with True what is present, under the same names; a modality without a mask is wholly present.
    `targets` is filled in training and evaluation only. All arrays share their first dimension B.
    """

    inputs: dict[str, Array]
    masks: dict[str, Array] = field(default_factory=dict)
    targets: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = {len(array) for part in (self.inputs, self.masks, self.targets) for array in part.values()}
        if len(sizes) != 1:
            raise ValueError(f"all arrays of a batch must share their first dimension, got {sorted(sizes)}")

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

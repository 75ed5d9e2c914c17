"""What a case is: frozen records, with units in their names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class LoanCase:
    """One application for credit, as it came in: raw values by column name, before any check."""

    case_id: str
    application: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class StationImage:
    """One decoded picture of a part.

    `pixels` is (H, W, 3) uint8 RGB after EXIF rotation; `notes` lists what the decoder had to convert
    (for example "16 bit scaled to 8", "CMYK converted").
    """

    image_id: str
    pixels: NDArray[np.uint8]
    path: str | None = None
    station: str | None = None
    taken_at: datetime | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def height_px(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width_px(self) -> int:
        return int(self.pixels.shape[1])

"""What a station's pictures look like when nothing is wrong with the station, and what is wrong with one that differs.

A picture may be whole and yet not be judged: another product's size, a dark or covered lens, a lens out of focus, a
camera that sends the same frame again and again. Such a picture is out of recipe: `unknown`, never `pass`.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any

import cv2
import numpy as np

from core.errors import InputError
from data.records import StationImage

SLACK = 3.0  # how far from the extremes of training a picture may lie: contrast and sharpness by this factor
MOST_SIZES = 4  # more different sizes in training than this: the size is no part of the recipe


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Limits for one product at one station. The defaults refuse only what nobody could judge."""

    smallest_side_px: int = 8
    sizes: tuple[tuple[int, int], ...] = ()  # (height, width) that are right; () for any
    brightness: tuple[float, float] = (0.0, 255.0)  # mean grey
    contrast_low: float = 0.5  # deviation of grey over the picture
    sharpness_low: float = 0.0  # see `measure`

    def __post_init__(self) -> None:
        if self.smallest_side_px < 1:
            raise ValueError(f"smallest_side_px must be 1 or more, got {self.smallest_side_px}")
        if not 0 <= self.brightness[0] <= self.brightness[1] <= 255:
            raise ValueError(f"brightness must be a range within 0..255, got {self.brightness}")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON for a model bundle."""
        return {**asdict(self), "sizes": [list(size) for size in self.sizes], "brightness": list(self.brightness)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Recipe":
        """Read what `to_json` wrote."""
        low, high = document["brightness"]
        sizes = tuple((int(height), int(width)) for height, width in document["sizes"])
        return cls(**{**document, "sizes": sizes, "brightness": (float(low), float(high))})


@dataclass(frozen=True, kw_only=True)
class Look:
    """Measures of one picture's grey values."""

    brightness: float
    contrast: float
    sharpness: float


def measure(image: StationImage) -> Look:
    """Measure brightness (mean), contrast (deviation) and sharpness of the grey picture.

    Sharpness is the deviation of the Laplacian over that of the grey values (plus one level, for flat pictures):
    blur lowers it, the lamp does not change it.
    """
    grey = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(grey))
    edges = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S, ksize=1))[1]
    return Look(brightness=mean, contrast=deviation, sharpness=float(edges[0, 0]) / (deviation + 1))


def learn_recipe(images: Iterable[StationImage]) -> Recipe:
    """Return limits that all given pictures meet, with slack for drift. Raises InputError for no pictures."""
    sizes: set[tuple[int, int]] = set()
    looks: list[Look] = []
    for image in images:
        sizes.add((image.height_px, image.width_px))
        looks.append(measure(image))
    if not looks:
        raise InputError("a recipe is learned from one picture or more, got none")
    low = min(look.brightness for look in looks)
    high = max(look.brightness for look in looks)
    return Recipe(
        smallest_side_px=max(8, min(min(size) for size in sizes) // 2),
        sizes=tuple(sorted(sizes)) if len(sizes) <= MOST_SIZES else (),
        brightness=(low / SLACK, 255 - (255 - high) / SLACK),
        contrast_low=max(0.5, min(look.contrast for look in looks) / SLACK),
        sharpness_low=min(look.sharpness for look in looks) / SLACK,
    )


def complaints(image: StationImage, recipe: Recipe) -> tuple[str, ...]:
    """Return what is wrong with the picture, in words; () if it can be judged."""
    size = (image.height_px, image.width_px)
    if min(size) < recipe.smallest_side_px:
        return (f"{size[1]} x {size[0]} pixels; each side must have {recipe.smallest_side_px} or more",)
    found = []
    if recipe.sizes and size not in recipe.sizes:
        allowed = ", ".join(f"{width} x {height}" for height, width in recipe.sizes)
        found.append(f"{size[1]} x {size[0]} pixels; the product's pictures have {allowed}")
    look = measure(image)
    low, high = recipe.brightness
    if not low <= look.brightness <= high:
        found.append(f"mean brightness {look.brightness:.1f}; {low:.1f}..{high:.1f} is usual: check lamp and exposure")
    if look.contrast < recipe.contrast_low:
        words = f"contrast {look.contrast:.2f}; {recipe.contrast_low:.2f} or more is usual"
        found.append(f"{words}: check the lamp and whether the lens is covered")
    elif look.sharpness < recipe.sharpness_low:
        found.append(f"sharpness {look.sharpness:.3f}; {recipe.sharpness_low:.3f} or more is usual: check the focus")
    return tuple(found)


def require_recipe(image: StationImage, recipe: Recipe) -> None:
    """Raise InputError with code OUT_OF_RECIPE if the picture must not be judged."""
    found = complaints(image, recipe)
    if found:
        raise InputError(f"{image.path or image.image_id}: {'; '.join(found)}", code="OUT_OF_RECIPE")


@dataclass
class FrozenFrameWatch:
    """Notices a station that sends one frame again and again; keep one for each process that receives pictures."""

    most_repeats: int = 3  # equal frames in turn that are still let through
    _last: dict[str, tuple[bytes, int]] = field(default_factory=dict)

    def require_new(self, image: StationImage) -> None:
        """Raise InputError with code OUT_OF_RECIPE once a station's frame has come more often than allowed."""
        station = image.station or ""
        digest = blake2b(np.ascontiguousarray(image.pixels).tobytes(), digest_size=16).digest()
        before, times = self._last.get(station, (b"", 0))
        times = times + 1 if digest == before else 1
        self._last[station] = (digest, times)
        if times > self.most_repeats:
            words = f"{image.path or image.image_id}: the same frame {times} times in turn"
            raise InputError(f"{words}; check the camera of station '{station}'", code="OUT_OF_RECIPE")

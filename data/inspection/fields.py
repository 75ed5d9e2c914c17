"""Random fields and lines from which surfaces, defects and dirt are drawn. All arrays are (H, W) float32."""

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Points = NDArray[np.float32]  # (N, 2) x, y in pixels
FINER = 2  # lines are drawn this many times larger and averaged down, so that they have soft edges


def white(rng: np.random.Generator, size: int) -> Field:
    """Independent normal noise, mean 0, deviation 1."""
    return rng.standard_normal((size, size), dtype=np.float32)


def smooth(rng: np.random.Generator, size: int, cell_px: float) -> Field:
    """Noise whose bumps are about `cell_px` wide, deviation near 1."""
    if cell_px < 3:
        field = cv2.GaussianBlur(white(rng, size), (0, 0), max(0.3, cell_px / 2))
        return np.asarray(field / (field.std() + 1e-6), np.float32)
    cells = int(np.ceil(size / cell_px)) + 3
    grid = rng.standard_normal((cells, cells), dtype=np.float32)
    full = cv2.resize(grid, None, fx=cell_px, fy=cell_px, interpolation=cv2.INTER_CUBIC)
    x, y = rng.integers(0, np.maximum(1, np.array(full.shape[::-1]) - size + 1))
    return np.asarray(full[y : y + size, x : x + size] * np.float32(1.3))


def streaks(rng: np.random.Generator, size: int, length_px: int, angle_deg: float) -> Field:
    """Noise drawn out along a direction, as a brush leaves it; deviation 1."""
    wide = int(size * 1.45) + 2
    noise = rng.standard_normal((wide, wide), dtype=np.float32)
    lines = cv2.blur(cv2.blur(noise, (length_px, 1)), (max(3, length_px // 3), 1))
    to_corner = np.array([[0, 0, 1], [0, 0, 1]]) * (wide - size) / 2
    turn = cv2.getRotationMatrix2D((wide / 2, wide / 2), angle_deg, 1.0) - to_corner
    field = cv2.warpAffine(lines, turn, (size, size), flags=cv2.INTER_LINEAR)
    return np.asarray(field / (field.std() + 1e-6), np.float32)


def grid_xy(size: int) -> tuple[Field, Field]:
    """Pixel centres: x and y, each (size, size)."""
    axis = np.arange(size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    return x, y


def distance(size: int, x0: float, y0: float, stretch: float = 1.0, angle_rad: float = 0.0) -> Field:
    """Distance in pixels from a point, shorter by `stretch` along `angle_rad`: level sets are ellipses."""
    x, y = grid_xy(size)
    along = (x - x0) * np.cos(angle_rad) + (y - y0) * np.sin(angle_rad)
    across = -(x - x0) * np.sin(angle_rad) + (y - y0) * np.cos(angle_rad)
    return np.asarray(np.hypot(along / stretch, across), np.float32)


def step(field: Field, soft: float) -> Field:
    """A smooth step from 0 where the field is below 0 to 1 above; `soft` is its width in the field's unit."""
    return np.asarray(1 / (1 + np.exp(-np.clip(field / max(soft, 1e-3) * 4, -30, 30))), np.float32)


def curve(rng: np.random.Generator, start: Points, angle_rad: float, length_px: float, bend: float) -> Points:
    """A smooth line of (24, 2) points; `bend` is the turn in radians over its length (deviation)."""
    steps = 24
    turns = np.cumsum(np.linspace(0, 1, steps) * rng.normal(0, bend / steps * 2) + rng.normal(0, bend / steps, steps))
    angles = angle_rad + turns
    hop = length_px / steps
    path = np.stack([np.cos(angles), np.sin(angles)], axis=1).cumsum(axis=0) * hop
    return np.asarray(start + path, np.float32)


def walk(rng: np.random.Generator, start: Points, angle_rad: float, length_px: float, jitter: float) -> Points:
    """A jagged line in steps of about 4 px, as a crack runs."""
    steps = max(4, int(length_px / 4))
    angles = angle_rad + 0.35 * np.cumsum(rng.normal(0, jitter, steps)) + rng.normal(0, jitter, steps)
    hops = 4 * rng.uniform(0.5, 1.5, (steps, 1))
    path = np.cumsum(np.stack([np.cos(angles), np.sin(angles)], axis=1) * hops, axis=0)
    return np.asarray(start + np.concatenate([np.zeros((1, 2)), path]), np.float32)


def draw_line(size: int, points: Points, width_px: float, taper: bool = False) -> Field:
    """Coverage 0..1 of a line of the given width with soft edges, thinner towards its ends if `taper`."""
    canvas = np.zeros((size * FINER, size * FINER), np.uint8)
    fine = np.round(points * FINER * 16).astype(np.int32)
    widths = np.full(len(fine) - 1, width_px * FINER)
    if taper:
        widths *= np.sin(np.linspace(0.12, 1, len(widths)) * np.pi * 0.95).clip(0.35, 1)
    for first, second, width in zip(fine[:-1], fine[1:], widths, strict=True):
        cv2.line(canvas, first.tolist(), second.tolist(), 255, max(1, round(float(width))), cv2.LINE_AA, 4)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) * np.float32(min(1.0, width_px) / 255)

"""What lies on good parts too and is no defect: dust, hairs, water marks, machining marks, seams, prints, shadows.

They stand on defect-free and defective pictures alike, so that a model cannot take them for a sign of either. Each
resembles a defect: a hair a scratch, a water mark a stain, a seam a crack, dust a pit, a shadow uneven paint.
"""

from collections.abc import Callable

import cv2
import numpy as np

from data.inspection.fields import Field, curve, distance, draw_line, grid_xy, smooth, step
from data.inspection.textures import Surface


def add_distractor(kind: str, surface: Surface, strength: float, rng: np.random.Generator) -> None:
    """Put one distractor of this kind on the surface; `strength` from 0 to 1."""
    DISTRACTORS[kind](surface, strength, surface.size / 256, rng)


def add_print(surface: Surface, text: str, x_share: float, y_share: float, strength: float) -> None:
    """Print a lot number at a place that the lot fixes."""
    canvas = np.zeros(surface.height.shape, np.uint8)
    place = (int(x_share * surface.size), int(y_share * surface.size))
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45 * surface.size / 256, 255, 1, cv2.LINE_AA)
    ink = np.asarray(cv2.GaussianBlur(canvas, (0, 0), 0.7 * surface.size / 256), np.float32) / np.float32(255)
    surface.tint(1 - np.float32(0.7 * strength) * ink)


def _dust(surface: Surface, strength: float, scale: float, rng: np.random.Generator) -> None:
    canvas = np.zeros(surface.height.shape, np.float32)
    for x, y in rng.uniform(0, surface.size, (rng.integers(3, 16), 2)):
        centre = (int(x * 16), int(y * 16))
        value = float(rng.uniform(0.3, 1))
        cv2.circle(canvas, centre, int(rng.uniform(0.5, 1.5) * scale * 16), value, -1, cv2.LINE_8, 4)
    specks = cv2.GaussianBlur(canvas, (0, 0), 0.6 * scale)
    pale = np.float32(1 if rng.random() < 0.7 else -0.7)
    surface.tint(1 + pale * np.float32(0.5 * strength) * specks)


def _hair(surface: Surface, strength: float, scale: float, rng: np.random.Generator) -> None:
    start = rng.uniform(0, surface.size, 2).astype(np.float32)
    path = curve(rng, start, rng.uniform(0, 2 * np.pi), rng.uniform(25, 90) * scale, bend=2.4)
    cover = cv2.GaussianBlur(draw_line(surface.size, path, 0.9 * scale), (0, 0), 0.6 * scale)
    shadow = cv2.GaussianBlur(np.roll(cover, (2, 1), (0, 1)), (0, 0), 1.2 * scale)
    surface.tint(1 + np.float32(0.4 * strength) * cover - np.float32(0.35 * strength) * shadow)


def _water_mark(surface: Surface, strength: float, scale: float, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.uniform(0, surface.size, 2)
        radius = rng.uniform(6, 34) * scale
        away = distance(surface.size, x, y, stretch=rng.uniform(1, 1.4), angle_rad=rng.uniform(0, np.pi))
        outline = (away - radius - 0.08 * radius * smooth(rng, surface.size, 0.8 * radius)) / (1.3 * scale)
        ring = np.exp(-np.square(outline)) * np.clip(0.6 + 0.6 * smooth(rng, surface.size, radius), 0, 1)
        surface.tint(1 + np.float32(0.11 * strength * rng.choice([-1, 1])) * ring.astype(np.float32))


def _machining(surface: Surface, strength: float, scale: float, rng: np.random.Generator) -> None:
    """Even lines over the whole part, straight or as arcs of a turning tool."""
    x, y = grid_xy(surface.size)
    angle = rng.uniform(0, np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    if rng.random() < 0.5:
        far = rng.uniform(1.2, 3) * surface.size
        along = np.hypot(x - far * np.cos(angle), y - far * np.sin(angle))
    pitch = rng.uniform(9, 30) * scale
    wave = np.cos(2 * np.pi * along / pitch + rng.uniform(0, 6))
    lines = np.power(np.clip(wave, 0, 1), 12 if rng.random() < 0.6 else 2).astype(np.float32)
    lines *= np.clip(0.7 + 0.4 * smooth(rng, surface.size, 60 * scale), 0, 1)
    surface.height -= np.float32(0.45 * strength) * lines
    surface.tint(1 - np.float32(0.05 * strength) * lines)


def _seam(surface: Surface, strength: float, scale: float, rng: np.random.Generator) -> None:
    """A joint that runs straight from edge to edge."""
    x, y = grid_xy(surface.size)
    angle = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.03)
    across = (x - surface.size / 2) * np.sin(angle) - (y - surface.size / 2) * np.cos(angle)
    line: Field = np.exp(-np.square((across - rng.uniform(-0.4, 0.4) * surface.size) / (rng.uniform(0.9, 2) * scale)))
    surface.height -= np.float32(1.2 * strength) * line
    surface.tint(1 - np.float32(0.4 * strength) * line)


def _shadow(surface: Surface, strength: float, scale: float, rng: np.random.Generator) -> None:
    """The soft shadow of a holder or of the camera."""
    x, y = grid_xy(surface.size)
    angle = rng.uniform(0, 2 * np.pi)
    across = (x - surface.size / 2) * np.cos(angle) + (y - surface.size / 2) * np.sin(angle)
    edge = step(across - rng.uniform(0.05, 0.4) * surface.size, soft=rng.uniform(15, 60) * scale)
    surface.tint(1 - np.float32(0.4 * strength) * edge)


Maker = Callable[[Surface, float, float, np.random.Generator], None]
DISTRACTORS: dict[str, Maker] = {
    "dust": _dust,
    "hair": _hair,
    "water_mark": _water_mark,
    "machining": _machining,
    "seam": _seam,
    "shadow": _shadow,
}

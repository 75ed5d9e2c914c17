"""Six kinds of defect. Each changes a surface in place and returns its mask, (H, W) bool.

`strength` runs from near 0 (hardly there) to 1 (plain to see). The mask is where the defect lies, seen or not.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from data.inspection.fields import Field, Points, curve, distance, draw_line, smooth, step, walk
from data.inspection.textures import Surface

Mask = NDArray[np.bool_]


def add_defect(kind: str, surface: Surface, strength: float, rng: np.random.Generator) -> Mask:
    """Put one defect of this kind somewhere on the surface."""
    return DEFECTS[kind](surface, strength, surface.size / 256, rng)


def _somewhere(size: int, rng: np.random.Generator, margin: float = 0.08) -> Points:
    return rng.uniform(margin * size, (1 - margin) * size, 2).astype(np.float32)


def _thick(cover: Field, above: float) -> Mask:
    """Where a thin line is, one pixel wider than its core, as a person would paint it."""
    core = (cover > above).astype(np.uint8)
    return np.asarray(cv2.dilate(core, np.ones((3, 3), np.uint8)) > 0)


def _scratch(surface: Surface, strength: float, scale: float, rng: np.random.Generator) -> Mask:
    size, length = surface.size, rng.uniform(35, 180) * scale
    angle = rng.uniform(0, 2 * np.pi)
    middle = _somewhere(size, rng, 0.15)
    start = middle - 0.5 * length * np.array([np.cos(angle), np.sin(angle)], np.float32)
    path = curve(rng, start, angle, length, bend=0.35)
    cover = draw_line(size, path, rng.uniform(1.1, 2.8) * scale, taper=True)
    if rng.random() < 0.25:  # the tool came twice
        offset = rng.normal(0, 4 * scale, 2).astype(np.float32)
        cover = np.maximum(cover, draw_line(size, path[3:-4] + offset, scale, taper=True))
    mask = _thick(cover, 0.25)
    cover = cover * np.clip(0.8 + 0.35 * smooth(rng, size, 9 * scale), 0, 1)  # it skips
    bright = 1.0 if rng.random() < 0.3 + 0.4 * surface.gloss else -1.0
    surface.height -= np.float32(2.2 * strength) * cover
    surface.tint(1 + np.float32(0.75 * bright * strength) * cover)
    return mask


def _pit(surface: Surface, strength: float, scale: float, rng: np.random.Generator) -> Mask:
    size, centre = surface.size, _somewhere(surface.size, rng)
    mask = np.zeros((size, size), bool)
    ragged = smooth(rng, size, 4 * scale)
    for _ in range(int(rng.choice([1, 1, 2, 3, 5]))):
        x, y = centre + rng.normal(0, 14 * scale, 2)
        radius = float(np.clip(rng.lognormal(1.25, 0.4), 1.8, 9)) * scale
        away = distance(size, x, y, stretch=rng.uniform(1, 1.7), angle_rad=rng.uniform(0, np.pi))
        hole = step(radius - away + 0.18 * radius * ragged, soft=1.2)
        surface.height -= np.float32(0.7 * strength * radius) * hole
        surface.tint(1 - np.float32(0.75 * strength) * hole)
        mask |= hole > 0.4
    return mask


def _stain(surface: Surface, strength: float, scale: float, rng: np.random.Generator) -> Mask:
    size, (x, y) = surface.size, _somewhere(surface.size, rng)
    radius = rng.uniform(10, 42) * scale
    away = distance(size, x, y, stretch=rng.uniform(1, 2), angle_rad=rng.uniform(0, np.pi))
    outline = radius - away + 0.3 * radius * smooth(rng, size, 0.7 * radius) + 0.08 * radius * smooth(rng, size, 5)
    spot = step(outline, soft=rng.uniform(2, 14) * scale)
    rim = 4 * spot * (1 - spot)
    uneven = np.clip(0.8 + 0.3 * smooth(rng, size, 0.5 * radius), 0.2, 1.4)
    effect = np.float32(0.5 * strength) * (spot * uneven + 0.45 * rng.random() * rim)
    sign = -1 if rng.random() < 0.75 else 0.6
    tint = rng.uniform(0.75, 1.25, 3) if rng.random() < 0.5 else np.ones(3)  # rust and oil have a colour
    surface.albedo *= np.float32(1) + np.float32(sign) * effect[..., None] * tint.astype(np.float32)
    return np.asarray(spot > 0.5)


def _crack(surface: Surface, strength: float, scale: float, rng: np.random.Generator) -> Mask:
    size, angle = surface.size, rng.uniform(0, 2 * np.pi)
    length, width = rng.uniform(40, 160) * scale, rng.uniform(1, 2.3) * scale
    middle = _somewhere(size, rng, 0.15)
    start = middle - 0.5 * length * np.array([np.cos(angle), np.sin(angle)], np.float32)
    path = walk(rng, start, angle, length, jitter=0.45)
    cover = draw_line(size, path, width, taper=True)
    for _ in range(int(rng.choice([0, 0, 1, 2, 3]))):
        fork = path[rng.integers(1, len(path))]
        turn = angle + rng.choice([-1, 1]) * rng.uniform(0.4, 1.1)
        branch = walk(rng, fork, turn, length * rng.uniform(0.15, 0.45), jitter=0.5)
        cover = np.maximum(cover, draw_line(size, branch, 0.7 * width, taper=True))
    surface.height -= np.float32(1.2 * strength) * cover
    surface.tint(1 - np.float32(0.85 * strength) * cover)
    return _thick(cover, 0.25)


def _missing(surface: Surface, strength: float, scale: float, rng: np.random.Generator) -> Mask:
    """A piece has broken off, more often at the edge: rough ground of another colour shows."""
    size, radius = surface.size, rng.uniform(8, 30) * scale
    x, y = _somewhere(size, rng, 0.1)
    if rng.random() < 0.6:
        x, y = [(x, 0.0), (x, float(size)), (0.0, y), (float(size), y)][rng.integers(0, 4)]
    away = distance(size, x, y, stretch=rng.uniform(1, 2), angle_rad=rng.uniform(0, np.pi))
    jagged = 0.22 * smooth(rng, size, 0.5 * radius) + 0.07 * smooth(rng, size, 4 * scale)
    hole = step(np.float32(radius) * (1 + jagged) - away, soft=1.5)
    ground = np.clip(0.75 + 0.12 * smooth(rng, size, 4 * scale) + 0.08 * smooth(rng, size, 1.5), 0.2, 1.2)
    colour = surface.albedo.mean(axis=(0, 1)) * rng.choice([0.6, 0.75, 1.3])
    blend = (np.float32(0.15 + 0.85 * strength) * hole)[..., None]
    surface.albedo *= 1 - blend
    surface.albedo += blend * (ground[..., None] * colour.astype(np.float32))
    surface.height *= 1 - np.float32(0.8 * strength) * hole
    surface.height += np.float32(strength) * hole * (0.5 * smooth(rng, size, 6 * scale) - np.float32(2.5 * scale))
    return np.asarray(hole > 0.5)


def _bump(surface: Surface, strength: float, scale: float, rng: np.random.Generator) -> Mask:
    """A dent or bulge: only the light on it changes."""
    size, (x, y) = surface.size, _somewhere(surface.size, rng)
    radius = rng.uniform(6, 22) * scale
    away = distance(size, x, y, stretch=rng.uniform(1, 1.6), angle_rad=rng.uniform(0, np.pi))
    hill = np.exp(-((away / radius) ** 2) * (1 + 0.15 * smooth(rng, size, radius)))
    sign = rng.choice([-1, 1])
    surface.height += np.float32(sign * strength * 1.3 * radius) * hill
    return np.asarray(hill > 0.3)


Maker = Callable[[Surface, float, float, np.random.Generator], Mask]
DEFECTS: dict[str, Maker] = {
    "scratch": _scratch,
    "pit": _pit,
    "stain": _stain,
    "crack": _crack,
    "missing": _missing,
    "bump": _bump,
}

"""Variation for training: geometry, light, pasted and drawn defects. Every draw comes from the generator that is given.

Legend: H, W of the canvas; a map has a quarter of its sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.inspection.attention import Known
from pipelines.inspection.box_targets import boxes_around, move_boxes
from pipelines.inspection.prepare import Canvas, normalise
from pipelines.inspection.samples import UNNAMED, Sample

COVERED = 0.3  # share of a map point that must be defect for the point to be one
KEPT = 0.3  # a crop that keeps less of the defect than this is not used


@dataclass(frozen=True, kw_only=True)
class Variation:
    """How strongly training pictures are varied."""

    zoom: tuple[float, float] = (0.9, 1.35)
    stretch: float = 0.12  # change of aspect ratio, log
    turn_deg: float = 4.0
    gamma: float = 0.4  # log
    light: float = 0.35  # relative change of brightness across the picture
    noise: float = 3.0  # grey levels
    paste: float = 0.35  # share of normal pictures that get a defect of another picture
    draw: float = 0.15  # share of normal pictures that get a drawn defect
    paste_on_defective: float = 0.2


@dataclass(frozen=True)
class Example:
    """One picture as the network sees it: input (3, H, W) float32; target, counted (H/4, W/4).

    `boxes` (N, 5): x0, y0, x1, y1 in pixels of the input, and the class (-1 for no name).
    """

    image: NDArray[np.float32]
    target: NDArray[np.int64]
    counted: NDArray[np.float32]
    known: Known
    label: int
    boxes: NDArray[np.float32]


def vary(sample: Sample, bank: Sequence["Patch"], variation: Variation, rng: np.random.Generator) -> Example:
    """Draw one variation of a sample."""
    pixels, places, matrix = _move(sample, variation, rng)
    known, label = sample.known, sample.label
    chance = float(rng.random())
    if known == Known.NORMAL and chance < variation.paste and bank:
        patch = bank[int(rng.integers(len(bank)))]
        pixels, places = paste(pixels, places, patch, rng)
        known, label = Known.MASK, patch.label
    elif known == Known.NORMAL and 1 - chance < variation.draw:
        pixels, places = draw(pixels, places, rng)
        known, label = Known.MASK, -1
    elif known == Known.MASK and chance < variation.paste_on_defective:
        same = [patch for patch in bank if patch.label == label]
        if same:
            pixels, places = paste(pixels, places, same[int(rng.integers(len(same)))], rng)
    if not places.any() and known in (Known.MASK, Known.BOXES):
        known = Known.LABEL
    target, counted = map_targets(places)
    boxes = move_boxes(sample.boxes, matrix, sample.canvas) if known == Known.BOXES else boxes_around(places)
    return Example(normalise(_light(pixels, variation, rng)), target, counted, known, label, boxes)


def map_targets(places: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Reduce (H, W) places to the map: classes where enough is covered; 0 in `counted` where only a little is."""
    size = (places.shape[1] // 4, places.shape[0] // 4)
    target = np.zeros(size[::-1], np.int64)
    total = np.zeros(size[::-1], np.float32)
    most = np.zeros(size[::-1], np.float32)
    for number in np.unique(places[places > 0]):
        share = cv2.resize((places == number).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        target[share > most] = -1 if number == UNNAMED else int(number)
        most = np.maximum(most, share)
        total += share
    least = min(COVERED, float(total.max())) if total.any() else COVERED
    target[total < least] = 0
    counted = ((total >= least) | (total == 0)).astype(np.float32)
    return target, counted


def _move(
    sample: Sample, variation: Variation, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]:
    """Flip, zoom, stretch, turn and shift onto the canvas, by the map that is told; what lies outside is mirrored."""
    size = (sample.canvas.width, sample.canvas.height)
    empty = np.zeros((sample.canvas.height, sample.canvas.width), np.uint8)
    for attempt in range(4):
        mild = attempt == 3 or sample.known == Known.LABEL
        matrix = _matrix(sample.pixels.shape[:2], sample.canvas, variation, rng, mild=mild)
        if sample.places is None:
            places = empty
            break
        places = _warp(sample.places, matrix, size, cv2.INTER_NEAREST)
        grown = size[0] * size[1] / sample.places.size
        if np.count_nonzero(places) >= KEPT * grown * np.count_nonzero(sample.places):
            break
    return _warp(sample.pixels, matrix, size, cv2.INTER_LINEAR), places, matrix


def _warp(
    picture: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int], method: int
) -> NDArray[np.uint8]:
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=method, borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def _matrix(
    shape: tuple[int, int], canvas: Canvas, variation: Variation, rng: np.random.Generator, *, mild: bool
) -> NDArray[np.float64]:
    """Return the affine map from a picture of `shape` to the canvas."""
    zoom = np.exp(rng.uniform(np.log(variation.zoom[0]), 0.0 if mild else np.log(variation.zoom[1])))
    stretch = np.exp(rng.uniform(-variation.stretch, variation.stretch) / 2)
    turn = np.deg2rad(rng.uniform(-variation.turn_deg, variation.turn_deg)) * (rng.random() < 0.5)
    scale_x = canvas.width / shape[1] * zoom * stretch
    scale_y = canvas.height / shape[0] * zoom / stretch
    flip_x, flip_y = rng.choice((-1.0, 1.0), 2)
    cos, sin = np.cos(turn), np.sin(turn)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([flip_x * scale_x, flip_y * scale_y])
    slack = np.array([canvas.width, canvas.height]) * np.array([abs(zoom * stretch - 1), abs(zoom / stretch - 1)]) / 2
    shift = rng.uniform(-1, 1, 2) * slack
    centre = np.array([canvas.width, canvas.height]) / 2 + shift
    offset = centre - linear @ (np.array([shape[1], shape[0]]) / 2)
    return np.asarray(np.column_stack([linear, offset]), np.float64)


def _light(pixels: NDArray[np.uint8], variation: Variation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change gamma, tilt the light, blur or sharpen a little, add noise."""
    values = pixels.astype(np.float32)
    peak = max(float(values.max()), 1.0)
    values = np.power(values / peak, np.exp(rng.uniform(-variation.gamma, variation.gamma))) * peak
    field = rng.uniform(-variation.light, variation.light, (3, 3)).astype(np.float32) * float(rng.random())
    light = 1 + cv2.resize(field, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    values *= light if values.ndim == 2 else light[..., None]
    kind = float(rng.random())
    if kind < 0.3:
        soft = cv2.GaussianBlur(values, (0, 0), float(rng.uniform(0.5, 1.0)))
        values = soft if kind < 0.15 else 2 * values - soft
    values *= float(rng.uniform(0.7, 1.4))
    values += rng.normal(0, rng.uniform(0, variation.noise), values.shape).astype(np.float32)
    return np.asarray(np.clip(values, 0, 255), np.uint8)


@dataclass(frozen=True)
class Patch:
    """A located defect cut out: `residual` (h, w[, 3]) what it adds to the surface around it, `cover` (h, w) 0..1."""

    residual: NDArray[np.float32]
    cover: NDArray[np.float32]
    inside: NDArray[np.bool_]
    label: int


def cut_patches(samples: Sequence[Sample], *, largest: float = 0.05) -> list[Patch]:
    """Cut every masked defect of at most `largest` of its picture's area."""
    patches = []
    for sample in samples:
        if sample.known != Known.MASK or sample.places is None:
            continue
        count, parts, stats, _ = cv2.connectedComponentsWithStats((sample.places > 0).astype(np.uint8))
        for part in range(1, count):
            x, y, width, height, area = (int(value) for value in stats[part])
            if area < 6 or area > largest * parts.size or max(width, height) > 0.6 * max(parts.shape):
                continue
            margin = 4 + max(width, height) // 4
            rows = slice(max(0, y - margin), y + height + margin)
            columns = slice(max(0, x - margin), x + width + margin)
            patches.append(_cut(sample.pixels[rows, columns], parts[rows, columns] == part, sample.label))
    return patches


def _cut(pixels: NDArray[np.uint8], inside: NDArray[np.bool_], label: int) -> Patch:
    values = pixels.astype(np.float32)
    cover = cv2.GaussianBlur(cv2.dilate(inside.astype(np.float32), np.ones((3, 3))), (0, 0), 1.0)
    around = (cover < 0.05) if (cover < 0.05).any() else ~inside
    level = np.median(values[around], axis=0) if around.any() else np.median(values)
    residual = np.asarray((values - level) / max(float(np.mean(level)), 8.0), np.float32)
    return Patch(residual, np.asarray(cover, np.float32), inside, label)


def paste(
    pixels: NDArray[np.uint8], places: NDArray[np.uint8], patch: Patch, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Add a cut-out defect, turned, scaled and made stronger or weaker, at a random place."""
    scale = float(np.exp(rng.uniform(np.log(0.7), np.log(1.5))))
    size = [max(3, round(side * scale)) for side in patch.inside.shape[::-1]]
    size = [min(side, limit) for side, limit in zip(size, pixels.shape[1::-1], strict=True)]
    flips = (slice(None, None, int(rng.choice((-1, 1)))), slice(None, None, int(rng.choice((-1, 1)))))
    residual, cover = (cv2.resize(part, size)[flips] for part in (patch.residual, patch.cover))
    inside = cv2.resize(patch.inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)[flips] > 0
    if residual.ndim == 3 and pixels.ndim == 2:
        residual = residual.mean(axis=2)
    if pixels.ndim == 3:
        residual, cover = (part[..., None] if part.ndim == 2 else part for part in (residual, cover))
    y, x = (int(rng.integers(0, limit - side + 1)) for limit, side in zip(pixels.shape[:2], size[::-1], strict=True))
    rows, columns = slice(y, y + size[1]), slice(x, x + size[0])
    pixels, places = pixels.copy(), places.copy()
    surface = pixels[rows, columns].astype(np.float32)
    changed = surface + cover * residual * max(float(surface.mean()), 8.0) * float(rng.uniform(0.6, 1.3))
    pixels[rows, columns] = np.clip(changed, 0, 255)
    places[rows, columns][inside] = patch.label if patch.label > 0 else UNNAMED
    return pixels, places


def draw(
    pixels: NDArray[np.uint8], places: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw a scratch, a pit or a stain of no named class."""
    height, width = places.shape
    shape = np.zeros((height, width), np.float32)
    start = rng.uniform(0.05, 0.95, 2) * (width, height)
    kind = int(rng.choice(3, p=(0.5, 0.25, 0.25)))
    if kind == 0:
        bend = float(rng.choice((0.1, 0.35)))
        steps = np.cumsum(rng.normal(0, bend, 12)) + rng.uniform(0, 2 * np.pi)
        length = rng.uniform(0.01, 0.06) * (height + width) / 2
        points = start + np.cumsum(np.column_stack([np.cos(steps), np.sin(steps)]) * length, axis=0)
        cv2.polylines(shape, [points.astype(np.int32)], False, 1.0, int(rng.integers(1, 4)))
    else:
        angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        radius = rng.uniform(0.008, 0.03 if kind == 1 else 0.12) * (height + width) / 2
        radii = radius * rng.uniform(0.5, 1.3, 14) + 1
        points = start + np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]
        cv2.fillPoly(shape, [points.astype(np.int32)], 1.0)
    soft = cv2.GaussianBlur(shape, (0, 0), 0.7 if kind < 2 else 3.0)
    grain = 1 + 0.5 * cv2.resize(rng.normal(0, 1, (height // 8, width // 8)).astype(np.float32), (width, height))
    strength = float(rng.choice((-1, 1), p=(0.7, 0.3)) * rng.uniform(0.2, 0.7))
    change = 1 + strength * soft * grain
    changed = np.clip(pixels * (change if pixels.ndim == 2 else change[..., None]), 0, 255).astype(np.uint8)
    return changed, np.where(shape > 0, UNNAMED, places).astype(np.uint8)

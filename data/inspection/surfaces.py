"""Generated pictures of surfaces with defects, their masks and split files: the same seed gives the same bytes.

Five products (one a texture) are made in lots of eight pictures. A lot is a `group`: its lamp, exposure and lot number
differ from those of other lots and drift within it, and a whole lot goes to one split. Three of eight pictures have a
defect, of six kinds in turn, its strength from hardly visible to plain. Dirt, seams, machining marks and the like
lie on good and bad parts alike, and some good parts are made hard on purpose. Faint defects drown in the texture: no
model can reach 100 % here.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import AssayError, InputError
from data.inspection.defects import DEFECTS, add_defect
from data.inspection.distractors import DISTRACTORS, add_distractor, add_print
from data.inspection.fields import Field, grid_xy
from data.inspection.textures import TEXTURES, Surface, make_product, make_surface

LOT = 8  # pictures
DEFECTIVE_IN_LOT = 3
SPLIT_OF_LOT = ("train", "train", "val", "test", "train")  # five lots of a product in turn
FAINT_SHARE = 0.3  # of the defects
FAINT = (0.08, 0.35)  # strength of these, and of the others
PLAIN = (0.35, 1.0)
SHOULDER = np.float32(0.75)  # brightness from which the camera compresses highlights
FEWEST = LOT * len(SPLIT_OF_LOT)
COLUMNS = ("path", "label", "mask_or_boxes", "defective", "group", "texture", "strength")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One generated picture."""

    pixels: NDArray[np.uint8]  # (H, W, 3) RGB
    mask: NDArray[np.bool_]  # (H, W)
    label: str
    group: str
    split: str
    texture: str
    strength: float  # of the defect; 0 without one


@dataclass(frozen=True, kw_only=True)
class Lot:
    """What the pictures of one lot share besides their product."""

    number: int
    exposure: float
    lamp_rad: float  # direction of the lamp
    relief: float  # how strongly the lamp brings out the height
    falloff: tuple[float, float]  # brightness gradient to the right and down, over the picture
    warmth: tuple[float, float, float]
    blur_px: float
    noise: float
    drift: float  # change of exposure over the lot
    print_at: tuple[float, float] | None


def make_surfaces(
    folder: Path,
    *,
    images: int,
    seed: int,
    size: int = 256,
    texture: str | None = None,
    defects: Sequence[str] = tuple(DEFECTS),
    progress: Callable[[float, str], None] = lambda share, words: None,
) -> tuple[Path, ...]:
    """Write pictures, masks, train.csv, val.csv and test.csv into the folder; return the paths of the three.

    `texture` makes one product line only, `defects` these kinds only: a station that sees one surface and knows what
    happens to it. Raises InputError for fewer than 40 pictures, which would leave a split empty, for a size out of
    64..2048, and for a texture or defects that are not known.
    """
    if images < FEWEST:
        raise InputError(f"images must be {FEWEST} or more, so that no split is empty, got {images}")
    if not 64 <= size <= 2048:
        raise InputError(f"size must lie in 64..2048 (pixels), got {size}")
    if texture is not None and texture not in TEXTURES:
        raise InputError(f"texture must be one of {', '.join(TEXTURES)}, got {texture}")
    if not defects or not set(defects) <= set(DEFECTS):
        raise InputError(f"defects must be some of {', '.join(DEFECTS)}, got {', '.join(defects) or 'none'}")
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[dict[str, object]]] = {split: [] for split in ("train", "val", "test")}
    for index in range(images):
        sample = make_sample(index, seed=seed, size=size, texture=texture, defects=defects)
        rows[sample.split].append(_write_sample(folder, index, sample))
        progress((index + 1) / images, f"picture {index + 1} of {images}")
    _rank(rows["train"], seed)
    return tuple(_write_split(folder / f"{split}.csv", rows[split]) for split in rows)


def make_sample(
    index: int, *, seed: int, size: int = 256, texture: str | None = None, defects: Sequence[str] = tuple(DEFECTS)
) -> Sample:
    """Draw picture `index` of the series that `seed`, `texture` and `defects` name; it depends on nothing else."""
    lot_number, place = divmod(index, LOT)
    texture = texture or list(TEXTURES)[lot_number // len(SPLIT_OF_LOT) % len(TEXTURES)]
    rng = np.random.default_rng([seed, 0, index])
    product = make_product(texture, np.random.default_rng([seed, 1, list(TEXTURES).index(texture)]))
    lot = _make_lot(lot_number, np.random.default_rng([seed, 2, lot_number]))
    surface = make_surface(product, size, rng)
    label = _label(lot_number, place, seed, defects)
    _add_distractors(surface, lot, hard=label == "free" and rng.random() < 0.2, rng=rng)
    strength, mask = 0.0, np.zeros((size, size), bool)
    if label != "free":
        strength = float(rng.uniform(*(FAINT if rng.random() < FAINT_SHARE else PLAIN)))
        while mask.sum() < 6:  # a line that left the picture is drawn anew
            mask = add_defect(label, surface, strength, rng)
    return Sample(
        pixels=_photograph(surface, lot, place, rng),
        mask=mask,
        label=label,
        group=f"lot{lot_number:04d}",
        split=SPLIT_OF_LOT[lot_number % len(SPLIT_OF_LOT)],
        texture=texture,
        strength=strength,
    )


def _label(lot_number: int, place: int, seed: int, defects: Sequence[str]) -> str:
    """The kind of defect at this place of the lot, or `free`; of six kinds two lots in turn show all."""
    order = np.random.default_rng([seed, 3, lot_number]).permutation(LOT)
    turn = int(order[place])
    if turn >= DEFECTIVE_IN_LOT:
        return "free"
    return defects[(lot_number * DEFECTIVE_IN_LOT + turn) % len(defects)]


def _make_lot(number: int, rng: np.random.Generator) -> Lot:
    return Lot(
        number=number,
        exposure=float(np.exp(rng.normal(0, 0.14))),
        lamp_rad=float(rng.normal(-2.3, 0.5)),  # from above left, roughly
        relief=float(rng.uniform(0.16, 0.30)),
        falloff=(float(rng.normal(0, 0.14)), float(rng.normal(0, 0.14))),
        warmth=(float(1 + rng.normal(0, 0.012)), 1.0, float(1 + rng.normal(0, 0.012))),
        blur_px=float(rng.uniform(0.35, 0.8)),
        noise=float(rng.uniform(0.008, 0.020)),
        drift=float(rng.normal(0, 0.10)),
        print_at=(float(rng.uniform(0.05, 0.6)), float(rng.uniform(0.1, 0.95))) if rng.random() < 0.3 else None,
    )


def _add_distractors(surface: Surface, lot: Lot, *, hard: bool, rng: np.random.Generator) -> None:
    kinds = list(DISTRACTORS)
    number = int(rng.integers(3, 6)) if hard else int(rng.choice([0, 1, 1, 2]))
    for kind in rng.choice(kinds, size=number, replace=hard, p=[0.26, 0.2, 0.2, 0.14, 0.1, 0.1]):
        add_distractor(str(kind), surface, float(rng.uniform(0.5 if hard else 0.2, 1)), rng)
    if lot.print_at is not None:
        x, y = np.array(lot.print_at) + rng.normal(0, 0.01, 2)
        add_print(surface, f"L{lot.number:03d}-{lot.number * 37 % 89:02d}", x, y, float(rng.uniform(0.5, 1)))


def _photograph(surface: Surface, lot: Lot, place: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light the surface, and take its picture: shading, highlight, falloff, blur, noise, 8 bits."""
    lamp = lot.lamp_rad + rng.normal(0, 0.06)
    slope_x = cv2.Sobel(surface.height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    slope_y = cv2.Sobel(surface.height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    slope: Field = -(slope_x * np.float32(np.cos(lamp)) + slope_y * np.float32(np.sin(lamp)))
    shade = 1 + np.float32(lot.relief * 2) * np.clip(slope, -1.6, 1.6)
    highlight = np.float32(0.22 * surface.gloss) * np.clip(slope - 0.12, 0, 1)
    exposure = lot.exposure * (1 + lot.drift * (place / (LOT - 1) - 0.5)) * np.exp(rng.normal(0, 0.02))
    light = _falloff(surface.size, lot, surface.gloss, rng) * np.float32(exposure)
    picture = surface.albedo * (shade * light)[..., None] + (highlight * light)[..., None]
    picture *= np.asarray(lot.warmth, np.float32)
    over = np.clip(picture - SHOULDER, 0, None)  # film and good cameras bend before they clip
    picture -= over * over / (over + (1 - SHOULDER))
    picture = cv2.GaussianBlur(picture, (0, 0), lot.blur_px * surface.size / 256)
    grain = rng.standard_normal((*surface.height.shape, 1), dtype=np.float32)
    picture += np.float32(lot.noise) * grain * np.sqrt(np.clip(picture, 0.02, 1))
    return np.asarray(np.clip(picture, 0, 1) * 255 + 0.5, np.uint8)


def _falloff(size: int, lot: Lot, gloss: float, rng: np.random.Generator) -> Field:
    """Brightness over the picture: the lamp's gradient, the lens' dark corners, a soft reflection on glossy parts."""
    x, y = (axis / np.float32(size) - np.float32(0.5) for axis in grid_xy(size))
    light = 1 + np.float32(lot.falloff[0]) * x + np.float32(lot.falloff[1]) * y - np.float32(0.25) * (x * x + y * y)
    x0, y0 = rng.normal(0, 0.06, 2) + np.array(lot.falloff) * 2
    spot = np.exp(-(np.square(x - np.float32(x0)) + np.square(y - np.float32(y0))) / np.float32(0.12))
    return np.asarray(light + np.float32(0.16 * gloss) * spot, np.float32)


def _write_sample(folder: Path, index: int, sample: Sample) -> dict[str, object]:
    name = f"{index:06d}.png"
    _write_png(folder / "images" / name, sample.pixels[..., ::-1])
    if sample.label != "free":
        _write_png(folder / "masks" / name, sample.mask.astype(np.uint8) * 255)
    return {
        "path": f"images/{name}",
        "label": sample.label,
        "mask_or_boxes": f"masks/{name}" if sample.label != "free" else "",
        "defective": int(sample.label != "free"),
        "group": sample.group,
        "texture": sample.texture,
        "strength": f"{sample.strength:.3f}",
    }


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    _, content = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    try:
        path.write_bytes(content.tobytes())
    except OSError as error:
        raise AssayError(f"{path} cannot be written ({error.strerror}); check the disk and its permissions") from error


def _rank(rows: list[dict[str, object]], seed: int) -> None:
    """Number the defective pictures of each class in random order, from 0: column budget_rank."""
    order = np.random.default_rng([seed, 4]).permutation(len(rows))
    count: dict[object, int] = {}
    for row in (rows[i] for i in order):
        row["budget_rank"] = ""
        if row["defective"]:
            row["budget_rank"] = count.get(row["label"], 0)
            count[row["label"]] = int(row["budget_rank"]) + 1


def _write_split(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path

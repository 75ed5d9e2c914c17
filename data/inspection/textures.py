"""Five kinds of defect-free surface: brushed metal, cast metal, woven cloth, glazed tile, painted sheet.

A surface is a height (shaded later by the lamp) and a colour. A product fixes what is the same in every lot of one
surface; each picture then shows another place of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.inspection.fields import Field, grid_xy, smooth, streaks, white


@dataclass
class Surface:
    """What lies under the camera. Defects and dirt change it in place."""

    height: Field  # (H, W) in pixels, float32
    albedo: NDArray[np.float32]  # (H, W, 3) share of light given back, 0..1
    gloss: float  # 0 matt .. 1 polished

    @property
    def size(self) -> int:
        return int(self.height.shape[0])

    def tint(self, factor: Field) -> None:
        """Multiply the colour, (H, W), all channels alike."""
        self.albedo *= factor[..., None]


@dataclass(frozen=True, kw_only=True)
class Product:
    """What all lots of one product share."""

    texture: str
    colour: tuple[float, float, float]
    angle_deg: float
    pitch_px: float  # of threads, grains or lines
    depth: float  # how pronounced the texture is, near 1


def make_product(texture: str, rng: np.random.Generator) -> Product:
    """Draw the lasting traits of a product with this texture."""
    colours = {
        "brushed": ((0.60, 0.60, 0.61), 0.008),
        "cast": ((0.38, 0.38, 0.38), 0.012),
        "woven": ((0.42, 0.45, 0.50), 0.12),
        "tile": ((0.57, 0.55, 0.51), 0.03),
        "painted": ((0.32, 0.40, 0.44), 0.16),
    }
    base, spread = colours[texture]
    common = rng.normal(0, 0.05)
    red, green, blue = (float(np.clip(c + common + rng.uniform(-spread, spread), 0.12, 0.85)) for c in base)
    angle_deg = float(rng.choice([0, 90]) + rng.normal(0, 4)) if texture != "woven" else float(rng.normal(0, 3))
    pitch_px = float(rng.uniform(6, 11))
    return Product(
        texture=texture,
        colour=(red, green, blue),
        angle_deg=angle_deg,
        pitch_px=pitch_px,
        depth=float(rng.uniform(0.8, 1.2)),
    )


def make_surface(product: Product, size: int, rng: np.random.Generator) -> Surface:
    """Draw one defect-free place of the product, (size, size); features scale with the size."""
    return TEXTURES[product.texture](product, size, size / 256, rng)


def _coloured(product: Product, shade: Field) -> NDArray[np.float32]:
    return np.asarray(np.asarray(product.colour, np.float32) * shade[..., None], np.float32)


def _brushed(product: Product, size: int, scale: float, rng: np.random.Generator) -> Surface:
    angle = product.angle_deg + rng.normal(0, 0.7)
    long = streaks(rng, size, int(150 * scale), angle)
    short = streaks(rng, size, int(30 * scale), angle)
    cloudy = smooth(rng, size, 70 * scale)
    shade = 1 + product.depth * (0.045 * long + 0.035 * short) + 0.02 * cloudy
    height = np.float32(product.depth) * (np.float32(0.10) * long + np.float32(0.07) * short)
    return Surface(height=height, albedo=_coloured(product, shade), gloss=0.7)


def _cast(product: Product, size: int, scale: float, rng: np.random.Generator) -> Surface:
    coarse, middle = smooth(rng, size, 26 * scale), smooth(rng, size, product.pitch_px * scale)
    fine = smooth(rng, size, 2.2 * scale)
    height = product.depth * (0.9 * coarse + 0.45 * middle + 0.16 * fine)
    pores = np.clip(smooth(rng, size, 3.5 * scale) - 2.3, 0, 1.5)
    shade = 1 + 0.05 * smooth(rng, size, 80 * scale) + 0.05 * middle + 0.04 * fine - 0.28 * pores
    return Surface(height=height - pores, albedo=_coloured(product, shade), gloss=0.25)


def _woven(product: Product, size: int, scale: float, rng: np.random.Generator) -> Surface:
    x, y = grid_xy(size)
    turn, pitch = np.deg2rad(product.angle_deg + rng.normal(0, 0.6)), product.pitch_px * scale * 0.75
    x, y = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    u = (x + 0.9 * scale * smooth(rng, size, 70 * scale)) / pitch + rng.uniform(100, 101)
    v = (y + 0.9 * scale * smooth(rng, size, 70 * scale)) / pitch + rng.uniform(100, 101)
    i, j = u.astype(np.int32), v.astype(np.int32)
    warp_on_top = (i + j) % 2 == 0 if product.depth > 1 else (i + 2 * j) % 4 < 2  # plain weave or twill
    across = np.where(warp_on_top, u - i, v - j) - 0.5
    along = np.where(warp_on_top, v - j, u - i) - 0.5
    roundness = np.cos(np.pi * across) * (0.6 + 0.4 * np.cos(np.pi * along))
    thread = np.where(warp_on_top, rng.normal(0, 0.05, 4096)[i % 4096], rng.normal(0, 0.05, 4096)[j % 4096])
    shade = (0.62 + 0.42 * roundness) * (1 + thread + 0.07 * smooth(rng, size, 1.6) + 0.04 * white(rng, size))
    height = 0.16 * pitch * roundness + 0.1 * smooth(rng, size, 2.5)
    albedo = _coloured(product, shade.astype(np.float32))
    return Surface(height=height.astype(np.float32), albedo=albedo, gloss=0.05)


def _tile(product: Product, size: int, scale: float, rng: np.random.Generator) -> Surface:
    mottled = 0.02 * smooth(rng, size, 70 * scale) + 0.016 * smooth(rng, size, 19 * scale)
    mottled += 0.012 * smooth(rng, size, 6 * scale)
    dark = np.clip(smooth(rng, size, product.pitch_px * 0.4 * scale) - 1.9, 0, 1)
    pale = np.clip(smooth(rng, size, product.pitch_px * 0.6 * scale) - 2.0, 0, 1)
    shade = 1 + mottled - 0.28 * product.depth * dark + 0.2 * pale + 0.01 * white(rng, size)
    albedo = _coloured(product, shade)
    albedo[..., 2] *= 1 - 0.12 * dark  # the speckles are brownish
    return Surface(height=0.35 * smooth(rng, size, 30 * scale), albedo=albedo, gloss=0.5)


def _painted(product: Product, size: int, scale: float, rng: np.random.Generator) -> Surface:
    peel = smooth(rng, size, product.pitch_px * scale) + 0.5 * smooth(rng, size, 3.5 * scale)
    flakes = np.clip(white(rng, size) - 2.4, 0, 1.5)
    shade = 1 + 0.018 * smooth(rng, size, 90 * scale) + 0.12 * flakes * (product.depth - 0.6)
    return Surface(height=np.float32(0.20 * product.depth) * peel, albedo=_coloured(product, shade), gloss=0.9)


Maker = Callable[[Product, int, float, np.random.Generator], Surface]
TEXTURES: dict[str, Maker] = {"brushed": _brushed, "cast": _cast, "woven": _woven, "tile": _tile, "painted": _painted}

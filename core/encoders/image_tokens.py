"""Pictures as tokens: each point of a trunk's maps at some scales is a token that knows where it lies.

Legend: B batch, C channels, H, W sides of the picture, h, w of a map, T tokens, D width.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.encoders.image import Trunk
from core.encoders.tokens import Tokens
from core.errors import InputError

SCALES = 4  # maps of a trunk, at 1/4, 1/8, 1/16 and 1/32 of the sides
LONGEST = 64.0  # cells of 32 pixels: the longest wave of the positions


class MapTokens(nn.Module):
    """Maps of a trunk to `Tokens`: all points of the first map row by row, then of the next.

    To each are added its place in the picture (sines of row and column in pixels, so that the maps agree, through a
    learned map) and a mark of its scale. `strides` are the pixels between two points of each map.
    """

    def __init__(self, channels: Sequence[int], width: int, strides: Sequence[int]) -> None:
        super().__init__()
        if width % 4:
            raise InputError(f"width must be a multiple of 4, got {width}")
        self.width, self.strides = width, tuple(strides)
        self.projections = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
        self.place = nn.Linear(width, width, bias=False)
        self.scale_SD = nn.Parameter(torch.randn(len(self.strides), width) * 0.1)

    def forward(self, maps: Sequence[Tensor], mask_BT: Tensor | None = None) -> Tokens:
        """Return the tokens of the maps (B, C, h, w); the mask says which are present."""
        parts = []
        for at, (projection, map_BChw) in enumerate(zip(self.projections, maps, strict=True)):
            height, width = map_BChw.shape[2:]
            place_TD = self.place(sines(height, width, self.strides[at], self.width, map_BChw.device))
            parts.append(projection(map_BChw).flatten(2).transpose(1, 2) + place_TD + self.scale_SD[at])
        x_BTD = torch.cat(parts, dim=1)
        present = torch.ones_like(x_BTD[..., 0], dtype=torch.bool) if mask_BT is None else mask_BT
        return Tokens(x_BTD, present)


class ImageTokens(nn.Module):
    """Pictures (B, 3, H, W) to `Tokens` of a trunk's maps at some scales, 0 for 1/4 of the sides to 3 for 1/32."""

    def __init__(self, trunk: Trunk, width: int, scales: tuple[int, ...] = (2, 3)) -> None:
        super().__init__()
        if not scales or not set(scales) <= set(range(SCALES)) or len(set(scales)) != len(scales):
            raise InputError(f"scales must be different numbers within 0..{SCALES - 1}, got {scales}")
        self.trunk, self.scales = trunk, scales
        strides = [2 ** (scale + 2) for scale in scales]
        self.tokens = MapTokens([trunk.channels[scale] for scale in scales], width, strides)

    def forward(self, image_BCHW: Tensor, mask_BT: Tensor | None = None) -> Tokens:
        """Return the tokens of pictures whose sides are multiples of 32; the mask says which tokens are present."""
        maps = self.trunk(image_BCHW)
        tokens: Tokens = self.tokens([maps[scale] for scale in self.scales], mask_BT)
        return tokens

    def shapes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Return (h, w) of each scale for pictures of this size; see `to_maps`."""
        return [(height // 2 ** (scale + 2), width // 2 ** (scale + 2)) for scale in self.scales]


def to_maps(x_BTD: Tensor, shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Lay tokens out again as one map (B, D, h, w) a scale; for decoders that draw."""
    wanted = sum(height * width for height, width in shapes)
    if x_BTD.shape[1] != wanted:
        raise InputError(f"maps of {list(shapes)} need {wanted} tokens, got {x_BTD.shape[1]}")
    parts = torch.split(x_BTD, [height * width for height, width in shapes], dim=1)
    return [part.transpose(1, 2).reshape(-1, x_BTD.shape[2], *shape) for part, shape in zip(parts, shapes, strict=True)]


def sines(height: int, width: int, stride: int, depth: int, device: torch.device) -> Tensor:
    """Return sines and cosines of row and column of each point, (h * w, depth), waves from 2 to LONGEST cells of 32 px.

    Source of the form: Vaswani et al. 2017, arXiv 1706.03762, section 3.5, once for each direction.
    """
    quarter = depth // 4
    steps = torch.arange(quarter, device=device) / max(1, quarter - 1)
    turn = 2 * math.pi / (2.0 * (LONGEST / 2.0) ** steps)
    row = ((torch.arange(height, device=device) + 0.5) * stride / 32)[:, None] * turn
    column = ((torch.arange(width, device=device) + 0.5) * stride / 32)[:, None] * turn
    rows = torch.cat([row.sin(), row.cos()], dim=-1)[:, None].expand(-1, width, -1)
    columns = torch.cat([column.sin(), column.cos()], dim=-1)[None].expand(height, -1, -1)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)

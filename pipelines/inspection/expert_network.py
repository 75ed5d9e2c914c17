"""The network of the preset `full`: image tokens through a trunk of experts, joined to the pyramid.

Stage 0 is the trunk with a small map read from its maps at /8 and /16: what looks clear there leaves. Stage 1 makes
tokens of the maps at /16 and /32, lets them look at each other and pass experts, folds them back into the pyramid, and
tells the map at /4, boxes at /8, and the class from the tokens under the map.

Legend: B batch, C channels, T tokens, D width, H, W of the input; h, w of a map; K defect classes.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.blocks import RMSNorm, TrunkBlock, TrunkOptions
from core.encoders.image import Trunk
from core.encoders.image_tokens import MapTokens, to_maps
from core.moe.options import tiny
from pipelines.inspection.boxes import decode
from pipelines.inspection.network import POOLS, POOLS_SIZE_PX, WHOLE, Outputs, defect_logit

WIDTH, DEPTH, HEADS = 128, 2, 4  # of the trunk of experts
STRIDES = (16, 32)  # pixels between two tokens
FINE, PYRAMID, FIRST = 32, 64, 32  # channels at /4, above it, and of the map of stage 0
RARE = 4.0  # log-odds of background at a point before anything is learned


class Features(NamedTuple):
    """What stage 1 needs of stage 0."""

    fine: Tensor  # (B, FINE, H/4, W/4)
    middle: Tensor  # (B, PYRAMID, H/8, W/8)
    deep: Tensor  # (B, C, H/16, W/16)
    deepest: Tensor  # (B, C', H/32, W/32)


@dataclass(frozen=True)
class ExpertOutputs(Outputs):
    """What stage 1 says, with what stage 0 said."""

    first: Outputs | None  # None: only stage 1 was asked
    box_B4hw: Tensor  # see boxes.py
    box_BKhw: Tensor  # logits of the class and quality of the box that a point tells
    mixing: Tensor  # the experts' own loss


class ExpertNet(nn.Module):
    """Trunk, early map, tokens, experts, pyramid and heads."""

    def __init__(self, trunk: Trunk, classes: int, size_px: int) -> None:
        super().__init__()
        channels = trunk.channels
        self.trunk = trunk
        self.first = FirstMap(channels, classes, size_px)
        self.fine = nn.Conv2d(channels[0], FINE, 1)
        self.middle = nn.Conv2d(channels[1], PYRAMID, 1)
        self.tokens = TokenTrunk(channels[2:])
        self.pyramid = TokenPyramid(channels[2:], classes)
        self.pools = Pools(size_px)
        self.whole_head = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * WIDTH, 1))
        self.look = nn.Linear(WIDTH, 1)
        self.label_head = nn.Sequential(nn.Dropout(0.2), nn.Linear(WIDTH + PYRAMID + channels[2], classes))

    def forward(self, x_BCHW: Tensor) -> ExpertOutputs:
        features, first = self.stage0(x_BCHW)
        return self.stage1(features, first)

    def stage0(self, x_BCHW: Tensor) -> tuple[Features, Outputs]:
        """The trunk and its own small map."""
        maps = self.trunk(x_BCHW)
        first = self.first(maps[1], maps[2])
        return Features(self.fine(maps[0]), self.middle(maps[1]), maps[2], maps[3]), first

    def stage1(self, features: Features, first: Outputs | None = None) -> ExpertOutputs:
        """Tokens, experts, pyramid, heads."""
        deep, deepest, mixing = self.tokens(features.deep, features.deepest)
        map_BKhw, middle, told, logits = self.pyramid(features, deep, deepest)
        heat = 1 - map_BKhw.softmax(dim=1)[:, :1]
        seen_BTD, heat_BT = (
            flatten(deep, deepest),
            torch.cat([_strongest(heat, deep, 4).flatten(1), _strongest(heat, deepest, 8).flatten(1)], dim=1),
        )
        share_BT1 = (self.look(seen_BTD).float() + torch.log(heat_BT[..., None] + 1e-3)).softmax(dim=1)
        under = torch.cat(
            [(share_BT1 * seen_BTD.float()).sum(dim=1), _under(middle, heat, 2), _under(features.deep, heat, 4)], 1
        )
        whole = torch.cat([seen_BTD.float().mean(dim=1), seen_BTD.float().amax(dim=1)], dim=1)
        parts = torch.cat([self.pools(map_BKhw), self.whole_head(whole)], dim=1)
        image_B = parts[:, 0] + WHOLE * parts[:, 1]
        return ExpertOutputs(map_BKhw, image_B, parts, self.label_head(under), first, told, logits, mixing)


class Pools(nn.Module):
    """Image score of a defect map: means of its strongest points, weighed."""

    def __init__(self, size_px: int, shrink: int = 1) -> None:
        super().__init__()
        scale = (size_px / POOLS_SIZE_PX) ** 2 / shrink
        self.pools = tuple(max(1, round(pool * scale)) for pool in POOLS)
        self.weigh = nn.Linear(len(POOLS), 1)
        with torch.no_grad():
            self.weigh.weight.fill_(1.0 / len(POOLS))
            self.weigh.bias.fill_(0.0)

    def forward(self, map_BKhw: Tensor) -> Tensor:
        """Return a logit (B, 1)."""
        defect_BN = defect_logit(map_BKhw).flatten(1)
        pooled = torch.stack([defect_BN.topk(pool, dim=1).values.mean(dim=1) for pool in self.pools], dim=1)
        out: Tensor = self.weigh(pooled)
        return out


class FirstMap(nn.Module):
    """Stage 0's own answer: a map at /8, scaled up to /4, from the trunk's maps at /8 and /16."""

    def __init__(self, channels: tuple[int, ...], classes: int, size_px: int) -> None:
        super().__init__()
        self.middle, self.deep = nn.Conv2d(channels[1], FIRST, 1), nn.Conv2d(channels[2], FIRST, 1)
        self.smooth = nn.Conv2d(FIRST, FIRST, 3, padding=1)
        self.map_head = _rare(nn.Conv2d(FIRST, classes + 1, 1))
        self.pools = Pools(size_px, shrink=4)
        self.label_head = nn.Sequential(nn.Dropout(0.2), nn.Linear(FIRST + channels[2], classes))

    def forward(self, middle: Tensor, deep: Tensor) -> Outputs:
        joined = self.middle(middle) + _double(self.deep(deep))
        x = functional.relu(self.smooth(functional.relu(joined)))
        small = self.map_head(x).float()
        heat = 1 - small.softmax(dim=1)[:, :1]
        image = self.pools(small)
        label = self.label_head(torch.cat([_under(x, heat, 1), _under(deep, heat, 2)], dim=1))
        return Outputs(_double(small), image[:, 0], image, label)


class TokenTrunk(nn.Module):
    """Tokens of the maps at /16 and /32, blocks of attention and experts, and back to maps of width D."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.tokens = MapTokens(channels, WIDTH, STRIDES)
        options = TrunkOptions(width=WIDTH, depth=DEPTH, heads=HEADS, moe=tiny(WIDTH))
        self.blocks = nn.ModuleList(TrunkBlock(options, at) for at in range(DEPTH))
        self.norm = RMSNorm(WIDTH)

    def forward(self, deep: Tensor, deepest: Tensor, added_BTD: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps (B, D, h, w) at /16 and /32, and the experts' loss. `added_BTD` joins the tokens."""
        x_BTD = self.tokens((deep, deepest)).x_BTD
        if added_BTD is not None:
            x_BTD = x_BTD + added_BTD
        mixing = x_BTD.new_zeros((), dtype=torch.float32)
        for block in self.blocks:
            x_BTD, loss, _ = block(x_BTD, None, None)
            mixing = mixing + loss
        shapes = [(x.shape[2], x.shape[3]) for x in (deep, deepest)]
        finer, coarser = to_maps(self.norm(x_BTD), shapes)
        return finer, coarser, mixing


class TokenPyramid(nn.Module):
    """From /32 down to /4; the map of classes is told at /4 and, coarser, at /8; boxes at /8."""

    def __init__(self, channels: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(count + WIDTH, PYRAMID, 1) for count in channels)
        self.smooth = nn.ModuleList(nn.Conv2d(PYRAMID, PYRAMID, 3, padding=1) for _ in range(3))
        self.narrow = nn.Conv2d(PYRAMID, FINE, 1)
        self.smooth_fine = nn.Conv2d(FINE, FINE, 3, padding=1)
        self.map_head = _rare(nn.Conv2d(FINE, classes + 1, 1))
        self.map_coarse = nn.Conv2d(PYRAMID, classes + 1, 1)
        self.box_smooth = nn.Conv2d(PYRAMID, PYRAMID, 3, padding=1)
        self.box_head = nn.Conv2d(PYRAMID, 4 + classes, 1)
        with torch.no_grad():
            self.map_coarse.weight.mul_(0.1)
            self.map_coarse.bias = nn.Parameter(torch.zeros(classes + 1))
            self.box_head.weight.mul_(0.1)
            self.box_head.bias = nn.Parameter(torch.tensor([0.0, 0.0, 1.5, 1.5] + [-RARE] * classes))

    def forward(self, features: Features, deep: Tensor, deepest: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return map logits (B, K + 1, h, w) at /4, the pyramid at /8, told boxes and their logits."""
        x = functional.relu(self.smooth[0](self.laterals[1](torch.cat([features.deepest, deepest], dim=1))))
        side = self.laterals[0](torch.cat([features.deep, deep], dim=1))
        x = functional.relu(self.smooth[1](_double(x) + side))
        middle = functional.relu(self.smooth[2](_double(x) + features.middle))
        fine = functional.relu(self.smooth_fine(_double(self.narrow(middle)) + features.fine))
        map_BKhw = self.map_head(fine).float() + _double(self.map_coarse(middle).float())
        told = self.box_head(functional.relu(self.box_smooth(middle))).float()
        return map_BKhw, middle, told[:, :4], told[:, 4:]


class ServedFirst(nn.Module):
    """Part `network_0`: answers of stage 0, and the features that stage 1 takes."""

    def __init__(self, network: ExpertNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        features, first = self.network.stage0(image)
        middle = features.middle
        nothing = torch.zeros_like(middle[:, :1]).expand(-1, first.label_BK.shape[1] + 4, -1, -1)
        answers = {"margin_0": first.image_B, **answers_of(first), "boxes": nothing}
        return answers | {f"features_{name}": value for name, value in features._asdict().items()}


class ServedSecond(nn.Module):
    """Part `network_1`: the answers of stage 1."""

    def __init__(self, network: ExpertNet) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, features_fine: Tensor, features_middle: Tensor, features_deep: Tensor, features_deepest: Tensor
    ) -> dict[str, Tensor]:
        features = Features(features_fine, features_middle, features_deep, features_deepest)
        said = self.network.stage1(features)
        height, width = features_middle.shape[2:]
        side_4 = torch.tensor([width, height, width, height], dtype=torch.float32) * 8
        box_B4hw = (decode(said.box_B4hw) / side_4).transpose(1, 2).reshape(said.box_B4hw.shape)
        boxes = torch.cat([box_B4hw, said.box_BKhw.sigmoid()], dim=1)
        return {"margin_1": said.image_B, **answers_of(said), "boxes": boxes}


def answers_of(said: Outputs) -> dict[str, Tensor]:
    """`defect_map` (B, K, h, w) probabilities and `label_logits` (B, K)."""
    return {"defect_map": said.map_BKhw.softmax(dim=1)[:, 1:], "label_logits": said.label_BK}


def flatten(deep: Tensor, deepest: Tensor) -> Tensor:
    """Maps (B, D, h, w) as tokens (B, T, D), the finer first."""
    return torch.cat([deep.flatten(2), deepest.flatten(2)], dim=2).transpose(1, 2)


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _strongest(heat_B1hw: Tensor, like_BChw: Tensor, factor: int) -> Tensor:
    """The map's highest point under each point of a map `factor` times coarser, (B, 1, h, w).

    By reshaping: the exporter cannot tell that pooling halves a side without a rest.
    """
    height, width = like_BChw.shape[2:]
    return heat_B1hw.reshape(-1, 1, height, factor, width, factor).amax(dim=(3, 5))


def _under(features_BChw: Tensor, heat_B1hw: Tensor, factor: int) -> Tensor:
    """Mean features under the map, (B, C)."""
    weight = _strongest(heat_B1hw, features_BChw, factor) + 1e-4
    return (features_BChw.float() * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3))


def _rare(head: nn.Conv2d) -> nn.Conv2d:
    with torch.no_grad():
        head.weight.mul_(0.1)
        head.bias = nn.Parameter(RARE * (torch.arange(head.out_channels) == 0))
    return head

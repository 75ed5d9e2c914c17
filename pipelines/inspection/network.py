"""The network: a trunk, a decoder from /32 up to /4, a defect map over K classes and a background, and an image head.

Legend: B batch, C channels, H height, W width of the input; h, w of the map (a quarter of H, W); K defect classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.encoders.image import Trunk

POOLS = (8, 32, 128, 512)  # how many of the map's strongest points the image head reads, at size_px 320
POOLS_SIZE_PX = 320
WHOLE = 0.2  # weight of the whole picture in the image score: alone it ranks worse than the map


@dataclass(frozen=True)
class Outputs:
    """What the network says of a batch; logits, so that losses stay exact."""

    map_BKhw: Tensor  # (B, K + 1, h, w): background first, then the classes
    image_B: Tensor  # logit that the picture shows a defect
    parts_BP: Tensor  # the image head's parts: the pooled map, the whole picture; each a logit
    label_BK: Tensor  # logits of the class of the defect, given that there is one


class DefectNet(nn.Module):
    """Defect map by a feature pyramid; the image score reads the map's strongest points and the whole picture."""

    def __init__(self, trunk: Trunk, classes: int, size_px: int, width: int = 64) -> None:
        super().__init__()
        channels = trunk.channels
        self.trunk = trunk
        self.pools = tuple(max(1, round(pool * (size_px / POOLS_SIZE_PX) ** 2)) for pool in POOLS)
        self.laterals = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels)
        self.map_head = nn.Conv2d(width, classes + 1, 1)
        self.pool_head = nn.Linear(len(POOLS), 1)
        self.whole_head = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * channels[2], 1))
        self.label_head = nn.Sequential(nn.Dropout(0.2), nn.Linear(width + channels[2], classes))
        self._start()

    def _start(self) -> None:
        """Defects are rare: the map starts at about one point in fifty, the pooled score near the mean of its parts."""
        with torch.no_grad():
            self.map_head.weight.mul_(0.1)
            background = torch.arange(self.map_head.out_channels) == 0
            self.map_head.bias = nn.Parameter(4.0 * background)
            self.pool_head.weight.fill_(1.0 / len(POOLS))
            self.pool_head.bias.fill_(0.0)

    def forward(self, x_BCHW: Tensor) -> Outputs:
        features = self.trunk(x_BCHW)
        levels = list(zip(features, self.laterals, self.smooth, strict=True))[::-1]
        x = torch.zeros(())
        for depth, (feature, lateral, smooth) in enumerate(levels):
            side = lateral(feature)
            above = functional.interpolate(x, scale_factor=2.0, mode="nearest") + side if depth else side
            x = functional.relu(smooth(above))
        map_BKhw = self.map_head(x).float()
        defect_BN = defect_logit(map_BKhw).flatten(1)
        deep = features[2].float()
        pooled = torch.stack([defect_BN.topk(pool, dim=1).values.mean(dim=1) for pool in self.pools], dim=1)
        whole = torch.cat([deep.mean(dim=(2, 3)), deep.amax(dim=(2, 3))], dim=1)
        parts = torch.cat([self.pool_head(pooled), self.whole_head(whole)], dim=1)
        attended = self._attend(x.float(), deep, map_BKhw)
        return Outputs(map_BKhw, parts[:, 0] + WHOLE * parts[:, 1], parts, self.label_head(attended))

    def _attend(self, fine: Tensor, deep: Tensor, map_BKhw: Tensor) -> Tensor:
        """Mean features under the defect map: what the class is read from, (B, width + C)."""
        heat = 1 - map_BKhw.softmax(dim=1)[:, :1]
        coarse = functional.max_pool2d(heat, 4)
        return torch.cat([_weighted(fine, heat), _weighted(deep, coarse)], dim=1)


class ServedNet(nn.Module):
    """What is exported: `margin` (B,), `defect_map` (B, K, h, w) probabilities, `label_logits` (B, K)."""

    def __init__(self, network: DefectNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        outputs = self.network(image)
        return {
            "margin": outputs.image_B,
            "defect_map": outputs.map_BKhw.softmax(dim=1)[:, 1:],
            "label_logits": outputs.label_BK,
        }


def defect_logit(map_BKhw: Tensor) -> Tensor:
    """Log odds of any defect against background at each point, (B, h, w)."""
    return map_BKhw[:, 1:].logsumexp(dim=1) - map_BKhw[:, 0]


def _weighted(features_BChw: Tensor, heat_B1hw: Tensor) -> Tensor:
    weight = heat_B1hw + 1e-4
    return (features_BChw * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3))

"""Self-supervised start: hide patches of pictures and let the trunk of experts tell what the trunk sees there.

Half of the squares of 32 px of a picture are hidden: their tokens at /16 and /32 become one learned token. From what is
left the trunk of experts foretells the hidden features of the given image trunk, each point brought to mean 0 and
spread 1. Needs no label; the image trunk itself stays as it is. After He et al., Masked autoencoders, arXiv 2111.06377,
and Wei et al., Masked feature prediction, arXiv 2112.09133.

Legend: B batch, C channels, D width, h, w of a map.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.train.loop import Losses, TrainOptions, TrainReport, train
from pipelines.inspection.ahead import ahead
from pipelines.inspection.attention import Known
from pipelines.inspection.augment import Variation
from pipelines.inspection.batches import Part, Pools, steps_of
from pipelines.inspection.expert_network import WIDTH, ExpertNet, flatten
from pipelines.inspection.options import Preset
from pipelines.inspection.samples import Sample

HIDDEN = 0.5  # share of the squares that are hidden
STEPS_PER_EPOCH = 20
OTHER_DRAW = 7_919  # keeps the drawn pictures apart from those of the training that follows


class Hiding(nn.Module):
    """The network's trunk of experts with what only pretraining needs: the token of hidden patches, the foretellers."""

    def __init__(self, network: ExpertNet) -> None:
        super().__init__()
        self.tokens = network.tokens
        channels = network.trunk.channels[2:]
        self.hidden = nn.Parameter(0.02 * torch.randn(WIDTH))
        self.foretell = nn.ModuleList(nn.Conv2d(WIDTH, count, 1) for count in channels)
        self._trunk = [network.trunk]  # in a list: its weights are no part of this module

    def forward(self, x_BCHW: Tensor) -> Losses:
        """Draw what is hidden from torch's random numbers, and return the error there."""
        with torch.no_grad():
            maps = self._trunk[0](x_BCHW)[2:]
        large = torch.rand(len(x_BCHW), 1, *maps[1].shape[2:], device=x_BCHW.device) < HIDDEN
        hidden = [large.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3), large]
        shown = [x * ~some for x, some in zip(maps, hidden, strict=True)]
        *told, mixing = self.tokens(*shown, flatten(*hidden) * self.hidden)
        parts = {"mixing": mixing}
        for name, head, some, x, wanted in zip(("16", "32"), self.foretell, hidden, told, maps, strict=True):
            error = functional.smooth_l1_loss(head(x).float(), even(wanted.float()), reduction="none").mean(dim=1)
            parts[name] = (error * some[:, 0]).sum() / some.sum().clamp_min(1)
        return Losses(total=torch.stack(list(parts.values())).sum(), parts=parts)


def even(x_BChw: Tensor) -> Tensor:
    """Bring each point's features to mean 0 and spread 1."""
    return functional.layer_norm(x_BChw.movedim(1, -1), x_BChw.shape[1:2]).movedim(-1, 1)


def pretrain(
    network: ExpertNet,
    samples: Sequence[Sample],
    preset: Preset,
    seed: int,
    folder: Path | None,
    progress: Callable[[float, str], None],
    origin: str,
) -> TrainReport:
    """Train the trunk of experts in place. A run that was cut off goes on from `folder`, one that is done is read."""
    pools = Pools([replace(sample, label=0, known=Known.NORMAL, places=None) for sample in samples])
    plain = replace(preset, steps=preset.pretrain_steps, variation=Variation(paste=0.0, draw=0.0))
    device = next(network.parameters()).device
    network.trunk.eval()  # its running statistics stay too

    def steps(epoch: int) -> Iterator[list[Part]]:
        first = epoch * STEPS_PER_EPOCH
        count = min(STEPS_PER_EPOCH, plain.steps - first)
        return ahead(steps_of(pools, (), plain, first=first, steps=count, seed=seed + OTHER_DRAW))

    def loss(model: nn.Module, parts: list[Part]) -> Losses:
        each = [(part.share, model(part.image_BCHW.to(device))) for part in parts]
        names = each[0][1].parts
        shares = {name: torch.stack([share * one.parts[name] for share, one in each]).sum() for name in names}
        return Losses(total=torch.stack(list(shares.values())).sum(), parts=shares)

    options = TrainOptions(steps=plain.steps, lr=plain.lr, clip=5.0, precision="auto", seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        hiding = Hiding(network).to(device)
    return train(hiding, steps, loss, options, folder, progress, origin=origin)

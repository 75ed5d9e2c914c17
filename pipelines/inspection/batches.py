"""Which pictures a training step sees, and its loss.

Half of a step's pictures are defective: classes by the root of their number of groups, then a group, then a picture,
so that a tile that was photographed thirty times does not rule. Pictures of one canvas go through the network together.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.train.losses import attention_loss, overlap_loss, yes_no_loss
from pipelines.inspection.attention import Guide, Known, attend
from pipelines.inspection.augment import Example, Patch, Variation, vary
from pipelines.inspection.boxes import box_losses
from pipelines.inspection.expert_network import ExpertOutputs
from pipelines.inspection.network import Outputs, defect_logit
from pipelines.inspection.options import Preset
from pipelines.inspection.samples import Sample

FIRST = 0.3  # weight of what stage 0 says of its own


@dataclass(frozen=True)
class Part:
    """Pictures of one canvas: `image_BCHW`, what is known of them, and the share of the step's pictures they are.

    `boxes` holds the true boxes of each picture, (N, 5): x0, y0, x1, y1 in pixels and the class (-1 for no name).
    """

    image_BCHW: Tensor
    guide: Guide
    share: float
    boxes: tuple[Tensor, ...]

    def to(self, device: torch.device) -> "Part":
        """Return the part on a device."""
        guide = self.guide
        moved = Guide(
            guide.target_Bhw.to(device),
            guide.counted_Bhw.to(device),
            guide.known_B.to(device),
            guide.class_B.to(device),
            guide.progress,
        )
        return Part(self.image_BCHW.to(device), moved, self.share, tuple(boxes.to(device) for boxes in self.boxes))


def draw_step(
    pools: "Pools", bank: Sequence[Patch], variation: Variation, count: int, progress: float, rng: np.random.Generator
) -> list[Part]:
    """Draw one step: `count` pictures, varied, gathered by canvas. `progress` is the training's, 0..1."""
    by_shape: dict[tuple[int, ...], list[Example]] = defaultdict(list)
    for place in range(count):
        example = vary(pools.pick(place % 2 == 0, rng), bank, variation, rng)
        by_shape[example.image.shape].append(example)
    return [_stack(examples, len(examples) / count, progress) for examples in by_shape.values()]


def _stack(examples: list[Example], share: float, progress: float) -> Part:
    image = torch.from_numpy(np.stack([example.image for example in examples]))
    guide = Guide(
        torch.from_numpy(np.stack([example.target for example in examples])),
        torch.from_numpy(np.stack([example.counted for example in examples])),
        torch.tensor([int(example.known) for example in examples]),
        torch.tensor([example.label for example in examples]),
        progress,
    )
    boxes = tuple(torch.from_numpy(example.boxes) for example in examples)
    return Part(image.contiguous(memory_format=torch.channels_last), guide, share, boxes)


class Pools:
    """Samples by class and group."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.classes: dict[int, list[list[Sample]]] = {}
        for label in sorted({sample.label for sample in samples}):
            groups: dict[str, list[Sample]] = defaultdict(list)
            for sample in samples:
                if sample.label == label:
                    groups[sample.group].append(sample)
            self.classes[label] = list(groups.values())
        self.defects = [label for label in self.classes if label != 0]

    def pick(self, defective: bool, rng: np.random.Generator) -> Sample:
        """Draw a sample; where one side is missing, of the other."""
        if self.defects and (defective or 0 not in self.classes):
            sizes = np.sqrt([len(self.classes[label]) for label in self.defects])
            label = int(rng.choice(self.defects, p=sizes / sizes.sum()))
        else:
            label = 0
        groups = self.classes[label]
        sizes = np.sqrt([len(group) for group in groups])
        group = groups[int(rng.choice(len(groups), p=sizes / sizes.sum()))]
        return group[int(rng.integers(len(group)))]


def steps_of(
    pools: Pools, bank: Sequence[Patch], preset: Preset, *, first: int, steps: int, seed: int
) -> Iterator[list[Part]]:
    """Yield steps `first` .. `first + steps - 1`; each depends on the seed and its own number only."""
    for step in range(first, first + steps):
        rng = np.random.default_rng((seed, step))
        yield draw_step(pools, bank, preset.variation, preset.pictures, step / preset.steps, rng)


def step_losses(network: nn.Module, parts: Sequence[Part], *, label: float = 0.3) -> dict[str, Tensor]:
    """Return the step's losses by name; their sum is what is minimised. `label` is the weight of the class."""
    sums: dict[str, Tensor] = {}
    for part in parts:
        for name, loss in _part_losses(network, part, label).items():
            sums[name] = sums.get(name, 0.0) + part.share * loss
    return sums


def _part_losses(network: nn.Module, part: Part, weight: float) -> dict[str, Tensor]:
    outputs: Outputs = network(part.image_BCHW)
    losses = answer_losses(outputs, part.guide, weight)
    if isinstance(outputs, ExpertOutputs):
        losses |= box_losses(outputs.box_B4hw, outputs.box_BKhw, part.boxes, part.guide.known_B)
        losses["mixing"] = outputs.mixing
        if outputs.first is not None:
            losses["first"] = FIRST * torch.stack(list(answer_losses(outputs.first, part.guide, weight).values())).sum()
    return losses


def answer_losses(outputs: Outputs, guide: Guide, weight: float) -> dict[str, Tensor]:
    """Return the losses of map, image score and class by name; `weight` is that of the class."""
    logit_Bhw = defect_logit(outputs.map_BKhw)
    attention, target = attend(logit_Bhw.sigmoid(), guide)
    masked = (guide.known_B == Known.MASK).float()
    yes = (guide.known_B != Known.NORMAL).float()
    overlap = overlap_loss(logit_Bhw.sigmoid(), guide.target_Bhw, guide.counted_Bhw)
    losses = {
        "map": attention_loss(outputs.map_BKhw, target, attention).mean(),
        "overlap": 0.5 * (overlap * masked).mean(),
        "image": yes_no_loss(outputs.image_B.float(), yes).mean(),
        "parts": 0.25
        * yes_no_loss(outputs.parts_BP.float(), yes[:, None].expand_as(outputs.parts_BP)).sum(dim=1).mean(),
    }
    named = (guide.class_B > 0).float()
    label = functional.cross_entropy(outputs.label_BK.float(), guide.class_B.clamp_min(1) - 1, reduction="none")
    return losses | {"label": weight * (label * named).mean()}

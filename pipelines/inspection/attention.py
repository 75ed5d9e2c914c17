"""Where the loss looks: one attention map a picture, guided by the annotation where there is one, else by the model.

With s the model's own defect probability at a point (no gradient flows through it), f a point that is claimed to be
defect, g one that is claimed to be background, and N(.) the division by the sum over the picture:

    no defect          a = N(g (e + s))                          the model's own false alarms count most
    mask               a = 1/2 N(f) + 1/2 N(g (e + s))           half for the defect, however small it is
    boxes              a = 1/2 N(f (e + s)) + 1/2 N(g (e + s))   inside a box the model says where the defect is
    label only         a = r N(t (e + s)^2)                      t: the strongest points of the map; r grows 0 -> 1

so each a sums to 1 and the loss is sum(a * cross-entropy). A picture with a label only says nothing about background:
its weak points may be defect as well. Points that a mask covers only partly count as neither.

Legend: B batch, h, w of the map.
"""

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

FLOOR = 0.03  # e: what a point counts that the model does not suspect
STRONGEST = 0.01  # share of a picture's points that a label alone turns into defect


class Known(IntEnum):
    """What is known of where the defect lies."""

    NORMAL = 0
    MASK = 1
    BOXES = 2
    LABEL = 3


@dataclass(frozen=True)
class Guide:
    """Targets of a batch.

    `target_Bhw` is 0, 1..K, or ANY; `counted_Bhw` 0 where the annotation is unsure; `known_B` holds values of Known,
    `class_B` 0 for no defect, 1..K, or ANY for no name; `progress` is the training's, 0..1.
    """

    target_Bhw: Tensor
    counted_Bhw: Tensor
    known_B: Tensor
    class_B: Tensor
    progress: float


def attend(own_Bhw: Tensor, guide: Guide) -> tuple[Tensor, Tensor]:
    """Return the attention (B, h, w) and the targets (B, h, w) it belongs to. `own_Bhw` is the defect probability."""
    own = own_Bhw.detach().float()
    claimed = (guide.target_Bhw != 0).float() * guide.counted_Bhw
    clear = (guide.target_Bhw == 0).float() * guide.counted_Bhw
    known = guide.known_B[:, None, None]
    inside = torch.where(known == Known.BOXES, claimed * (FLOOR + own), claimed)
    outside = _share(clear * (FLOOR + own))
    strongest = _strongest(own)
    alone = guide.progress * _share(strongest * (FLOOR + own).square())
    annotated = 0.5 * _share(inside) + 0.5 * outside
    attention = torch.where(known == Known.NORMAL, outside, torch.where(known == Known.LABEL, alone, annotated))
    named = guide.class_B[:, None, None].expand_as(guide.target_Bhw)
    target = torch.where((known == Known.LABEL) & (strongest > 0), named, guide.target_Bhw)
    return attention, target


def _share(weight_Bhw: Tensor) -> Tensor:
    """Divide each picture's weights by their sum; a picture without any keeps zeros."""
    return weight_Bhw / weight_Bhw.sum(dim=(1, 2), keepdim=True).clamp_min(1e-6)


def _strongest(own_Bhw: Tensor) -> Tensor:
    flat = own_Bhw.flatten(1)
    least = flat.topk(max(1, int(STRONGEST * flat.shape[1])), dim=1).values[:, -1:]
    return (flat >= least).float().view_as(own_Bhw)

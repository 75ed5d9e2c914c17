"""Boxes from the pyramid: where each true box is to be told, what a wrong one costs, and how a told one reads.

Every point of the map at /8 tells one box as (dx, dy, w, h): the middle lies at the point plus (dx w, dy h), the sides
are 8 exp(w), 8 exp(h) pixels. Points in the middle half of a true box (at least 6 px around its middle) tell it, where
boxes overlap the smallest one; its class logit learns the overlap that the told box reaches, so that one number says
what and how well. Sources: FCOS, arXiv 1904.01355; quality focal loss, arXiv 2006.04388; GIoU, arXiv 1902.09630.

Legend: B pictures, N boxes of a picture, P points of a map, K classes; a box is (x0, y0, x1, y1) in pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from pipelines.inspection.attention import Known

STRIDE = 8
LEAST_REACH_PX = 6.0  # around the middle of a box; points lie 8 px apart, so every box has at least one
LARGEST = 6.0  # of the told logarithms of the sides
QUALITY = 2.0  # weight of the classes' loss
SIDES = 0.2  # weight of the error of the sides' logarithms beside GIoU


@dataclass(frozen=True)
class BoxTargets:
    """What the points of one picture are to tell: `box_P4`, class 1..K, ANY (-1) or 0 for no box, by point."""

    box_P4: Tensor
    class_P: Tensor


def points_of(height: int, width: int, like: Tensor) -> Tensor:
    """Middles of the points of a map, (P, 2) as x, y in pixels."""
    y = (torch.arange(height, device=like.device, dtype=torch.float32) + 0.5) * STRIDE
    x = (torch.arange(width, device=like.device, dtype=torch.float32) + 0.5) * STRIDE
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=2).flatten(0, 1)


def decode(told_B4hw: Tensor) -> Tensor:
    """Return boxes (B, P, 4) in pixels of the input."""
    height, width = told_B4hw.shape[2:]
    told_BP4 = told_B4hw.float().flatten(2).transpose(1, 2)
    half_BP2 = 0.5 * STRIDE * told_BP4[..., 2:].clamp(-LARGEST, LARGEST).exp()
    middle_BP2 = points_of(height, width, told_B4hw) + 2 * half_BP2 * told_BP4[..., :2]
    return torch.cat([middle_BP2 - half_BP2, middle_BP2 + half_BP2], dim=2)


def assign(boxes_N5: Tensor, point_P2: Tensor) -> BoxTargets:
    """Give points to boxes (x0, y0, x1, y1, class): to the smallest whose middle part they lie in."""
    if not len(boxes_N5):
        none = torch.zeros(len(point_P2), dtype=torch.int64, device=point_P2.device)
        return BoxTargets(point_P2.new_zeros(len(point_P2), 4), none)
    low_N2, high_N2 = boxes_N5[:, :2], boxes_N5[:, 2:4]
    side_N2 = high_N2 - low_N2
    away_PN2 = (point_P2[:, None] - (low_N2 + high_N2) / 2).abs()
    inside_PN = (away_PN2 <= (side_N2 / 4).clamp_min(LEAST_REACH_PX)).all(dim=2)
    area_PN = torch.where(inside_PN, side_N2.prod(dim=1), torch.inf)
    smallest_P = area_PN.argmin(dim=1)
    class_P = torch.where(inside_PN.any(dim=1), boxes_N5[smallest_P, 4].long(), 0)
    return BoxTargets(boxes_N5[smallest_P, :4], class_P)


def box_losses(told_B4hw: Tensor, logit_BKhw: Tensor, boxes: Sequence[Tensor], known_B: Tensor) -> dict[str, Tensor]:
    """Return the losses `box` (places) and `quality` (classes); pictures with a label only have no say."""
    decoded_BP4 = decode(told_B4hw)
    logit_BPK = logit_BKhw.float().flatten(2).transpose(1, 2)
    raw_BP2 = told_B4hw.float().flatten(2).transpose(1, 2)[..., 2:]
    point_P2 = points_of(told_B4hw.shape[2], told_B4hw.shape[3], told_B4hw)
    place, quality, count = logit_BPK.new_zeros(()), logit_BPK.new_zeros(()), 0
    for picture, boxes_N5 in enumerate(boxes):
        if int(known_B[picture]) == Known.LABEL:
            continue
        target = assign(boxes_N5, point_P2)
        has_P = target.class_P != 0
        reached_P = logit_BPK.new_zeros(len(has_P))
        if has_P.any():
            overlap, loss = giou(decoded_BP4[picture][has_P], target.box_P4[has_P])
            side_2 = (target.box_P4[has_P, 2:] - target.box_P4[has_P, :2]).clamp_min(1.0)
            sides = functional.smooth_l1_loss(raw_BP2[picture][has_P], (side_2 / STRIDE).log(), reduction="none")
            place = place + loss.sum() + SIDES * sides.sum()
            reached_P[has_P] = overlap.detach()
        quality = quality + _quality(logit_BPK[picture], target.class_P, reached_P)
        count += int(has_P.sum())
    least = float(max(count, len(boxes)))
    return {"box": place / least, "quality": QUALITY * quality / least}


def giou(one_N4: Tensor, two_N4: Tensor) -> tuple[Tensor, Tensor]:
    """Return intersection over union (N,) and the loss 1 - GIoU (N,) of pairs."""
    both = (torch.minimum(one_N4[:, 2:], two_N4[:, 2:]) - torch.maximum(one_N4[:, :2], two_N4[:, :2])).clamp_min(0)
    hull = torch.maximum(one_N4[:, 2:], two_N4[:, 2:]) - torch.minimum(one_N4[:, :2], two_N4[:, :2])
    shared, around = both.prod(dim=1), hull.prod(dim=1).clamp_min(1e-6)
    union = (one_N4[:, 2:] - one_N4[:, :2]).prod(dim=1) + (two_N4[:, 2:] - two_N4[:, :2]).prod(dim=1) - shared
    overlap = shared / union.clamp_min(1e-6)
    return overlap, 1 - overlap + (around - union) / around


def _quality(logit_PK: Tensor, class_P: Tensor, reached_P: Tensor) -> Tensor:
    """Quality focal loss: |target - p|^2 times binary cross-entropy; where the class is not known, nothing."""
    number_K = torch.arange(1, logit_PK.shape[1] + 1, device=logit_PK.device)
    target_PK = (class_P[:, None] == number_K) * reached_P[:, None]
    weight_PK = (target_PK - logit_PK.detach().sigmoid()).square() * (class_P >= 0)[:, None]
    return (weight_PK * functional.binary_cross_entropy_with_logits(logit_PK, target_PK, reduction="none")).sum()

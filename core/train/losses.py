"""Losses on maps whose points do not all count the same.

Legend: B batch, K classes without the background, h, w of the map. Targets are (B, h, w) int64: 0 background,
1..K a class, ANY some class that nobody named.
"""

import torch
from torch import Tensor
from torch.nn import functional

ANY = -1  # the point is not background, its class is unknown


def point_losses(logits_BKhw: Tensor, target_Bhw: Tensor) -> Tensor:
    """Cross-entropy at each point, (B, h, w); for ANY it is -log of the summed probability of all classes."""
    log_p = logits_BKhw.log_softmax(dim=1)
    named = -log_p.gather(1, target_Bhw.clamp_min(0)[:, None])[:, 0]
    unnamed = -log_p[:, 1:].logsumexp(dim=1)
    return torch.where(target_Bhw == ANY, unnamed, named)


def attention_loss(logits_BKhw: Tensor, target_Bhw: Tensor, attention_Bhw: Tensor) -> Tensor:
    """Cross-entropy weighted by an attention map, (B,). Each picture's attention sums to 1 (or to 0: no say)."""
    return (attention_Bhw * point_losses(logits_BKhw, target_Bhw)).sum(dim=(1, 2))


def overlap_loss(defect_Bhw: Tensor, target_Bhw: Tensor, counted_Bhw: Tensor) -> Tensor:
    """Soft Dice of the defect probability, (B,): 1 - 2 sum(p y) / (sum(p^2) + sum(y)), points not counted left out.

    Source: Milletari et al., V-Net, arXiv 1606.04797. A constant of 1 keeps empty pictures finite.
    """
    truth = (target_Bhw != 0).float() * counted_Bhw
    p = defect_Bhw * counted_Bhw
    both = (p * truth).sum(dim=(1, 2))
    return 1 - (2 * both + 1) / (p.square().sum(dim=(1, 2)) + truth.sum(dim=(1, 2)) + 1)


def yes_no_loss(logit_B: Tensor, yes_B: Tensor) -> Tensor:
    """Binary cross-entropy on a logit, per element."""
    return functional.binary_cross_entropy_with_logits(logit_B, yes_B, reduction="none")

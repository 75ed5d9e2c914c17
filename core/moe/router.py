"""The router: which experts a token goes to, and with which weight.

Legend: N tokens of all rows, D width, E experts, K experts per token, G groups, S experts of a group.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.moe.options import MoEOptions


class Routing(NamedTuple):
    """Where tokens go. Slots of a token are in the order of choice; slots that it does not use weigh 0."""

    weight_NK: Tensor  # float32
    expert_NK: Tensor  # int64
    kept_NK: Tensor | None  # which slots are used; None: all
    score_NE: Tensor  # the gate's scores in 0..1
    logit_NE: Tensor  # what they were made of


class Router(nn.Module):
    """Gate, groups and choice, in float32 under every precision.

    The weights of the chosen experts are their scores divided by the sum over the chosen; with top_k = 1 the score
    itself, since a constant 1 would teach the gate nothing (Switch, arXiv 2101.03961). Equal scores go to the expert
    with the lower number, on every device and in ONNX Runtime.
    """

    bias_E: Tensor | None

    def __init__(self, options: MoEOptions) -> None:
        super().__init__()
        self.options = options
        self.weight_ED = nn.Parameter(torch.empty(options.experts, options.width))
        nn.init.uniform_(self.weight_ED, -1 / math.sqrt(options.width), 1 / math.sqrt(options.width))
        bias = torch.zeros(options.experts) if options.balance == "bias" else None
        self.register_buffer("bias_E", bias)  # moves the choice, never the weight (arXiv 2408.15664)

    def forward(self, x_ND: Tensor) -> Routing:
        logit_NE = self._logits(x_ND)
        dropped_E = None
        if self.training and self.options.expert_dropout:
            dropped_E = dropped_experts(self.options, x_ND.device)
            logit_NE = logit_NE.masked_fill(dropped_E, -math.inf)
        score_NE = logit_NE.softmax(dim=-1) if self.options.gate == "softmax" else logit_NE.sigmoid()
        expert_NK = self._choose(score_NE.detach(), dropped_E)
        weight_NK = score_NE.gather(1, expert_NK)
        if self.options.top_k > 1:
            weight_NK = weight_NK / weight_NK.sum(dim=-1, keepdim=True).clamp_min(1e-20)
        kept_NK = None
        if self.options.least is not None:
            kept_NK = self._kept(weight_NK.detach(), self.options.least)
            weight_NK = weight_NK * kept_NK
        return Routing(weight_NK, expert_NK, kept_NK, score_NE, logit_NE)

    def _logits(self, x_ND: Tensor) -> Tensor:
        if torch.is_autocast_enabled(x_ND.device.type):
            with torch.autocast(x_ND.device.type, enabled=False):
                logit_NE = functional.linear(x_ND.float(), self.weight_ED.float())
        else:
            logit_NE = functional.linear(x_ND.float(), self.weight_ED.float())
        if self.training and self.options.noise:
            logit_NE = logit_NE + self.options.noise * torch.randn_like(logit_NE)
        return logit_NE

    def _choose(self, score_NE: Tensor, dropped_E: Tensor | None) -> Tensor:
        """Return the experts that a token goes to, best first."""
        options = self.options
        if self.bias_E is not None:
            score_NE = score_NE + self.bias_E
        if dropped_E is not None:
            score_NE = score_NE.masked_fill(dropped_E, -math.inf)
        if options.groups > 1:
            score_NE = _best_groups(score_NE, options)
        return first_largest(score_NE, options.top_k)

    def _kept(self, weight_NK: Tensor, least: int) -> Tensor:
        """Return the slots used: the first `least`, and further ones until the weight before them reaches `mass`."""
        before_NK = weight_NK.cumsum(dim=-1) - weight_NK
        slot_K = torch.arange(weight_NK.shape[1], device=weight_NK.device)
        return (before_NK < self.options.mass) | (slot_K < least)


def first_largest(score_NE: Tensor, k: int) -> Tensor:
    """Return the places of the `k` largest scores of a row, (N, k), largest first; of equal ones the first.

    `Tensor.topk` promises no order among equal scores; `argmax` and ONNX's TopK do.
    """
    if torch.onnx.is_in_onnx_export():
        return score_NE.topk(k, dim=-1).indices
    places = [score_NE.argmax(dim=-1, keepdim=True)]
    while len(places) < k:
        score_NE = score_NE.scatter(1, places[-1], -math.inf)
        places.append(score_NE.argmax(dim=-1, keepdim=True))
    return torch.cat(places, dim=1)


def dropped_experts(options: MoEOptions, device: torch.device) -> Tensor:
    """Draw the experts to leave out of a step, (E,) bool: each with the same chance, but every group keeps enough."""
    needed = math.ceil(options.top_k / options.groups_kept)
    if options.groups > 1:
        needed = max(needed, min(2, options.group_size))
    draw_GS = torch.rand(options.groups, options.group_size, device=device)
    rank_GS = draw_GS.argsort(dim=-1).argsort(dim=-1)
    return ((draw_GS < options.expert_dropout) & (rank_GS < options.group_size - needed)).flatten()


def _best_groups(score_NE: Tensor, options: MoEOptions) -> Tensor:
    """Mask all but the best groups; a group is worth the sum of its two best scores (arXiv 2412.19437)."""
    score_NGS = score_NE.view(-1, options.groups, options.group_size)
    worth_NG = score_NGS.topk(min(2, options.group_size), dim=-1).values.sum(dim=-1)
    group_NG = first_largest(worth_NG, options.groups_kept)
    open_NG = torch.zeros_like(worth_NG, dtype=torch.bool).scatter(1, group_NG, True)
    return score_NGS.masked_fill(~open_NG.unsqueeze(-1), -math.inf).flatten(1)

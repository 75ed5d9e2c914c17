"""Balance between experts: two regularisers, the loss-free bias, and what people are told about the load.

Legend: N tokens of all rows, E experts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import InputError


def utilisation_loss(score_NE: Tensor, load_E: Tensor, present_N: Tensor | None = None) -> Tensor:
    """Return E * sum over experts of f * P: f the share of the load, P the mean share of the scores.

    1 where both are even, up to E where all goes to one expert. Only P has a gradient, so experts with much load are
    pressed down (Switch, arXiv 2101.03961, equation 4; the idea is GShard's, arXiv 2006.16668).
    """
    share_NE = score_NE / score_NE.sum(dim=-1, keepdim=True).clamp_min(1e-20)
    load_share_E = load_E / load_E.sum().clamp_min(1)
    return score_NE.shape[1] * (load_share_E * _mean(share_NE, present_N)).sum()


def z_loss(logit_NE: Tensor, present_N: Tensor | None = None) -> Tensor:
    """Return the mean squared logsumexp of the logits: it keeps them small (ST-MoE, arXiv 2202.08906, equation 5)."""
    return _mean(logit_NE.logsumexp(dim=-1, keepdim=True).square(), present_N).sum()


@torch.no_grad()
def follow_load(bias_E: Tensor, load_E: Tensor, step: float) -> None:
    """Raise in place the bias of experts with less than the mean load, lower the others' (arXiv 2408.15664).

    The mean of the change is taken out, so that the bias does not drift.
    """
    change_E = step * torch.sign(load_E.mean() - load_E)
    bias_E += change_E - change_E.mean()


@dataclass(frozen=True, kw_only=True)
class Balance:
    """How tokens spread over the experts, in a batch or over a run: sums, which can be added up."""

    load_E: tuple[float, ...]  # tokens that each expert took
    tokens: int
    top_k: int  # experts that a token takes at most

    def __add__(self, other: "Balance") -> "Balance":
        if (len(self.load_E), self.top_k) != (len(other.load_E), other.top_k):
            mine, theirs = f"{len(self.load_E)} experts, top {self.top_k}", f"{len(other.load_E)}, top {other.top_k}"
            raise InputError(f"only balances of one layer can be added: {mine}, and {theirs}")
        load_E = tuple(a + b for a, b in zip(self.load_E, other.load_E, strict=True))
        return Balance(load_E=load_E, tokens=self.tokens + other.tokens, top_k=self.top_k)

    @property
    def entropy(self) -> float:
        """Entropy of the load over log E: 1 where it is even, 0 where one expert takes all."""
        total = sum(self.load_E)
        shares = [load / total for load in self.load_E if load > 0]
        return -sum(share * math.log(share) for share in shares) / math.log(max(2, len(self.load_E)))

    @property
    def most_used(self) -> int:
        return max(range(len(self.load_E)), key=self.load_E.__getitem__)

    @property
    def least_used(self) -> int:
        return min(range(len(self.load_E)), key=self.load_E.__getitem__)

    @property
    def max_violation(self) -> float:
        """Largest load over the mean, less one: 0 where the load is even (MaxVio of arXiv 2408.15664)."""
        return max(self.load_E) * len(self.load_E) / max(sum(self.load_E), 1) - 1

    @property
    def dead_share(self) -> float:
        """Share of the experts that took no token."""
        return sum(load == 0 for load in self.load_E) / len(self.load_E)

    @property
    def experts_per_token(self) -> float:
        return sum(self.load_E) / max(self.tokens, 1)

    @property
    def saved(self) -> float:
        """Share of the experts' work that tokens saved by taking fewer than top_k."""
        return 1 - self.experts_per_token / self.top_k if self.tokens else 0.0

    def __str__(self) -> str:
        return (
            f"{self.tokens} tokens, {self.experts_per_token:.2f} experts each ({self.saved:.0%} saved), "
            f"entropy {self.entropy:.3f}, MaxVio {self.max_violation:.2f}, dead {self.dead_share:.0%}, "
            f"most used {self.most_used} ({max(self.load_E):g}), least used {self.least_used} ({min(self.load_E):g})"
        )


def run_balance(batches: Sequence[Balance]) -> Balance:
    """Add up the batches of a run; at least one."""
    if not batches:
        raise InputError("a run needs at least one batch, got none", code="NO_DATA")
    total = batches[0]
    for batch in batches[1:]:
        total = total + batch
    return total


def _mean(values_NX: Tensor, present_N: Tensor | None) -> Tensor:
    """Return the mean over the tokens that are there, (X,)."""
    if present_N is None:
        return values_NX.mean(dim=0)
    present_N1 = present_N.to(values_NX.dtype).unsqueeze(1)
    return (values_NX * present_N1).sum(dim=0) / present_N1.sum().clamp_min(1)

"""Norm, feed-forward layer, attention with rotary positions, and the block of the trunk. Written once, used by all.

Legend: B batch, T tokens, D width, H hidden width, N heads, P width of a head, W tokens of a window, G windows.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.errors import InputError
from core.moe.layer import Mixed, MoELayer
from core.moe.options import MoEOptions

ROTARY_BASE = 10_000.0  # the slowest pair of a head turns by 1 / base radian from one position to the next


def keep(x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    """Set absent tokens to 0."""
    return torch.where(mask_BT[..., None], x_BTD, 0.0)


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) times a learned gain, in float32 (Zhang and Sennrich 2019, arXiv 1910.07467)."""

    def __init__(self, width: int, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x_BTD: Tensor) -> Tensor:
        x = x_BTD.float()
        x = x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + self.epsilon)
        return (x * self.weight).to(x_BTD.dtype)


class FeedForward(nn.Module):
    """SwiGLU: W2 (silu(W1 x) * (W3 x)), no biases (Shazeer 2020, arXiv 2002.05202); the dense peer of a MoE layer."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.rise = nn.Linear(width, 2 * hidden, bias=False)
        self.fall = nn.Linear(hidden, width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        gate, value = self.rise(x_BTD).chunk(2, dim=-1)
        out: Tensor = self.fall(functional.silu(gate) * value)
        return out


class Attention(nn.Module):
    """Attention of every token to every present token, or to those at most `span` places away on both sides.

    Positions are turned into queries and keys (RoPE, Su et al. 2021, arXiv 2104.09864), so only their differences
    count; they may be any real numbers, such as days. With a span, tokens are cut into windows of `span` and each
    looks at its own window and both neighbours: cost and memory grow with T * span, not with T * T.
    """

    def __init__(self, width: int, heads: int, *, span: int | None = None) -> None:
        super().__init__()
        if heads < 1 or width % heads or (width // heads) % 2:
            raise InputError(f"heads must split the width {width} into even parts, got {heads}")
        if span is not None and span < 1:
            raise InputError(f"span must be None or at least 1 (tokens), got {span}")
        self.heads, self.span = heads, span
        self.into = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor | None = None, position_BT: Tensor | None = None) -> Tensor:
        """Return (B, T, D); absent tokens, and all tokens of a row without a present one, get 0."""
        batch, tokens, width = x_BTD.shape
        part = width // self.heads
        q, k, v = self.into(x_BTD).reshape(batch, tokens, 3, self.heads, part).unbind(dim=2)
        if position_BT is not None:
            angle_BT1P = rotary_angles(position_BT, part)[:, :, None]
            q, k = rotate(q, angle_BT1P), rotate(k, angle_BT1P)
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        if self.span is None:
            seen = None if mask_BT is None else _never_none(mask_BT[:, None, None])
            y_BNTP = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        else:
            y_BNTP = windowed(q, k, v, mask_BT, self.span)
        y_BTD: Tensor = self.out(y_BNTP.transpose(1, 2).reshape(batch, tokens, width))
        return y_BTD if mask_BT is None else keep(y_BTD, mask_BT)


def rotary_angles(position_BT: Tensor, width: int) -> Tensor:
    """Return the angle of each pair of a head, (B, T, width / 2): position * base^(-2 i / width)."""
    pair = torch.arange(0, width, 2, dtype=torch.float32, device=position_BT.device)
    return position_BT.float()[..., None] * torch.exp(-math.log(ROTARY_BASE) / width * pair)


def rotate(x_BTNP: Tensor, angle_BT1P: Tensor) -> Tensor:
    """Turn each pair (i, i + P / 2) of a head by its angle."""
    cos, sin = angle_BT1P.cos().to(x_BTNP.dtype), angle_BT1P.sin().to(x_BTNP.dtype)
    a, b = x_BTNP.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def windowed(q_BNTP: Tensor, k_BNTP: Tensor, v_BNTP: Tensor, mask_BT: Tensor | None, span: int) -> Tensor:
    """Attend to present tokens at most `span` places away, window by window; returns (B, N, T, P)."""
    batch, heads, tokens, width = q_BNTP.shape
    windows = (tokens + span - 1) // span
    spare = windows * span - tokens
    q = _merged(_cut(functional.pad(q_BNTP, (0, 0, 0, spare)), windows, span))
    k, v = (_merged(_with_neighbours(part, windows, span, spare)) for part in (k_BNTP, v_BNTP))
    present_BT = torch.ones_like(q_BNTP[:, 0, :, 0], dtype=torch.bool) if mask_BT is None else mask_BT
    present = _merged(_with_neighbours(present_BT[:, None, :, None], windows, span, spare))
    seen = _near(span, q.device) & present.transpose(2, 3)
    y = functional.scaled_dot_product_attention(q, k, v, attn_mask=_never_none(seen))
    y = y.reshape(batch, windows, heads, span, width).transpose(1, 2)
    return y.reshape(batch, heads, windows * span, width)[:, :, :tokens]


def _with_neighbours(x_BNTP: Tensor, windows: int, span: int, spare: int) -> Tensor:
    """Return each window with the one before and the one after it, (B, N, G, 3 W, P)."""
    x = _cut(functional.pad(x_BNTP, (0, 0, span, span + spare)), windows + 2, span)
    return torch.cat([x[:, :, :-2], x[:, :, 1:-1], x[:, :, 2:]], dim=3)


def _cut(x_BNTP: Tensor, windows: int, span: int) -> Tensor:
    batch, heads, _, width = x_BNTP.shape
    return x_BNTP.reshape(batch, heads, windows, span, width)


def _merged(x_BNGWP: Tensor) -> Tensor:
    """Let each window be a row of the batch, (B * G, N, W, P)."""
    return x_BNGWP.transpose(1, 2).flatten(0, 1)


def _near(span: int, device: torch.device) -> Tensor:
    own, other = torch.arange(span, device=device), torch.arange(-span, 2 * span, device=device)
    return (own[:, None] - other).abs() <= span


def _never_none(seen: Tensor) -> Tensor:
    """Let a query that would see nothing see all: its result is dropped, but must be a number."""
    return seen | ~seen.any(dim=-1, keepdim=True)


@dataclass(frozen=True, kw_only=True)
class TrunkOptions:
    """A stack of blocks."""

    width: int  # of a token
    depth: int  # blocks
    heads: int = 0  # of attention; 0: tokens do not look at each other
    hidden: int = 0  # of the dense feed-forward layer; 0: three times the width
    moe: MoEOptions | None = None  # experts in the place of the feed-forward layer
    span: int | None = None  # places that a token looks to each side; None: everywhere
    full_every: int = 0  # with a span, every so many-th block looks everywhere; 0: none
    dropout: float = 0.0  # of what a layer adds

    def __post_init__(self) -> None:
        if self.width < 1 or self.depth < 0 or self.heads < 0:
            words = f"{self.width}, {self.depth} and {self.heads}"
            raise InputError(f"width must be at least 1, depth and heads at least 0, got {words}")
        if self.hidden < 0 or not 0 <= self.dropout < 1 or self.full_every < 0:
            words = f"{self.hidden}, {self.dropout} and {self.full_every}"
            raise InputError(f"hidden and full_every must be at least 0, dropout in 0..1, got {words}")
        if self.moe is not None and self.moe.width != self.width:
            raise InputError(f"the experts must have the trunk's width {self.width}, got {self.moe.width}")

    def span_at(self, block: int) -> int | None:
        """Return how far block number `block`, from 0, looks."""
        return None if self.full_every and (block + 1) % self.full_every == 0 else self.span


class TrunkBlock(nn.Module):
    """Pre-norm residual block: x + attention(norm(x)), then x + feed-forward or experts(norm(x)).

    `at` is its number in the trunk, from 0.
    """

    def __init__(self, options: TrunkOptions, at: int = 0) -> None:
        super().__init__()
        width = options.width
        self.attention: Attention | None = None
        if options.heads:
            self.norm_before = RMSNorm(width)
            self.attention = Attention(width, options.heads, span=options.span_at(at))
        self.norm = RMSNorm(width)
        self.experts = MoELayer(options.moe) if options.moe is not None else None
        self.dense = FeedForward(width, options.hidden or 3 * width) if options.moe is None else None
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor | None = None, position_BT: Tensor | None = None) -> Mixed:
        """Return the tokens with the experts' loss and load (no expert: 0 and an empty tensor)."""
        if self.attention is not None:
            x_BTD = x_BTD + self.dropout(self.attention(self.norm_before(x_BTD), mask_BT, position_BT))
        y_BTD = self.norm(x_BTD)
        loss, load_E = x_BTD.new_zeros(()), x_BTD.new_zeros(0)
        if self.experts is not None:
            y_BTD, loss, load_E = self.experts(y_BTD, mask_BT)
        elif self.dense is not None:
            y_BTD = self.dense(y_BTD)
        x_BTD = x_BTD + self.dropout(y_BTD)
        return Mixed(x_BTD if mask_BT is None else keep(x_BTD, mask_BT), loss, load_E)

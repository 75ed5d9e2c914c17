"""What a layer of experts is: its options, the presets, and what it costs.

Legend: D width, H hidden width of one expert, E experts, K experts per token, G groups.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import InputError

MOST_TOP_K = 4


@dataclass(frozen=True, kw_only=True)
class MoEOptions:
    """A router and its experts; each expert is a SwiGLU of its own."""

    width: int  # D
    hidden: int  # H: width of each expert's hidden layer
    experts: int = 8  # E
    top_k: int = 2  # K: experts per token, 1..4; with `least` the most it may take
    gate: Literal["softmax", "sigmoid"] = "softmax"
    groups: int = 1  # G: experts lie in so many groups of equal size
    groups_kept: int = 1  # best groups that a token may choose from
    least: int | None = None  # fewest experts of a token whose count depends on the input; None: always top_k
    mass: float = 0.9  # share of the weight at which such a token stops taking experts
    shared: int = 0  # experts that see every token
    noise: float = 0.0  # standard deviation of the noise on the gate's logits in training
    expert_dropout: float = 0.0  # share of the experts that are left out of a training step
    balance: Literal["utilisation", "bias", "none"] = "utilisation"
    balance_weight: float = 0.01  # of the utilisation regulariser
    z_weight: float = 0.0  # of the z-loss
    bias_step: float = 1e-3  # by which the loss-free bias follows the load after a training step

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            "width": (1, math.inf),
            "hidden": (1, math.inf),
            "experts": (1, math.inf),
            "top_k": (1, min(MOST_TOP_K, self.experts)),
            "groups": (1, self.experts),
            "groups_kept": (1, self.groups),
            "mass": (0, 1),
            "shared": (0, math.inf),
            "noise": (0, math.inf),
            "expert_dropout": (0, 0.999),
            "balance_weight": (0, math.inf),
            "z_weight": (0, math.inf),
            "bias_step": (0, math.inf),
        }
        if self.least is not None:
            limits["least"] = (1, self.top_k)
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                _refuse(f"{name} must lie in {low:g}..{high:g}, got {getattr(self, name)}")
        for name, allowed in {"gate": ("softmax", "sigmoid"), "balance": ("utilisation", "bias", "none")}.items():
            if getattr(self, name) not in allowed:
                _refuse(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.experts % self.groups:
            _refuse(f"groups must divide the {self.experts} experts, got {self.groups}")
        if self.groups_kept * self.group_size < self.top_k:
            _refuse(
                f"groups_kept must leave at least top_k={self.top_k} experts to choose from, "
                f"got {self.groups_kept} of {self.group_size} experts each"
            )

    @property
    def group_size(self) -> int:
        return self.experts // self.groups


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a layer costs. One multiplication with its addition counts as two operations."""

    parameters: int
    active_parameters: int  # that one token meets when it takes top_k experts
    operations_per_token: int  # forward, when it takes top_k experts
    least_operations_per_token: int  # forward, when it takes the fewest

    def __str__(self) -> str:
        least = self.least_operations_per_token
        floor = "" if least == self.operations_per_token else f"{least / 1e6:.2f} to "
        return (
            f"{self.parameters / 1e6:.2f} M parameters, {self.active_parameters / 1e6:.2f} M active, "
            f"{floor}{self.operations_per_token / 1e6:.2f} M operations per token"
        )


def count(options: MoEOptions) -> Cost:
    """Count the parameters of a layer, and what one token costs.

    >>> print(count(base(256)))
    3.15 M parameters, 0.20 M active, 0.41 M operations per token
    """
    expert = 3 * options.width * options.hidden
    always = options.experts * options.width + options.shared * expert
    active = always + options.top_k * expert
    least = always + (options.least or options.top_k) * expert
    return Cost(
        parameters=always + options.experts * expert,
        active_parameters=active,
        operations_per_token=2 * active,
        least_operations_per_token=2 * least,
    )


def tiny(width: int, hidden: int | None = None, **changes: Any) -> MoEOptions:
    """8 experts, two per token. `hidden` is half of the width where it is not given; `changes` are other fields."""
    return _preset(width, hidden, changes, experts=8, top_k=2)


def base(width: int, hidden: int | None = None, **changes: Any) -> MoEOptions:
    """32 experts, two per token."""
    return _preset(width, hidden, changes, experts=32, top_k=2)


def wide(width: int, hidden: int | None = None, **changes: Any) -> MoEOptions:
    """128 experts, four per token."""
    return _preset(width, hidden, changes, experts=128, top_k=4)


def grouped(width: int, hidden: int | None = None, **changes: Any) -> MoEOptions:
    """128 experts in 16 groups of 8; a token takes two to four experts from its two best groups."""
    return _preset(width, hidden, changes, experts=128, groups=16, groups_kept=2, top_k=4, least=2)


PRESETS: Mapping[str, Callable[..., MoEOptions]] = {"tiny": tiny, "base": base, "wide": wide, "grouped": grouped}


def _preset(width: int, hidden: int | None, changes: Mapping[str, Any], **fields: Any) -> MoEOptions:
    half = 8 * math.ceil(width / 16)  # a multiple of 8, as the grouped product wants it
    return MoEOptions(**({"width": width, "hidden": hidden or half} | fields | dict(changes)))


def _refuse(words: str) -> None:
    raise InputError(words, code="BAD_OPTION")

"""What every encoder returns, and how the tokens of several encoders are put side by side.

Legend: B batch, T tokens, D width.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Tokens(NamedTuple):
    """Tokens of one modality, or of several in a row. Absent tokens are finite and count for nothing."""

    x_BTD: Tensor
    mask_BT: Tensor  # bool, True = present
    position_BT: Tensor | None = None  # along the modality's own order (days, patches); None: it has no order


def join(parts: Sequence[Tokens]) -> Tokens:
    """Put the tokens of several modalities in a row; what has no order lies at position 0."""
    ordered = any(part.position_BT is not None for part in parts)
    return Tokens(
        torch.cat([part.x_BTD for part in parts], dim=1),
        torch.cat([part.mask_BT for part in parts], dim=1),
        torch.cat([_positions(part) for part in parts], dim=1) if ordered else None,
    )


def _positions(part: Tokens) -> Tensor:
    if part.position_BT is None:
        return torch.zeros_like(part.mask_BT, dtype=torch.float32)
    return part.position_BT

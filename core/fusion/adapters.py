"""From the tokens of an encoder to the tokens of the trunk.

Legend: B batch, T tokens, F features, D0 width of the encoder, D width of the trunk, R members.
"""

import math

import torch
from torch import Tensor, nn

from core.blocks import RMSNorm, keep
from core.encoders.tokens import Tokens
from core.errors import InputError

FOLD_ROWS = 2  # batches of this many times the members go through folded weights


class Summary(nn.Module):
    """All features of a row become R tokens, one for each member of an ensemble that shares its large matrix.

    Member r sees the flattened tokens times its own scale, through the shared projection, times a scale of its
    output: y_r = s_r * (W (x * r_r)) + b_r (BatchEnsemble, arXiv 2002.06715, as TabM has it, arXiv 2410.24210: the
    first scale starts as random signs, the second as ones).
    """

    def __init__(self, features: int, inputs: int, width: int, members: int) -> None:
        super().__init__()
        if min(features, inputs, width, members) < 1:
            words = f"{features}, {inputs}, {width} and {members}"
            raise InputError(f"features, inputs, width and members must be at least 1, got {words}")
        whole = features * inputs
        self.members = members
        self.scale_RP = nn.Parameter(torch.randint(0, 2, (members, whole)) * 2.0 - 1.0)
        self.weight_PD = nn.Parameter(torch.randn(whole, width) / math.sqrt(whole))
        self.gain_RD = nn.Parameter(torch.ones(members, width))
        self.bias_RD = nn.Parameter(torch.randn(members, width) * 0.1)

    def forward(self, tokens: Tokens) -> Tokens:
        """Return (B, R, D); the members of a row are absent where all its features are."""
        x_BP = keep(tokens.x_BTD, tokens.mask_BT).flatten(1)
        present_BR = tokens.mask_BT.any(dim=1, keepdim=True).expand(-1, self.members)
        y_BRD = self._folded(x_BP) if self._folds(x_BP) else self._scaled(x_BP)
        return Tokens(y_BRD + self.bias_RD, present_BR)

    def _folds(self, x_BP: Tensor) -> bool:
        """A large batch is cheaper with a matrix per member: nothing of size B * R * P is written. Never exported."""
        return not torch.compiler.is_exporting() and x_BP.shape[0] > FOLD_ROWS * self.members

    def _folded(self, x_BP: Tensor) -> Tensor:
        weight_PRD = self.weight_PD[:, None] * self.scale_RP.t()[..., None] * self.gain_RD
        return (x_BP @ weight_PRD.flatten(1)).reshape(-1, *self.gain_RD.shape)

    def _scaled(self, x_BP: Tensor) -> Tensor:
        return (x_BP[:, None] * self.scale_RP) @ self.weight_PD * self.gain_RD


class Projection(nn.Module):
    """Tokens of a sequence, kept as they are many, in the trunk's width, with a learned mark of their modality."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        if min(inputs, width) < 1:
            raise InputError(f"inputs and width must be at least 1, got {inputs} and {width}")
        self.norm = RMSNorm(inputs)
        self.linear = nn.Linear(inputs, width, bias=False)
        self.mark_D = nn.Parameter(torch.randn(width) * 0.1)

    def forward(self, tokens: Tokens) -> Tokens:
        x_BTD = self.linear(self.norm(tokens.x_BTD)) + self.mark_D
        return Tokens(keep(x_BTD, tokens.mask_BT), tokens.mask_BT, tokens.position_BT)

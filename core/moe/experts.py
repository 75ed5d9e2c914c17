"""The experts: stacked SwiGLU networks, and the way from tokens to experts and back without a loop over tokens.

Legend: N tokens of all rows, D width, H hidden width, E experts, K experts per token, P (token, expert) pairs in use.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.moe.router import Routing


class Dispatch(NamedTuple):
    """The pairs in use, sorted by expert; pairs of one expert keep the order of the tokens."""

    slot_P: Tensor  # place of the pair in a flattened (N, K)
    end_E: Tensor  # int32: where the pairs of each expert end


class Experts(nn.Module):
    """E networks (silu(x w_gate) * (x w_up)) w_out, without biases; w_in holds w_gate beside w_up.

    Weights lie input by output, in which layout a processor multiplies few rows fastest.
    """

    def __init__(self, width: int, hidden: int, experts: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.in_EDF = nn.Parameter(torch.empty(experts, width, 2 * hidden))
        self.out_EHD = nn.Parameter(torch.empty(experts, hidden, width))
        nn.init.uniform_(self.in_EDF, -1 / math.sqrt(width), 1 / math.sqrt(width))
        nn.init.uniform_(self.out_EHD, -1 / math.sqrt(hidden), 1 / math.sqrt(hidden))

    def forward(self, x_ND: Tensor, weight_NK: Tensor, dispatch: Dispatch) -> Tensor:
        """Return the weighted sum of each token's experts, (N, D), in the precision of the context."""
        dtype = compute_dtype(x_ND)
        token_P = dispatch.slot_P // weight_NK.shape[1]
        y_ND = x_ND.new_zeros(x_ND.shape, dtype=dtype)
        x_PD = x_ND.to(dtype).index_select(0, token_P)
        weight_P1 = weight_NK.flatten().index_select(0, dispatch.slot_P).unsqueeze(1)
        h_PF = grouped_product(x_PD, self.in_EDF.to(dtype), dispatch.end_E)
        h_PH = functional.silu(h_PF[:, : self.hidden]) * h_PF[:, self.hidden :]
        y_PD = grouped_product((h_PH * weight_P1).to(dtype), self.out_EHD.to(dtype), dispatch.end_E)
        return y_ND.index_add(0, token_P, y_PD)


def make_dispatch(expert_NK: Tensor, kept_NK: Tensor | None, experts: int) -> Dispatch:
    """Sort the pairs by expert. Pairs that are not kept are left out."""
    expert_P = expert_NK.flatten()
    if kept_NK is not None:
        expert_P = expert_P.masked_fill(~kept_NK.flatten(), experts)
    sorted_P, slot_P = expert_P.sort(stable=True)
    end_E = torch.searchsorted(sorted_P, torch.arange(experts, device=sorted_P.device), right=True)
    if kept_NK is not None:
        slot_P = slot_P[: int(end_E[-1])]
    return Dispatch(slot_P, end_E.to(torch.int32))


def grouped_product(x_PA: Tensor, w_EAB: Tensor, end_E: Tensor) -> Tensor:
    """Multiply the rows of each expert with its own matrix: (P, A) and (E, A, B) to (P, B)."""
    if _fits_grouped_mm(x_PA, w_EAB):
        return functional.grouped_mm(x_PA, w_EAB, offs=end_E)
    sizes = torch.diff(end_E, prepend=end_E.new_zeros(1)).tolist()
    # unbind, for w[e] would make autograd fill a gradient of all experts for each of them
    parts = zip(torch.split(x_PA, sizes), w_EAB.unbind(0), strict=True)
    return torch.cat([x @ w_AB for x, w_AB in parts])


def compute_dtype(x: Tensor) -> torch.dtype:
    """Return what matrix products are computed in here: grouped_mm does not know autocast by itself."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def reference_forward(experts: Experts, x_ND: Tensor, routing: Routing) -> Tensor:
    """Do what `Experts.forward` does, one pair after the other: slow, and plainly right."""
    rows = []
    for n, x_D in enumerate(x_ND):
        y_D = torch.zeros_like(x_D)
        for k, expert in enumerate(routing.expert_NK[n].tolist()):
            if routing.kept_NK is None or routing.kept_NK[n, k]:
                gate_H, up_H = (x_D @ experts.in_EDF[expert]).chunk(2)
                h_H = functional.silu(gate_H) * up_H
                y_D = y_D + (routing.weight_NK[n, k] * (h_H @ experts.out_EHD[expert])).to(x_D.dtype)
        rows.append(y_D)
    return torch.stack(rows)


def _fits_grouped_mm(x_PA: Tensor, w_EAB: Tensor) -> bool:
    """Tell whether grouped_mm takes this: some rows, strides of 16 bytes, no float16 backward, no compiled float32."""
    if not len(x_PA) or x_PA.dtype not in (torch.float32, torch.bfloat16) or x_PA.shape[1] % 8 or w_EAB.shape[2] % 8:
        return False
    return x_PA.dtype == torch.bfloat16 or not torch.compiler.is_compiling()

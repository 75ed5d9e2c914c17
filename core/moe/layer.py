"""The layer of experts: a router, its experts, shared experts, and the loss that keeps the load even.

Legend: B batch, T tokens, D width, H hidden width, E experts, K experts per token, N = B * T.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.errors import InputError
from core.moe.balance import follow_load, utilisation_loss, z_loss
from core.moe.experts import Experts, make_dispatch
from core.moe.export import mix_in_onnx
from core.moe.options import MoEOptions
from core.moe.router import Router, Routing


class Mixed(NamedTuple):
    """What a layer of experts gives."""

    y_BTD: Tensor
    loss: Tensor  # scalar, balance and z-loss, weighted; 0 in evaluation
    load_E: Tensor  # tokens that each expert took; float, no gradient


class MoELayer(nn.Module):
    """Send each token to its experts and add up what they say, weighted. No token is ever dropped.

    In training the bias of `balance="bias"` follows the load at the end of each forward pass that records gradients:
    once per step, also where activations are computed anew in the backward pass.
    """

    def __init__(self, options: MoEOptions) -> None:
        super().__init__()
        self.options = options
        self.router = Router(options)
        self.experts = Experts(options.width, options.hidden, options.experts)
        self.shared = SharedExperts(options) if options.shared else None

    def forward(self, x_BTD: Tensor, mask_BT: Tensor | None = None) -> Mixed:
        """Mix (B, T, D). Where the mask is False a token gives 0 and counts for nothing, whatever it holds."""
        if x_BTD.dim() != 3 or x_BTD.shape[-1] != self.options.width:
            raise InputError(f"x_BTD must be (batch, tokens, {self.options.width}), got {tuple(x_BTD.shape)}")
        x_ND = x_BTD.flatten(0, 1)
        present_N = None if mask_BT is None else mask_BT.flatten()
        if present_N is not None:
            x_ND = x_ND.masked_fill(~present_N.unsqueeze(1), 0)
        routing = self.router(x_ND)
        mix = mix_in_onnx if torch.onnx.is_in_onnx_export() else _mix
        y_ND, load_E = mix(self.experts, x_ND, _present(routing, present_N))
        loss = self._loss(routing, load_E, present_N)
        if self.shared is not None:
            y_ND = y_ND + self.shared(x_ND)
        return Mixed(y_ND.view(x_BTD.shape), loss, load_E)

    def _loss(self, routing: Routing, load_E: Tensor, present_N: Tensor | None) -> Tensor:
        loss = load_E.new_zeros(())
        if not self.training:
            return loss
        options = self.options
        if options.balance == "utilisation" and options.balance_weight:
            loss = loss + options.balance_weight * utilisation_loss(routing.score_NE, load_E, present_N)
        if options.z_weight:
            loss = loss + options.z_weight * z_loss(routing.logit_NE, present_N)
        if self.router.bias_E is not None and torch.is_grad_enabled():
            follow_load(self.router.bias_E, load_E, options.bias_step)
        return loss


class SharedExperts(nn.Module):
    """Experts that see every token, as one SwiGLU: the sum over them is one product over all hidden widths."""

    def __init__(self, options: MoEOptions) -> None:
        super().__init__()
        hidden = options.shared * options.hidden
        self.rise = nn.Linear(options.width, 2 * hidden, bias=False)
        self.fall = nn.Linear(hidden, options.width, bias=False)

    def forward(self, x_ND: Tensor) -> Tensor:
        gate_NH, up_NH = self.rise(x_ND).chunk(2, dim=-1)
        fallen: Tensor = self.fall(functional.silu(gate_NH) * up_NH)
        return fallen


def _mix(experts: Experts, x_ND: Tensor, routing: Routing) -> tuple[Tensor, Tensor]:
    """Return the experts' answer (N, D) and the load (E,)."""
    dispatch = make_dispatch(routing.expert_NK, routing.kept_NK, len(experts.out_EHD))
    load_E = torch.diff(dispatch.end_E, prepend=dispatch.end_E.new_zeros(1)).float()
    return experts(x_ND, routing.weight_NK, dispatch), load_E


def _present(routing: Routing, present_N: Tensor | None) -> Routing:
    """Take tokens that are not there out of the routing."""
    if present_N is None:
        return routing
    present_N1 = present_N.unsqueeze(1)
    kept_NK = present_N1.expand_as(routing.expert_NK) if routing.kept_NK is None else routing.kept_NK & present_N1
    return routing._replace(weight_NK=routing.weight_NK * present_N1, kept_NK=kept_NK)

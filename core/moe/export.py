"""The layer of experts in an ONNX file: ONNX Runtime's own operator `com.microsoft::MoE`.

Legend: N tokens of all rows, D width, H hidden width, F = 2 H, E experts, K experts per token.
"""

import torch
from torch import Tensor

from core.moe.experts import Experts
from core.moe.router import Routing

NEVER = -1e9  # logit of an expert that a token does not go to


def mix_in_onnx(experts: Experts, x_ND: Tensor, routing: Routing) -> tuple[Tensor, Tensor]:
    """Return nodes for the experts' answer (N, D) and the load (E,).

    The operator has a gate of its own: softmax over its router input, the K largest, divided by their sum. Fed with
    the logarithm of the weights it gives back these weights over their sum, whatever they were made by; what the sum
    lacks to 1 (one sigmoid, fewer experts than K, no token at all) is multiplied afterwards.
    """
    weight_NK = routing.weight_NK
    log_NK = torch.where(weight_NK > 0, weight_NK.log(), NEVER)
    router_NE = torch.full_like(routing.score_NE, NEVER).scatter(1, routing.expert_NK, log_NK)
    gate_EHD, up_EHD = experts.in_EDF.mT.chunk(2, dim=1)
    in_EFD = torch.stack([gate_EHD, up_EHD], dim=2).flatten(1, 2)  # rows by turns, as the operator wants them
    y_ND: Tensor = torch.onnx.ops.symbolic(
        "com.microsoft::MoE",
        (x_ND, router_NE, in_EFD, None, experts.out_EHD.mT),
        attrs={
            "k": weight_NK.shape[1],
            "activation_type": "swiglu",
            "swiglu_fusion": 1,
            "activation_alpha": 1.0,
            "activation_beta": 0.0,
            "normalize_routing_weights": 1,
        },
        dtype=x_ND.dtype,
        shape=x_ND.shape,
        version=1,
    )
    if weight_NK.shape[1] == 1 or routing.kept_NK is not None:
        y_ND = y_ND * weight_NK.sum(dim=-1, keepdim=True)
    return y_ND, (router_NE > NEVER).sum(dim=0).float()

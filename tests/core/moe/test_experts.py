"""Dispatch by sorting against the plain loop over tokens and experts, forward and backward."""

from typing import Any

import pytest
import torch
from torch import Tensor

from core.moe import experts as experts_module
from core.moe.experts import grouped_product, make_dispatch, reference_forward
from core.moe.layer import MoELayer
from core.moe.options import MoEOptions

CASES: dict[str, dict[str, Any]] = {
    "top 2 of 8": {},
    "top 1": {"top_k": 1},
    "top 4, sigmoid": {"top_k": 4, "gate": "sigmoid"},
    "more experts than tokens": {"experts": 40, "top_k": 3},
    "experts no multiple of 8": {"experts": 5},
    "odd widths": {"width": 13, "hidden": 7},
    "one expert": {"experts": 1, "top_k": 1},
    "groups": {"experts": 12, "groups": 3, "groups_kept": 2, "top_k": 3},
    "fewer experts for easy tokens": {"top_k": 4, "least": 1, "mass": 0.6},
    "noise and dropout": {"noise": 0.5, "expert_dropout": 0.3},
}


def run_both(options: MoEOptions, x_BTD: Tensor, mask_BT: Tensor | None) -> list[list[Tensor]]:
    """Return the output and the gradients of input, gate and experts, of the fast way and of the reference."""
    layer = MoELayer(options).to(x_BTD.dtype)
    results = []
    for way in ("fast", "reference"):
        torch.manual_seed(1)  # the same noise and dropout
        layer.zero_grad()
        x = x_BTD.clone().requires_grad_()
        if way == "fast":
            y_BTD = layer(x, mask_BT).y_BTD
        else:
            x_ND = x.flatten(0, 1)
            routing = layer.router(x_ND)
            if mask_BT is not None:
                kept_NK = mask_BT.flatten().unsqueeze(1).expand_as(routing.expert_NK)
                kept_NK = kept_NK if routing.kept_NK is None else kept_NK & routing.kept_NK
                routing = routing._replace(kept_NK=kept_NK)
            y_BTD = reference_forward(layer.experts, x_ND, routing).view(x.shape)
        (y_BTD.float() * torch.linspace(-1, 1, y_BTD.numel()).view(y_BTD.shape)).sum().backward()  # type: ignore[no-untyped-call]
        tensors = [x, layer.router.weight_ED, layer.experts.in_EDF, layer.experts.out_EHD]
        gradients = [torch.zeros_like(tensor) if tensor.grad is None else tensor.grad.clone() for tensor in tensors]
        results.append([y_BTD.detach(), *gradients])
    return results


def assert_equal(came: list[Tensor], wanted: list[Tensor], tolerance: float) -> None:
    for a, b in zip(came, wanted, strict=True):
        scale = max(1.0, float(b.abs().max()))
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_the_fast_way_gives_what_the_plain_loop_gives(case: str, masked: bool) -> None:
    torch.manual_seed(0)
    options = MoEOptions(**({"width": 16, "hidden": 8} | CASES[case]))
    x_BTD = torch.randn(3, 7, options.width)
    mask_BT = torch.rand(3, 7) > 0.4 if masked else None
    assert_equal(*run_both(options, x_BTD, mask_BT), tolerance=1e-5)


@pytest.mark.parametrize("case", ["top 2 of 8", "top 4, sigmoid", "odd widths", "more experts than tokens"])
def test_in_bfloat16_it_gives_the_same_within_two_roundings(case: str) -> None:
    torch.manual_seed(0)
    options = MoEOptions(**({"width": 16, "hidden": 8} | CASES[case]))
    x_BTD = torch.randn(3, 7, options.width).to(torch.bfloat16)
    assert_equal(*run_both(options, x_BTD, None), tolerance=2 * 2**-7)


@pytest.mark.parametrize(
    "x_BTD", [torch.ones(1, 1, 16), torch.zeros(2, 5, 16), torch.ones(4, 6, 16)], ids=["one token", "ties", "all alike"]
)
def test_edges_of_the_input(x_BTD: Tensor) -> None:
    torch.manual_seed(0)
    assert_equal(*run_both(MoEOptions(width=16, hidden=8, top_k=3), x_BTD, None), tolerance=1e-5)


def test_no_token_at_all_gives_zeros_and_gradients_of_zero() -> None:
    torch.manual_seed(0)
    layer = MoELayer(MoEOptions(width=16, hidden=8))
    y_BTD = layer(torch.randn(2, 3, 16), torch.zeros(2, 3, dtype=torch.bool)).y_BTD
    y_BTD.sum().backward()
    assert not y_BTD.any()
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in layer.parameters())
    assert layer(torch.zeros(0, 4, 16)).y_BTD.shape == (0, 4, 16)


def test_slices_give_what_the_grouped_product_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    x_PA, w_EAB = torch.randn(10, 16, requires_grad=True), torch.randn(4, 16, 8, requires_grad=True)
    end_E = torch.tensor([3, 3, 9, 10], dtype=torch.int32)
    results = []
    for fits in (True, False):
        monkeypatch.setattr(experts_module, "_fits_grouped_mm", lambda x, w, fits=fits: fits)
        y_PB = grouped_product(x_PA, w_EAB, end_E)
        results.append([y_PB.detach(), *torch.autograd.grad(y_PB.square().sum(), [x_PA, w_EAB])])
    assert_equal(*results, tolerance=1e-5)


def test_float16_and_compiled_float32_take_the_slices() -> None:
    torch.manual_seed(0)
    layer, x_BTD = MoELayer(MoEOptions(width=16, hidden=8)), torch.randn(2, 5, 16)
    compiled = torch.compile(layer, backend="eager")
    y_BTD = compiled(x_BTD).y_BTD
    y_BTD.sum().backward()
    assert_equal([y_BTD.detach()], [layer(x_BTD).y_BTD.detach()], tolerance=1e-5)
    half = MoELayer(MoEOptions(width=16, hidden=8)).half()
    half(x_BTD.half()).y_BTD.sum().backward()
    assert half.experts.in_EDF.grad is not None


def test_pairs_of_one_expert_keep_the_order_of_the_tokens() -> None:
    expert_NK = torch.tensor([[2, 0], [0, 2], [2, 3]])
    dispatch = make_dispatch(expert_NK, None, 4)
    assert dispatch.slot_P.tolist() == [1, 2, 0, 3, 4, 5]
    assert dispatch.end_E.tolist() == [2, 2, 5, 6]
    kept = make_dispatch(expert_NK, torch.tensor([[True, False], [False, True], [True, True]]), 4)
    assert kept.slot_P.tolist() == [0, 3, 4, 5]
    assert kept.end_E.tolist() == [0, 0, 3, 4]

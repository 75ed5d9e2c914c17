"""The router against a choice made token by token in plain Python."""

import math

import pytest
import torch
from torch import Tensor

from core.moe.options import MoEOptions, grouped, tiny
from core.moe.router import Router, dropped_experts, first_largest


def plain_choice(score_E: list[float], options: MoEOptions) -> list[int]:
    """Best groups by the sum of their two best scores, then the best experts of these; the lower number wins ties."""
    size = options.group_size
    groups = [score_E[start : start + size] for start in range(0, options.experts, size)]
    worth = [sum(sorted(group)[-2:]) for group in groups]
    kept = sorted(range(options.groups), key=lambda group: (-worth[group], group))[: options.groups_kept]
    allowed = [expert for expert in range(options.experts) if expert // size in kept]
    return sorted(allowed, key=lambda expert: (-score_E[expert], expert))[: options.top_k]


@pytest.mark.parametrize("gate", ["softmax", "sigmoid"])
@pytest.mark.parametrize(
    "shape",
    [
        {"experts": 5, "top_k": 1},
        {"experts": 7, "top_k": 4},
        {"experts": 12, "groups": 4, "groups_kept": 2, "top_k": 3},
        {"experts": 6, "groups": 6, "groups_kept": 4, "top_k": 4},
    ],
)
def test_tokens_go_where_a_plain_choice_sends_them(gate: str, shape: dict[str, int]) -> None:
    torch.manual_seed(0)
    options = MoEOptions(width=9, hidden=8, gate=gate, **shape)  # type: ignore[arg-type]
    routing = Router(options).eval()(torch.randn(40, 9))
    for score_E, expert_K, weight_K in zip(routing.score_NE, routing.expert_NK, routing.weight_NK, strict=True):
        chosen = plain_choice(score_E.tolist(), options)
        assert expert_K.tolist() == chosen
        total = score_E[chosen].sum() if options.top_k > 1 else 1.0
        torch.testing.assert_close(weight_K, score_E[chosen] / total)


def test_of_equal_scores_the_first_expert_is_taken() -> None:
    routing = Router(tiny(8, top_k=3)).eval()(torch.zeros(4, 8))
    assert routing.expert_NK.tolist() == [[0, 1, 2]] * 4
    score_NE = torch.tensor([[1.0, 3.0, 3.0, 0.0, 3.0]])
    assert first_largest(score_NE, 4).tolist() == [[1, 2, 4, 0]]


@pytest.mark.parametrize("mass", [0.0, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("least", [1, 2])
def test_a_token_takes_experts_until_their_weight_reaches_the_mass(mass: float, least: int) -> None:
    torch.manual_seed(0)
    router = Router(tiny(8, top_k=4, least=least, mass=mass)).eval()
    x_ND = 4 * torch.randn(50, 8)
    routing = router(x_ND)
    assert routing.kept_NK is not None
    for score_E, expert_K, weight_K, kept_K in zip(
        routing.score_NE, routing.expert_NK, routing.weight_NK, routing.kept_NK, strict=True
    ):
        share = (score_E[expert_K] / score_E[expert_K].sum()).tolist()
        wanted = [k < least or sum(share[:k]) < mass for k in range(4)]
        assert kept_K.tolist() == wanted
        assert weight_K.tolist() == pytest.approx([a if used else 0.0 for a, used in zip(share, wanted, strict=True)])
    if least == 1 and mass in (0.5, 0.8):
        assert len({int(count) for count in routing.kept_NK.sum(dim=1)}) > 1  # easy and hard tokens differ


def test_the_bias_moves_the_choice_and_not_the_weight() -> None:
    torch.manual_seed(0)
    router = Router(tiny(8, balance="bias", gate="sigmoid")).eval()
    assert router.bias_E is not None
    router.bias_E[5] = 10.0
    routing = router(torch.randn(20, 8))
    assert (routing.expert_NK[:, 0] == 5).all()
    score_NK = routing.score_NE.gather(1, routing.expert_NK)
    torch.testing.assert_close(routing.weight_NK, score_NK / score_NK.sum(dim=1, keepdim=True))


@pytest.mark.parametrize("options", [tiny(8, expert_dropout=0.9), grouped(8, expert_dropout=0.9)])
def test_expert_dropout_always_leaves_enough_experts(options: MoEOptions) -> None:
    torch.manual_seed(0)
    router = Router(options)
    for _ in range(20):
        routing = router(torch.randn(30, 8))
        dropped_E = routing.logit_NE[0] == -math.inf
        assert dropped_E.any()
        assert not dropped_E[routing.expert_NK].any()
        assert all(len(set(experts)) == options.top_k for experts in routing.expert_NK.tolist())
    assert not router.eval()(torch.randn(3, 8)).logit_NE.isinf().any()


def test_expert_dropout_leaves_out_the_share_that_was_asked_for() -> None:
    torch.manual_seed(0)
    device = torch.device("cpu")
    share = torch.stack([dropped_experts(grouped(8, expert_dropout=0.2), device) for _ in range(200)]).float().mean()
    assert float(share) == pytest.approx(0.2, abs=0.01)


def test_noise_is_for_training_only() -> None:
    torch.manual_seed(0)
    router, x_ND = Router(tiny(8, noise=1.0)), torch.randn(30, 8)
    assert not torch.equal(router(x_ND).logit_NE, router(x_ND).logit_NE)
    router.eval()
    assert torch.equal(router(x_ND).logit_NE, router(x_ND).logit_NE)


@pytest.mark.parametrize("top_k", [1, 2])
def test_the_gate_learns_from_the_weights(top_k: int) -> None:
    torch.manual_seed(0)
    router = Router(tiny(8, top_k=top_k))
    weight_NK: Tensor = router(torch.randn(30, 8)).weight_NK
    weight_NK[:, 0].sum().backward()  # type: ignore[no-untyped-call]
    assert router.weight_ED.grad is not None
    assert router.weight_ED.grad.abs().sum() > 0.01


def test_the_gate_computes_in_float32_under_autocast() -> None:
    torch.manual_seed(0)
    router, x_ND = Router(tiny(8)).eval(), torch.randn(30, 8)
    plain = router(x_ND)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = router(x_ND)
    assert torch.equal(plain.logit_NE, mixed.logit_NE)
    assert mixed.weight_NK.dtype == torch.float32

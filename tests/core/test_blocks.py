"""Norm, feed-forward, attention and block against plain references."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from core.blocks import Attention, FeedForward, RMSNorm, TrunkBlock, TrunkOptions, rotary_angles, rotate
from core.errors import InputError
from core.moe.options import tiny
from core.runtime.export import export_onnx, parity
from core.runtime.sessions import OnnxRunner


def inputs(batch: int = 3, tokens: int = 7, width: int = 16) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, a mask with one row of nothing and one of everything, and positions that are no whole numbers."""
    torch.manual_seed(1)
    mask_BT = torch.rand(batch, tokens) > 0.4
    mask_BT[0], mask_BT[-1] = False, True
    return torch.randn(batch, tokens, width), mask_BT, torch.randn(batch, tokens) * 20


def plain_attention(layer: Attention, x_BTD: Tensor, mask_BT: Tensor, position_BT: Tensor) -> Tensor:
    """Query by query, key by key; rotary positions as complex numbers."""
    batch, tokens, width = x_BTD.shape
    part = width // layer.heads
    y_BTD = torch.zeros_like(x_BTD)
    speed = torch.tensor([10_000 ** (-2 * pair / part) for pair in range(part // 2)])
    for b in range(batch):
        q, k, v = (layer.into.weight.view(3, width, width) @ x_BTD[b].T).transpose(1, 2)
        for head in range(layer.heads):
            own = slice(head * part, (head + 1) * part)
            turn = torch.polar(torch.ones(tokens, part // 2), position_BT[b][:, None] * speed)
            qc, kc = (torch.complex(*p[:, own].split(part // 2, dim=1)) * turn for p in (q, k))
            for i in range(tokens):
                seen = [j for j in range(tokens) if mask_BT[b, j] and abs(i - j) <= (layer.span or tokens)]
                if mask_BT[b, i] and seen:
                    score = torch.stack([(qc[i] * kc[j].conj()).real.sum() for j in seen]) / math.sqrt(part)
                    y_BTD[b, i, own] = score.softmax(dim=0) @ v[seen][:, own]
    return (y_BTD @ layer.out.weight.T) * mask_BT[..., None]


@pytest.mark.parametrize("span", [None, 1, 3, 4, 100])
def test_attention_is_what_the_loop_gives(span: int | None) -> None:
    x_BTD, mask_BT, position_BT = inputs()
    layer = Attention(16, 2, span=span)
    came = layer(x_BTD, mask_BT, position_BT)
    assert came.isfinite().all()
    assert torch.allclose(came, plain_attention(layer, x_BTD, mask_BT, position_BT), atol=1e-5)
    everyone = torch.ones_like(mask_BT)
    assert torch.allclose(layer(x_BTD), layer(x_BTD, everyone, torch.zeros_like(position_BT)), atol=1e-6)


@pytest.mark.parametrize("span", [None, 2])
def test_what_is_absent_changes_nothing_and_gives_no_bad_gradient(span: int | None) -> None:
    x_BTD, mask_BT, position_BT = inputs()
    layer = Attention(16, 4, span=span)
    other = torch.where(mask_BT[..., None], x_BTD, torch.randn_like(x_BTD) * 100).requires_grad_()
    assert torch.allclose(layer(other, mask_BT, position_BT), layer(x_BTD, mask_BT, position_BT), atol=1e-5)
    layer(other, mask_BT, position_BT).square().sum().backward()
    assert other.grad is not None
    assert other.grad.isfinite().all()
    assert not other.grad[~mask_BT].any()


def test_only_differences_of_positions_count() -> None:
    x_BTD, mask_BT, position_BT = inputs()
    layer = Attention(16, 2)
    moved = layer(x_BTD, mask_BT, position_BT + 30)
    assert torch.allclose(layer(x_BTD, mask_BT, position_BT), moved, atol=1e-4)
    assert not torch.allclose(layer(x_BTD, mask_BT, position_BT * 2), moved, atol=1e-2)


def test_rotation_keeps_lengths() -> None:
    x = torch.randn(2, 5, 3, 8)
    turned = rotate(x, rotary_angles(torch.randn(2, 5) * 1_000, 8)[:, :, None])
    assert torch.allclose(turned.norm(dim=-1), x.norm(dim=-1), atol=1e-4)


def test_norm_and_feed_forward_are_their_formulas() -> None:
    x = torch.randn(2, 3, 8) * 5
    norm, layer = RMSNorm(8), FeedForward(8, 12)
    nn.init.normal_(norm.weight)
    wanted = x / (x.pow(2).mean(dim=-1, keepdim=True) + 1e-6).sqrt() * norm.weight
    assert torch.allclose(norm(x), wanted, atol=1e-5)
    assert norm(torch.zeros(1, 1, 8)).isfinite().all()
    gate, value = layer.rise.weight.split(12)
    g = x @ gate.T
    assert torch.allclose(layer(x), (g * g.sigmoid() * (x @ value.T)) @ layer.fall.weight.T, atol=1e-5)


@pytest.mark.parametrize("moe", [None, tiny(16, 8)])
@pytest.mark.parametrize("heads", [0, 2])
def test_a_block_leaves_absent_tokens_at_nothing(heads: int, moe: object) -> None:
    x_BTD, mask_BT, position_BT = inputs()
    block = TrunkBlock(TrunkOptions(width=16, depth=1, heads=heads, moe=moe))
    x_BTD = x_BTD * mask_BT[..., None]
    mixed = block(x_BTD, mask_BT, position_BT)
    assert not mixed.y_BTD[~mask_BT].any()
    assert not torch.allclose(mixed.y_BTD[mask_BT], x_BTD[mask_BT])
    assert (mixed.loss > 0) == (moe is not None)
    assert float(mixed.load_E.sum()) == (2 * int(mask_BT.sum()) if moe else 0)


def test_without_heads_tokens_do_not_look_at_each_other() -> None:
    x_BTD, _, _ = inputs()
    changed = x_BTD.clone()
    changed[:, 0] += 1
    for heads in (0, 2):
        block = TrunkBlock(TrunkOptions(width=16, depth=1, heads=heads)).eval()
        same = torch.allclose(block(x_BTD).y_BTD[:, 1:], block(changed).y_BTD[:, 1:], atol=1e-6)
        assert same == (heads == 0)


class Served(nn.Module):
    """A whole and a windowed attention, as they would be exported."""

    def __init__(self) -> None:
        super().__init__()
        self.whole, self.near = Attention(16, 2), Attention(16, 2, span=3)

    def forward(self, x: Tensor, mask: Tensor, position: Tensor) -> dict[str, Tensor]:
        return {"whole": self.whole(x, mask, position), "near": self.near(x, mask, position)}


def test_attention_exports_with_any_batch_and_length(tmp_path: Path) -> None:
    served, path = Served(), tmp_path / "attention.onnx"
    example = dict(zip(("x", "mask", "position"), inputs(), strict=True))
    assert export_onnx(served, example, path, dynamic=dict.fromkeys(example, (0, 1))).worst < 1e-4
    runner = OnnxRunner(path, device="cpu", threads=1)
    for batch, tokens in ((1, 1), (2, 3), (5, 16)):
        other = dict(zip(("x", "mask", "position"), inputs(batch, tokens), strict=True))
        assert max(parity(served, other, runner).values()) < 1e-4


def test_windows_may_take_turns_with_the_whole() -> None:
    options = TrunkOptions(width=16, depth=4, heads=2, span=5, full_every=2)
    assert [options.span_at(block) for block in range(4)] == [5, None, 5, None]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"moe": tiny(8, 8)}, "trunk's width 16, got 8"),
        ({"dropout": 1.0}, "dropout in 0..1"),
        ({"depth": -1}, "depth and heads at least 0"),
    ],
)
def test_trunks_that_cannot_be_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        TrunkOptions(**{"width": 16, "depth": 1, **changes})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="heads must split"):
        Attention(16, 3)

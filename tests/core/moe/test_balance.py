"""Balance: formulas against plain loops, sums over a run, and collapsed routers that are mended."""

import math
from typing import Any

import pytest
import torch

from core.errors import InputError
from core.moe.balance import Balance, follow_load, run_balance, utilisation_loss, z_loss
from core.moe.layer import MoELayer
from core.moe.options import tiny


def test_the_utilisation_loss_is_the_sum_of_load_times_importance() -> None:
    torch.manual_seed(0)
    score_NE, load_E = torch.rand(6, 4), torch.tensor([3.0, 0.0, 1.0, 4.0])
    present_N = torch.tensor([True, True, False, True, True, False])
    rows = [row for row, present in zip(score_NE.tolist(), present_N.tolist(), strict=True) if present]
    importance = [sum(row[e] / sum(row) for row in rows) / 4 for e in range(4)]
    wanted = 4 * sum(load / 8 * share for load, share in zip(load_E.tolist(), importance, strict=True))
    assert float(utilisation_loss(score_NE, load_E, present_N)) == pytest.approx(wanted)


def test_the_utilisation_loss_is_one_where_the_load_is_even_and_largest_where_one_expert_takes_all() -> None:
    even, one = torch.full((5, 8), 0.125), torch.eye(8)[:1].expand(5, 8)
    assert float(utilisation_loss(even, torch.full((8,), 3.0))) == pytest.approx(1)
    assert float(utilisation_loss(one, torch.eye(8)[0] * 9)) == pytest.approx(8)


def test_the_z_loss_is_the_mean_squared_logsumexp() -> None:
    logits = [[0.0, 1.0], [2.0, -1.0], [9.0, 9.0]]
    wanted = sum(math.log(sum(math.exp(value) for value in row)) ** 2 for row in logits[:2]) / 2
    came = z_loss(torch.tensor(logits), torch.tensor([True, True, False]))
    assert float(came) == pytest.approx(wanted)


def test_the_bias_rises_where_the_load_is_below_the_mean() -> None:
    bias_E = torch.tensor([0.1, 0.0, 0.0, 0.0])
    follow_load(bias_E, torch.tensor([9.0, 1.0, 1.0, 1.0]), step=0.1)
    assert bias_E.tolist() == pytest.approx([-0.05, 0.05, 0.05, 0.05])


def test_what_is_reported_of_a_batch() -> None:
    balance = Balance(load_E=(6.0, 0.0, 1.0, 1.0), tokens=5, top_k=2)
    shares = (0.75, 0.125, 0.125)
    assert balance.entropy == pytest.approx(-sum(p * math.log(p) for p in shares) / math.log(4))
    assert (balance.most_used, balance.least_used, balance.dead_share) == (0, 1, 0.25)
    assert balance.max_violation == pytest.approx(2.0)
    assert balance.experts_per_token == pytest.approx(1.6)
    assert balance.saved == pytest.approx(0.2)
    assert "20% saved" in str(balance)


def test_a_run_is_the_sum_of_its_batches() -> None:
    first, second = Balance(load_E=(4.0, 0.0), tokens=2, top_k=2), Balance(load_E=(1.0, 3.0), tokens=3, top_k=2)
    assert run_balance([first, second]) == Balance(load_E=(5.0, 3.0), tokens=5, top_k=2)
    with pytest.raises(InputError, match="only balances of one layer"):
        run_balance([first, Balance(load_E=(1.0,), tokens=1, top_k=1)])
    with pytest.raises(InputError, match="at least one batch"):
        run_balance([])
    empty = Balance(load_E=(0.0, 0.0), tokens=0, top_k=2)
    assert (empty.entropy, empty.saved, empty.max_violation) == (0.0, 0.0, -1.0)


def train_collapsed(push: float = 4.0, lr: float = 0.01, steps: int = 150, **changes: Any) -> Balance:
    """Train on eight kinds of tokens, from a gate that sends all of them to experts 0 and 1."""
    torch.manual_seed(0)
    layer = MoELayer(tiny(16, 16, **changes))
    with torch.no_grad():
        layer.router.weight_ED[:2, -1] += push  # the last feature is always 1
    centre, task = torch.randn(8, 15), torch.randn(8, 16, 16) / 4
    optimizer = torch.optim.Adam(layer.parameters(), lr=lr)
    for _ in range(steps):
        kind = torch.randint(0, 8, (4, 64))
        x = torch.cat([centre[kind] + 0.3 * torch.randn(4, 64, 15), torch.ones(4, 64, 1)], dim=-1)
        mixed = layer(x)
        loss = (mixed.y_BTD - torch.einsum("btd,btde->bte", x, task[kind])).square().mean() + mixed.loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    load_E = layer.eval()(x).load_E
    return Balance(load_E=tuple(load_E.tolist()), tokens=256, top_k=2)


@pytest.mark.parametrize("gate", ["softmax", "sigmoid"])
def test_without_balance_a_collapsed_router_stays_collapsed(gate: str) -> None:
    balance = train_collapsed(balance="none", gate=gate)
    assert (balance.max_violation, balance.dead_share) == (3.0, 0.75)


@pytest.mark.parametrize("gate", ["softmax", "sigmoid"])
@pytest.mark.parametrize("change", [{"balance": "utilisation"}, {"balance": "bias", "bias_step": 0.01}], ids=str)
def test_each_kind_of_balance_mends_a_collapsed_router(change: dict[str, Any], gate: str) -> None:
    balance = train_collapsed(**change, gate=gate)
    assert balance.entropy > 0.8
    assert balance.max_violation < 2.0
    assert balance.dead_share == 0


def test_the_z_loss_mends_a_gate_so_sure_that_the_regulariser_has_no_gradient_left() -> None:
    alone = train_collapsed(push=30.0, lr=0.03, steps=300)
    assert alone.dead_share == 0.75
    both = train_collapsed(push=30.0, lr=0.03, steps=300, z_weight=0.1)
    assert both.entropy > alone.entropy + 0.2
    assert both.dead_share < alone.dead_share

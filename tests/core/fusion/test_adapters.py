"""Adapters: a summary is a matrix a member, written out; a projection keeps tokens apart by their mark."""

import pytest
import torch
from torch import Tensor

from core.encoders.tokens import Tokens, join
from core.errors import InputError
from core.fusion.adapters import Projection, Summary


def tokens(batch: int = 5, count: int = 4, width: int = 3) -> Tokens:
    torch.manual_seed(0)
    mask_BT = torch.rand(batch, count) > 0.3
    mask_BT[0] = False
    return Tokens(torch.randn(batch, count, width), mask_BT)


def plain_summary(layer: Summary, given: Tokens) -> Tensor:
    rows = []
    for x_TD, mask_T in zip(*given[:2], strict=True):
        x_P = torch.cat([x_D if there else x_D * 0 for x_D, there in zip(x_TD, mask_T, strict=True)])
        members = range(layer.members)
        rows.append(
            torch.stack(
                [(x_P * layer.scale_RP[r]) @ layer.weight_PD * layer.gain_RD[r] + layer.bias_RD[r] for r in members]
            )
        )
    return torch.stack(rows)


def make(members: int = 2) -> Summary:
    torch.manual_seed(1)
    layer = Summary(4, 3, 6, members)
    torch.nn.init.normal_(layer.gain_RD)
    torch.nn.init.normal_(layer.scale_RP)
    return layer


def test_a_summary_is_what_the_loop_over_rows_and_members_gives() -> None:
    layer, given = make(), tokens()
    came = layer(given)
    assert torch.allclose(came.x_BTD, plain_summary(layer, given), atol=1e-5)
    assert came.mask_BT.tolist() == [[False, False]] + [[True, True]] * 4


def test_folded_weights_give_the_same_answers_and_gradients() -> None:
    layer, given = make(), tokens()
    x_BP = given.x_BTD.flatten(1)
    gradients = []
    for way in (layer._folded, layer._scaled):
        layer.zero_grad()
        way(x_BP).square().sum().backward()
        gradients.append([p.grad.clone() for p in layer.parameters() if p.grad is not None])
    assert torch.allclose(layer._folded(x_BP), layer._scaled(x_BP), atol=1e-5)
    assert len(gradients[0]) == 3
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(*gradients, strict=True))
    assert layer._folds(x_BP)
    assert not layer._folds(x_BP[:4])


def test_members_start_with_random_signs_and_differ() -> None:
    torch.manual_seed(0)
    layer = Summary(4, 3, 6, 8)
    assert set(layer.scale_RP.flatten().tolist()) == {-1.0, 1.0}
    y_RD = layer(tokens()).x_BTD[1]
    assert float((torch.cdist(y_RD, y_RD).detach() + torch.eye(8) * 9).min()) > 0.1


def test_a_projection_keeps_places_and_marks_its_modality() -> None:
    given = tokens()._replace(position_BT=torch.arange(4.0).expand(5, -1))
    one, other = Projection(3, 8), Projection(3, 8)
    other.linear.load_state_dict(one.linear.state_dict())
    came = one(given)
    assert came.x_BTD.shape == (5, 4, 8)
    assert not came.x_BTD[~given.mask_BT].any()
    assert came.position_BT is given.position_BT
    assert not torch.allclose(came.x_BTD[given.mask_BT], other(given).x_BTD[given.mask_BT], atol=1e-2)


def test_joined_tokens_stand_in_a_row_and_what_has_no_order_at_zero() -> None:
    one = tokens()
    other = tokens(count=2)._replace(position_BT=torch.full((5, 2), -3.0))
    both = join([one, other])
    assert torch.equal(both.x_BTD, torch.cat([one.x_BTD, other.x_BTD], dim=1))
    assert both.position_BT is not None
    assert both.position_BT[0].tolist() == [0, 0, 0, 0, -3, -3]
    assert join([one, one]).position_BT is None


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(InputError, match="must be at least 1, got 4, 3, 6 and 0"):
        make(members=0)
    with pytest.raises(InputError, match="must be at least 1, got 0 and 8"):
        Projection(0, 8)

"""Sensitivities are those of the definition, of every expert too, and memory of them fades."""

import pytest
import torch
from torch import Tensor, nn

from core.errors import InputError
from core.train.continual import (
    fisher_information,
    remembered,
)
from core.train.loop import Losses
from tests.core.train.expert_net import ROWS, by_hand, expert_batches, expert_net, information, micro, rows_of
from tests.core.train.small_run import loss, same

pytestmark = pytest.mark.usefixtures("one_thread")


def test_micro_batches_of_one_give_the_mean_squared_gradient_of_every_row() -> None:
    with torch.no_grad():
        slow = by_hand()
    fast = information(1)
    assert fast.keys() == slow.keys()
    for name, values in slow.items():
        assert torch.allclose(fast[name].double(), values, rtol=5e-3, atol=1e-9), name


def test_larger_micro_batches_add_the_squared_mean_gradient_only() -> None:
    net = expert_net()
    x, y = next(expert_batches(0))
    found = information(ROWS)
    mean = torch.autograd.grad(loss(net.eval(), (x, y)).total, list(net.parameters()))
    for gradient, values in zip(mean, found.values(), strict=True):
        assert torch.allclose(values, ROWS * gradient.square(), rtol=1e-4, atol=1e-12)


def test_the_order_and_the_cut_of_single_rows_do_not_matter() -> None:
    turned = fisher_information(expert_net(), reversed(micro(1)), loss, rows_of)
    for name, values in information(1).items():
        assert torch.allclose(values, turned[name], rtol=1e-4, atol=1e-10)


def test_an_expert_that_no_row_visits_has_no_sensitivity() -> None:
    net = expert_net()
    with torch.no_grad():
        net.layer.router.bias_E[2] = -100.0  # type: ignore[index]
    found = fisher_information(net, micro(4), loss, rows_of)
    assert found["layer.experts.in_EDF"][2].eq(0).all()
    assert found["layer.experts.in_EDF"][[0, 1, 3]].gt(0).any()


def test_a_look_at_the_sensitivity_leaves_model_gradients_and_mode_alone() -> None:
    net = expert_net().train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    fisher_information(net, micro(4), loss, rows_of)
    assert same(before, net.state_dict())
    assert net.training
    assert all(parameter.grad is None for parameter in net.parameters())


def test_without_rows_there_is_no_sensitivity() -> None:
    with pytest.raises(InputError, match="at least one row"):
        fisher_information(expert_net(), [], loss, rows_of)


def test_odd_gradients_are_refused_by_name() -> None:
    def steep(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Losses:
        return Losses((model(batch[0]).abs().sum() * 0).sqrt())

    with pytest.raises(InputError, match=r"gradient of layer\.router\.weight_ED is not finite"):
        fisher_information(expert_net(), micro(4), steep, rows_of)


def test_the_memory_fades_by_its_decay() -> None:
    first, second = {"a": torch.tensor([4.0, 0.0])}, {"a": torch.tensor([1.0, 2.0])}
    assert remembered(None, first, 0.5)["a"].tolist() == [4.0, 0.0]
    assert remembered(first, second, 0.5)["a"].tolist() == [3.0, 2.0]


def test_the_memory_of_another_model_is_refused() -> None:
    with pytest.raises(InputError, match="differ in b"):
        remembered({"a": torch.ones(1), "b": torch.ones(1)}, {"a": torch.ones(1)}, 0.5)
    with pytest.raises(InputError, match=r"a has the shape \[2\]"):
        remembered({"a": torch.ones(2)}, {"a": torch.ones(1)}, 0.5)

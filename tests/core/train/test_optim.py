"""Optimizer, learning rate and moving average."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from core.train.optim import WeightAverage, lr_factor, make_optimizer, set_lr, weights_of


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def test_matrices_decay_and_vectors_do_not() -> None:
    optimizer = make_optimizer(net(), lr=0.1, weight_decay=0.5)
    decay = {
        parameter.ndim > 1: group["weight_decay"] for group in optimizer.param_groups for parameter in group["params"]
    }
    assert decay == {True: 0.5, False: 0.0}


def test_every_parameter_that_trains_is_in_one_group() -> None:
    model = net()
    model[0].weight.requires_grad = False
    optimizer = make_optimizer(model, lr=0.1, weight_decay=0.5, lr_scale=lambda name: 0.1 if name[0] == "0" else 1.0)
    listed = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    assert sorted(listed) == sorted(id(parameter) for parameter in model.parameters() if parameter.requires_grad)
    rates = {round(group["lr"], 6) for group in optimizer.param_groups}
    assert rates == {0.1, 0.01}
    set_lr(optimizer, 0.5)
    assert {round(group["lr"], 6) for group in optimizer.param_groups} == {0.05, 0.005}


def test_a_model_without_anything_to_train_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one parameter that trains"):
        make_optimizer(net(), lr=0.1, weight_decay=0, lr_scale=lambda name: 0.0)


@given(st.integers(1, 500), st.floats(0, 1), st.floats(0, 1))
def test_the_rate_rises_to_one_and_falls_to_its_end(steps: int, warmup: float, final: float) -> None:
    factors = [lr_factor(step, steps=steps, warmup=warmup, final=final) for step in range(steps)]
    rising = round(steps * warmup)
    assert all(0 < factor <= 1 + 1e-12 or final == 0 for factor in factors)
    assert factors[:rising] == sorted(factors[:rising])
    assert factors[rising:] == sorted(factors[rising:], reverse=True)
    assert min(factors[rising:], default=final) >= final - 1e-12


def test_the_average_of_weights_that_stand_still_is_the_weights() -> None:
    model = net()
    average = WeightAverage(model, 0.9)
    for step in range(5):
        average.update(model, step)
    assert all(torch.allclose(average.tensors[name], tensor) for name, tensor in model.state_dict().items())


def test_the_average_follows_the_weights_and_copies_counters() -> None:
    model = net()
    average = WeightAverage(model, 0.5)
    start = model[0].weight.detach().clone()
    with torch.no_grad():
        model[0].weight += 1
        model[1].num_batches_tracked += 3
    average.update(model, 1_000)
    assert torch.allclose(average.tensors["0.weight"], start + 0.5)
    assert average.tensors["1.num_batches_tracked"] == 3


def test_weights_are_lent_and_given_back_even_after_an_error() -> None:
    model, other = net(), {name: tensor + 1 for name, tensor in net().state_dict().items()}
    before = model[0].weight.detach().clone()
    seen = torch.zeros(0)

    def fail() -> None:
        nonlocal seen
        with weights_of(model, other):
            seen = model[0].weight.detach().clone()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.equal(seen, before + 1)
    assert torch.equal(model[0].weight, before)
    with weights_of(model, None):
        assert torch.equal(model[0].weight, before)

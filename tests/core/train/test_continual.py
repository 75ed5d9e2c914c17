"""Learning on: what is frozen keeps its bits, and forgetting is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from core.errors import GateError, InputError
from core.train.continual import (
    Anchor,
    ElasticFreeze,
    ElasticOptions,
    check_forgetting,
    choose_frozen,
    fisher_information,
    learn_on,
)
from core.train.loop import TrainOptions, train
from tests.core.train.expert_net import (
    expert_batches,
    expert_net,
    information,
    micro,
    rows_of,
)
from tests.core.train.small_run import Killed, SmallNet, batches, loss, make_net, options, same, stop_at

pytestmark = pytest.mark.usefixtures("one_thread")


@given(
    values=st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=40),
    share=st.floats(0, 1),
    cut=st.integers(0, 40),
    frozen=st.sampled_from(["least", "most"]),
)
def test_exactly_the_share_is_frozen_and_ranks_are_kept(values: list[float], share: float, cut: int, frozen) -> None:  # type: ignore[no-untyped-def]
    fisher = {"a": torch.tensor(values[:cut]), "b": torch.tensor(values[cut:])}
    masks = choose_frozen(fisher, share, frozen)
    mask = torch.cat([masks["a"], masks["b"]])
    assert int(mask.sum()) == round(share * len(values))
    stays, learns = torch.tensor(values)[mask], torch.tensor(values)[~mask]
    if len(stays) and len(learns):
        assert stays.max() <= learns.min() if frozen == "least" else stays.min() >= learns.max()


def freeze(net: nn.Module, share: float = 0.9) -> tuple[dict[str, Tensor], ElasticFreeze]:
    masks = choose_frozen(information(1), share)
    return masks, ElasticFreeze(net, masks)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 1.0])
def test_what_is_frozen_keeps_its_bits_under_decay_momentum_and_average(share: float) -> None:
    net = expert_net()
    with torch.no_grad():
        net.head.bias.fill_(-0.0)  # minus zero has bits of its own
    start = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    masks, hold = freeze(net, share)
    heavy = TrainOptions(steps=30, lr=0.05, weight_decay=1.0, ema=0.9, seed=1)
    train(net, expert_batches, loss, heavy, constraint=hold)
    after = net.state_dict()
    for name, mask in masks.items():
        assert bits(after[name][mask]) == bits(start[name][mask]), name
    learned = sum(int((after[name] != start[name]).sum()) for name in masks)
    free = sum(int((~mask).sum()) for mask in masks.values())
    assert free * 0.9 <= learned <= free
    assert bits(after["layer.router.bias_E"]) == bits(start["layer.router.bias_E"])


def bits(values: Tensor) -> bytes:
    return values.contiguous().numpy().tobytes()


def test_single_numbers_of_single_experts_are_frozen() -> None:
    mask = choose_frozen(information(1), 0.9)["layer.experts.in_EDF"]
    shares = mask.float().mean(dim=(1, 2))
    assert mask.shape == (4, 8, 16)
    assert ((shares > 0) & (shares < 1)).any()


def test_a_run_that_holds_nothing_is_a_plain_run() -> None:
    plain, held = make_net(), make_net()
    masks = {name: torch.zeros_like(parameter, dtype=torch.bool) for name, parameter in held.named_parameters()}
    train(plain, batches, loss, options(best=None))
    train(held, batches, loss, options(best=None), constraint=ElasticFreeze(held, masks, buffers=False))
    assert same(plain.state_dict(), held.state_dict())


def half_frozen() -> tuple[SmallNet, ElasticFreeze]:
    net = make_net()
    found = fisher_information(net, batches(0), loss, rows_of)
    return net, ElasticFreeze(net, choose_frozen(found, 0.5))


@pytest.mark.parametrize("step", [1, 6, 13, 40])
def test_a_frozen_run_that_is_killed_ends_with_the_same_bits(tmp_path: Path, step: int) -> None:
    whole, hold = half_frozen()
    train(whole, batches, loss, options(best=None), constraint=hold)
    killed, hold = half_frozen()
    with pytest.raises(Killed):
        train(killed, batches, loss, options(best=None), tmp_path, stop_at(step), constraint=hold)
    resumed, hold = half_frozen()
    report = train(resumed, batches, loss, options(best=None), tmp_path, constraint=hold)
    assert report.resumed_at == step - 1
    assert all(bits(tensor) == bits(resumed.state_dict()[name]) for name, tensor in whole.state_dict().items())


def test_a_run_does_not_go_on_under_another_constraint(tmp_path: Path) -> None:
    net, hold = half_frozen()
    train(net, batches, loss, options(best=None), tmp_path, constraint=hold)
    other = make_net()
    for constraint in (None, ElasticFreeze(other, {"head.bias": torch.tensor([True])})):
        with pytest.raises(InputError, match="a run with other constraint"):
            train(other, batches, loss, options(best=None), tmp_path, constraint=constraint)


def test_masks_of_another_model_are_refused() -> None:
    with pytest.raises(InputError, match=r"differ in tail\.weight"):
        ElasticFreeze(make_net(), {"tail.weight": torch.tensor([True])})
    with pytest.raises(InputError, match=r"head\.bias has the shape \[1\]"):
        ElasticFreeze(make_net(), {"head.bias": torch.tensor([True, False])})


def test_the_anchor_is_the_weighted_square_of_the_way_from_it() -> None:
    net = nn.Linear(2, 1, bias=False)
    anchor = Anchor(net, {"weight": torch.tensor([[2.0, 10.0]])}, 3.0)
    assert anchor.penalty() == 0
    with torch.no_grad():
        net.weight += torch.tensor([[1.0, 0.5]])
    penalty = anchor.penalty()
    penalty.backward()  # type: ignore[no-untyped-call]
    assert penalty.item() == pytest.approx(0.5 * 3 * (2 * 1 + 10 * 0.25), rel=1e-5)
    assert net.weight.grad is not None
    assert net.weight.grad.tolist()[0] == pytest.approx([6.0, 15.0], rel=1e-5)


def test_a_strong_anchor_keeps_what_matters_in_its_place() -> None:
    def moved(strength: float) -> float:
        net = expert_net()
        memory = information(1)
        start = [parameter.detach().clone() for parameter in net.parameters()]
        elastic = ElasticOptions(share=0.0, strength=strength)
        learn_on(net, memory, shifted, loss, TrainOptions(steps=40, lr=0.01, weight_decay=0.0), elastic)
        ways = zip(net.parameters(), start, memory.values(), strict=True)
        return sum(float((values * (parameter.detach() - old).square()).sum()) for parameter, old, values in ways)

    assert moved(1000.0) < 0.2 * moved(0.0)


def shifted(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    x, y = next(expert_batches(epoch))
    yield x, 1 - y


def test_learning_on_with_most_frozen_forgets_less_than_learning_on_freely() -> None:
    def forgotten(share: float) -> tuple[float, float]:
        net = expert_net()
        train(net, expert_batches, loss, TrainOptions(steps=60, lr=0.02))
        memory = fisher_information(net, micro(1), loss, rows_of)
        batch = next(expert_batches(0))
        before = float(loss(net, batch).total)
        learn_on(net, memory, shifted, loss, TrainOptions(steps=20, lr=0.01), ElasticOptions(share=share))
        return before, float(loss(net, batch).total)

    before, held = forgotten(0.9)
    _, free = forgotten(0.0)
    assert before < held < free


def test_a_run_with_another_penalty_is_another_run(tmp_path: Path) -> None:
    memory = information(1)
    short = TrainOptions(steps=3)
    learn_on(expert_net(), memory, expert_batches, loss, short, ElasticOptions(strength=1.0), tmp_path)
    with pytest.raises(InputError, match="a run with other data"):
        learn_on(expert_net(), memory, expert_batches, loss, short, ElasticOptions(strength=2.0), tmp_path)


def test_forgetting_beyond_the_limit_is_refused_with_the_set_and_the_way_out() -> None:
    check_forgetting({"2008": 0.5, "2011": 0.4}, {"2008": 0.51, "2011": 0.3}, 0.02)
    with pytest.raises(GateError, match=r"loss on 2008 grew by 0\.1, from 0\.5 to 0\.6; allowed are 0\.02"):
        check_forgetting({"2008": 0.5}, {"2008": 0.6}, 0.02)
    with pytest.raises(GateError, match="grew by nan"):
        check_forgetting({"2008": 0.5}, {"2008": float("nan")}, 0.02)


@pytest.mark.parametrize(
    ("name", "value"), [("share", 1.1), ("share", -0.1), ("decay", 1.5), ("strength", -1.0), ("share", float("nan"))]
)
def test_options_outside_their_limits_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} must lie in"):
        ElasticOptions(**{name: value})  # type: ignore[arg-type]


def test_frozen_is_one_of_two_words() -> None:
    with pytest.raises(InputError, match="frozen must be least or most, got 'some'"):
        ElasticOptions(frozen="some")  # type: ignore[arg-type]

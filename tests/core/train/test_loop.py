"""The loop: it learns, and a run that is killed at any step ends with the weights of one that was not."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from core.errors import AssayError, InputError
from core.train.checkpoint import list_checkpoints
from core.train.loop import Losses, train
from tests.core.train import small_run
from tests.core.train.small_run import (
    Killed,
    SmallNet,
    batches,
    evaluate,
    loss,
    make_net,
    options,
    run,
    same,
    stop_at,
    uninterrupted,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def test_training_learns() -> None:
    _, report = run(None, steps=120)
    assert report.evaluations[-1]["accuracy"] >= 0.85
    assert report.history[-1]["total"] < report.history[0]["total"] * 0.7
    assert (report.steps, report.epochs, report.resumed_at) == (120, 20, 0)
    assert [entry["step"] for entry in report.history] == list(range(10, 121, 10))


@pytest.mark.parametrize("every", [1, 4, 7])
@pytest.mark.parametrize("step", [1, 5, 6, 7, 13, 39, 40])
def test_a_run_stopped_at_any_step_ends_with_the_same_weights(tmp_path: Path, step: int, every: int) -> None:
    whole, whole_report = uninterrupted()
    with pytest.raises(Killed):
        train(
            make_net(),
            batches,
            loss,
            options(checkpoint_every_steps=every),
            tmp_path,
            stop_at(step),
            evaluate,
            origin="rows 1",
        )
    resumed, report = run(tmp_path, checkpoint_every_steps=every)
    assert report.resumed_at == (step - 1) // every * every
    assert same(whole, resumed)
    assert report.history == whole_report.history
    assert report.evaluations == whole_report.evaluations
    assert report.best_step == whole_report.best_step


def test_a_run_with_evaluations_inside_an_epoch_resumes_too(tmp_path: Path) -> None:
    whole, whole_report = run(None, evaluate_every=4)
    with pytest.raises(Killed):
        train(make_net(), batches, loss, options(evaluate_every=4), tmp_path, stop_at(9), evaluate, origin="rows 1")
    resumed, report = run(tmp_path, evaluate_every=4)
    assert same(whole, resumed)
    assert [entry["step"] for entry in report.evaluations] == list(range(4, 41, 4))
    assert report.evaluations == whole_report.evaluations


SCRIPT = """
import sys, time, runpy
from pathlib import Path
tests = runpy.run_path(sys.argv[1])
def slowly(share, words):
    print(words, flush=True)
    time.sleep(0.02)
tests["train"](tests["make_net"](), tests["batches"], tests["loss"], tests["options"](), Path(sys.argv[2]), slowly,
               tests["evaluate"], origin="rows 1")
"""


def killed_after(seconds: float, folder: Path) -> str:
    """Train in a process of its own and kill -9 it `seconds` after its first step; return its last words."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, small_run.__file__, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    assert process.wait() == -signal.SIGKILL
    return rest


def test_a_run_that_is_killed_three_times_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole, _ = uninterrupted()
    for seconds in (0.11, 0.0, 0.23):
        killed_after(seconds, tmp_path)
        assert list_checkpoints(tmp_path)
    resumed, report = run(tmp_path)
    assert 0 < report.resumed_at < 40
    assert same(whole, resumed)


@pytest.mark.slow
def test_a_run_that_is_killed_at_random_moments_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole, _ = uninterrupted()
    moments = random.Random(0)
    for _ in range(6):
        killed_after(moments.uniform(0.0, 0.15), tmp_path)
    resumed, report = run(tmp_path)
    assert report.resumed_at > 0
    assert same(whole, resumed)


def test_a_run_in_bfloat16_resumes_to_the_same_weights(tmp_path: Path) -> None:
    whole, _ = run(None, precision="bf16")
    with pytest.raises(Killed):
        train(
            make_net(),
            batches,
            loss,
            options(precision="bf16"),
            tmp_path,
            stop_at(17),
            evaluate,
            origin="rows 1",
        )
    resumed, report = run(tmp_path, precision="bf16")
    assert report.resumed_at == 16
    assert same(whole, resumed)


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first, _ = run(tmp_path)
    second, report = run(tmp_path)
    assert report.resumed_at == 40
    assert same(first, second)


@pytest.mark.parametrize("change", [{"lr": 0.01}, {"seed": 4}, {"steps": 41}])
def test_a_folder_of_another_run_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    run(tmp_path)
    with pytest.raises(InputError, match=f"other options: {next(iter(change))} was"):
        run(tmp_path, **change)


def test_a_folder_with_other_data_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(InputError, match="other data: was rows 1, now rows 2"):
        train(make_net(), batches, loss, options(), tmp_path, None, evaluate, origin="rows 2")


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    whole, _ = uninterrupted()
    with pytest.raises(Killed):
        train(make_net(), batches, loss, options(), tmp_path, stop_at(20), evaluate, origin="rows 1")
    newest = list_checkpoints(tmp_path)[0]
    newest.write_bytes(newest.read_bytes()[:-100])
    resumed, report = run(tmp_path)
    assert report.resumed_at == 18
    assert newest.name in report.notes[0]
    assert same(whole, resumed)


def test_the_best_weights_become_the_model() -> None:
    scores = iter([0.1, 0.9, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3])
    seen: list[dict[str, Tensor]] = []

    def judge(model: nn.Module) -> dict[str, float]:
        seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return {"accuracy": next(scores)}

    net = make_net()
    report = train(net, batches, loss, options(), None, None, judge)
    assert report.best_step == 12
    assert same(net.state_dict(), seen[1])
    assert not net.training


def test_without_average_and_best_the_last_weights_stay() -> None:
    net = make_net()
    train(net, batches, loss, options(ema=0.0, best=None, steps=6))
    averaged = make_net()
    train(averaged, batches, loss, options(ema=0.9, best=None, steps=6))
    assert not same(net.state_dict(), averaged.state_dict())


def test_a_rate_of_zero_freezes_a_parameter() -> None:
    net, before = make_net(), make_net().state_dict()
    train(net, batches, loss, options(steps=3, best=None, ema=0.0), lr_scale=lambda name: float("head" in name))
    assert torch.equal(net.trunk[0].weight, before["trunk.0.weight"])
    assert not torch.equal(net.head.weight, before["head.weight"])


def test_the_callers_random_numbers_are_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(make_net_quietly(), batches, loss, options(steps=3, best=None))
    assert torch.equal(torch.rand(3), expected)


def make_net_quietly() -> SmallNet:
    with torch.random.fork_rng(devices=[]):
        return make_net()


def test_a_loss_that_is_not_finite_ends_the_run_with_the_step_and_a_way_out() -> None:
    def bad(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Losses:
        return Losses(model(batch[0]).sum() * float("nan"))

    with pytest.raises(AssayError, match="loss is nan at step 0; lower lr"):
        train(make_net(), batches, bad, options(best=None))


def test_gradients_that_stay_infinite_end_the_run() -> None:
    def steep(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Losses:
        return Losses((model(batch[0]).abs().sum() * 0).sqrt() + loss(model, batch).total * 0)

    with pytest.raises(AssayError, match="gradient was not finite 11 times in a row"):
        train(make_net(), batches, steep, options(best=None))


def test_an_epoch_without_batches_is_refused() -> None:
    with pytest.raises(InputError, match="epoch 0 has no batch"):
        train(make_net(), lambda epoch: [], loss, options(best=None))


def test_best_needs_a_number_of_that_name() -> None:
    with pytest.raises(InputError, match="needs `evaluate`"):
        train(make_net(), batches, loss, options())
    with pytest.raises(InputError, match="no finite number of that name, but recall"):
        train(make_net(), batches, loss, options(), None, None, lambda model: {"recall": 1.0, "accuracy": float("nan")})


@pytest.mark.parametrize(
    ("name", "value"), [("steps", 0), ("lr", 0.0), ("lr", float("nan")), ("warmup", 1.5), ("ema", 1.0), ("clip", -1)]
)
def test_options_outside_their_limits_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} must lie in"):
        options(**{name: value})


def test_bfloat16_learns_as_well() -> None:
    _, report = run(None, steps=120, precision="bf16")
    assert report.precision == "bf16"
    assert report.evaluations[-1]["accuracy"] >= 0.85

"""Early stopping: a run ends where its metric no longer gains, and carries the best weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.errors import InputError
from core.train.cores import half_of_the_cores
from core.train.loop import TrainOptions, TrainReport, train
from tests.core.train.small_run import Killed, batches, loss, make_net, same

STEPS, EVERY = 60, 10
GAINS = (0.1, 0.5, 0.4, 0.3, 0.2, 0.9)  # of the evaluations


class Run:
    """A run whose metric is GAINS; it notes the weights at each evaluation, and ends at step `kill`."""

    def __init__(self, folder: Path | None = None, kill: int | None = None, **changes: Any) -> None:
        self.net, self.step, self.kill = make_net(), 0, kill
        self.seen: dict[float, dict[str, Tensor]] = {}
        fields = {"steps": STEPS, "best": "gain", "evaluate_every": EVERY, "patience": 2, "checkpoint_every_steps": 7}
        options = TrainOptions(**(fields | changes))
        self.report: TrainReport = train(self.net, batches, loss, options, folder, self.follow, self.evaluate)

    def follow(self, share: float, words: str) -> None:
        self.step = round(share * STEPS)
        if self.step == self.kill:
            raise Killed

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        gain = GAINS[self.step // EVERY - 1]
        self.seen[gain] = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        return {"gain": gain}


pytestmark = pytest.mark.usefixtures("one_thread")


def test_training_stops_after_so_many_evaluations_without_gain() -> None:
    run = Run()
    assert (run.report.steps, run.report.best_step) == (40, 20)
    assert [found["gain"] for found in run.report.evaluations] == [0.1, 0.5, 0.4, 0.3]
    assert same(run.net.state_dict(), run.seen[0.5])


def test_without_patience_the_last_step_is_reached() -> None:
    report = Run(patience=0).report
    assert (report.steps, report.best_step) == (60, 60)


@pytest.mark.parametrize("kill", [15, 30, 36])
def test_a_run_that_was_killed_stops_where_the_other_did(tmp_path: Path, kill: int) -> None:
    with pytest.raises(Killed):
        Run(tmp_path, kill)
    again = Run(tmp_path)
    assert (again.report.resumed_at, again.report.steps, again.report.best_step) == (kill // 7 * 7, 40, 20)
    assert same(again.net.state_dict(), Run().net.state_dict())


def test_patience_needs_a_metric() -> None:
    with pytest.raises(InputError, match="patience needs `best`"):
        Run(best=None)


def test_training_takes_half_of_the_cores_and_gives_them_back() -> None:
    before = torch.get_num_threads()
    with half_of_the_cores():
        assert 1 <= torch.get_num_threads() <= before
    assert torch.get_num_threads() == before

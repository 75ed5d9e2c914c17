"""A small run of the training loop, for its tests."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from core.train.loop import Losses, TrainOptions, TrainReport, train

ROWS, BATCH = 96, 16  # six batches an epoch


class SmallNet(nn.Module):
    """Everything that has a state: convolution, running statistics, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv1d(1, 8, 3, padding=1), nn.BatchNorm1d(8), nn.GELU(), nn.Dropout(0.2))
        self.head = nn.Linear(8 * 6, 1)

    def forward(self, x_BF: Tensor) -> Tensor:
        return self.head(self.trunk(x_BF[:, None]).flatten(1))[:, 0]


def make_net() -> SmallNet:
    torch.manual_seed(7)
    return SmallNet()


def batches(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    data = torch.Generator().manual_seed(1)
    x, weight = torch.randn(ROWS, 6, generator=data), torch.randn(6, generator=data)
    y = (x @ weight > 0).float()
    for rows in torch.randperm(ROWS, generator=torch.Generator().manual_seed(epoch)).split(BATCH):
        noise = 0.1 * torch.randn(len(rows), 6)  # drawn while the batch is made, from torch's own numbers
        yield x[rows] + noise, y[rows]


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Losses:
    x, y = batch
    entropy = nn.functional.binary_cross_entropy_with_logits(model(x), y)
    return Losses(entropy, {"entropy": entropy})


def evaluate(model: nn.Module) -> dict[str, float]:
    x, y = next(batches(0))
    return {"accuracy": float(((model(x) > 0) == (y > 0.5)).float().mean())}


def options(**changes: object) -> TrainOptions:
    base = TrainOptions(steps=40, lr=0.02, ema=0.9, best="accuracy", seed=3, checkpoint_every_steps=1)
    return TrainOptions(**{**vars(base), **changes})  # type: ignore[arg-type]


def run(folder: Path | None, **changes: object) -> tuple[dict[str, Tensor], TrainReport]:
    net = make_net()
    report = train(net, batches, loss, options(**changes), folder, None, evaluate, origin="rows 1")
    return net.state_dict(), report


@cache
def uninterrupted() -> tuple[dict[str, Tensor], TrainReport]:
    return run(None)


class Killed(BaseException):
    """Stands for the end of a process, where a real kill would be too slow to repeat."""


def stop_at(step: int):  # type: ignore[no-untyped-def]
    def progress(share: float, words: str) -> None:
        if round(share * 40) == step:
            raise Killed

    return progress


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)

"""A small net with experts, its batches, and its sensitivities by finite differences."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from core.moe.layer import MoELayer
from core.moe.options import MoEOptions
from core.train.continual import (
    fisher_information,
)
from tests.core.train.small_run import loss

ROWS = 24
STEP = 1e-3  # of finite differences; the gate computes in float32, so it must not be smaller


class ExpertNet(nn.Module):
    """A layer of experts with a balance bias, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = MoELayer(MoEOptions(width=8, hidden=8, experts=4, top_k=2, balance="bias"))
        self.head = nn.Linear(8, 1)

    def forward(self, x_BD: Tensor) -> Tensor:
        out: Tensor = self.head(self.layer(x_BD[:, None]).y_BTD[:, 0])[:, 0]
        return out


def expert_net() -> ExpertNet:
    torch.manual_seed(3)
    return ExpertNet()


def expert_batches(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    data = torch.Generator().manual_seed(5)
    x = torch.randn(ROWS, 8, generator=data)
    yield x, (x[:, 0] > 0).float()


def micro(size: int) -> list[tuple[Tensor, Tensor]]:
    x, y = next(expert_batches(0))
    return list(zip(x.split(size), y.split(size), strict=True))


def rows_of(batch: tuple[Tensor, Tensor]) -> int:
    return len(batch[1])


def information(size: int) -> dict[str, Tensor]:
    return fisher_information(expert_net(), micro(size), loss, rows_of)


def by_hand() -> dict[str, Tensor]:
    """The mean over rows of the squared gradient of the log-likelihood of each, by finite steps."""
    net = expert_net().double()
    x, y = next(expert_batches(0))
    found = {}
    for name, parameter in net.named_parameters():
        flat = parameter.detach().view(-1)
        squares = torch.zeros(len(flat), dtype=torch.float64)
        for at in range(len(flat)):
            sides = []
            for step in (STEP, -STEP):
                flat[at] += step
                margin = net(x.double())
                sides.append(y * margin - nn.functional.softplus(margin))
                flat[at] -= step
            squares[at] = ((sides[0] - sides[1]) / (2 * STEP)).square().mean()
        found[name] = squares.reshape(parameter.shape)
    return found

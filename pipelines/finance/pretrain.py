"""Self-supervised start: before it learns labels, the network learns to tell hidden features of a row from the others.

It needs no label, so rows without one count too. A history is not read here: its
columns are in the table. Pays where they are many and labels few (README: measured with all, a
tenth and a hundredth of the labels). B rows, F features.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from core.encoders.columns import TableOptions
from core.train.loop import Losses, Progress, TrainOptions, train
from core.train.masked import MaskedFeatures
from pipelines.finance.history import History
from pipelines.finance.network import Floats, make_network, single
from pipelines.finance.network_options import NetworkOptions

STEPS = 600
EPOCHS = 30  # at most: few rows are soon known by heart
MOST_ROWS = 512  # in a step


def pretrain(
    x_BF: Floats,
    table: TableOptions,
    options: NetworkOptions,
    *,
    seed: int,
    device: torch.device,
    folder: Path | None,
    progress: Progress,
    history: History | None = None,
    origin: str = "",
) -> dict[str, Tensor]:
    """Return weights to start from, on the processor. With a folder a run that was cut off goes on there."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        masked = MaskedFeatures(make_network(table, options, history)).to(device)
    rows = single(x_BF).to(device)
    size = min(MOST_ROWS, len(rows))
    steps = max(1, len(rows) // size)

    def epoch(number: int) -> Iterator[Tensor]:
        order = torch.from_numpy(np.random.default_rng((seed, number)).permutation(len(rows)))
        for step in range(steps):
            yield rows[order[step * size : (step + 1) * size].to(device)]

    def loss(model: nn.Module, batch: Tensor) -> Losses:
        assert isinstance(model, MaskedFeatures)
        return model.losses(batch)

    train(
        masked,
        epoch,
        loss,
        TrainOptions(steps=min(STEPS, EPOCHS * steps), lr=options.lr, weight_decay=options.weight_decay, seed=seed),
        folder,
        progress,
        origin=origin,
    )
    return {name: tensor.detach().cpu() for name, tensor in masked.model.state_dict().items() if not _is_head(name)}


def _is_head(name: str) -> bool:
    """Heads of the labels learned nothing; every network draws its own."""
    return name.startswith("exits.")

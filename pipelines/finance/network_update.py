"""Learning on with networks: each goes on from its weights on the new rows outside of its fold, most numbers frozen.

Before a step is taken each network is moved to the new rows' share of bad cases, by the bias of its answer, so that no
weight learns what one number can say. Then the sensitivity of every number to the new rows is asked (Fisher
information), the least sensitive are frozen, and the others learn at a low rate until the mean loss of the rows left
out stops falling. Where it never falls below that of the untouched networks, they stay as they were.

Legend: B rows, M networks.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.train.continual import ElasticFreeze, ElasticOptions, choose_frozen, fisher_information
from core.train.loop import Progress, TrainOptions, train
from pipelines.finance.forgetting import at_rate
from pipelines.finance.network import FoldNets, Learner, LearningRows, Networks, margins_of
from pipelines.finance.network_options import NetworkOptions

MICRO = 16  # rows whose gradient is squared at once
MOST_ASKED = 4_096  # rows that the sensitivity is asked of


@dataclass(frozen=True, kw_only=True)
class UpdateOptions:
    """How networks learn on; what was tried stands in the README."""

    elastic: ElasticOptions = field(default_factory=ElasticOptions)  # nine in ten numbers frozen, the least sensitive
    lr: float = 5e-4
    most_epochs: int = 12
    patience: int = 3


@dataclass(frozen=True)
class LearnedOn:
    """The networks after the update, and the mean left-out log loss before and after it."""

    networks: Networks
    before: float
    after: float
    frozen: float  # share of the numbers

    def to_json(self) -> dict[str, float]:
        """What the update did, for the bundle."""
        losses = {"left_out_log_loss_before": self.before, "left_out_log_loss_after": self.after}
        return {**losses, "frozen": self.frozen, "steps": self.networks.report.steps}


def continue_networks(
    served: FoldNets,
    rows: LearningRows,
    shape: NetworkOptions,
    update: UpdateOptions,
    *,
    seed: int,
    device: torch.device,
    folder: Path | None,
    progress: Progress,
    origin: str,
) -> LearnedOn:
    """Let networks learn on, one a fold. With a folder a run that was cut off goes on there. `served` changes."""
    move_to_rate(served, rows)
    untouched = deepcopy(served)
    served.to(device)
    shape = replace(shape, lr=update.lr, most_epochs=update.most_epochs, patience=update.patience)
    learner = Learner(rows, shape, seed, device)
    before = -learner.evaluate(served)["gain"]
    progress(0.0, "asking what the new rows touch")
    asked = list(_micro(learner, rows, seed))
    fisher = fisher_information(served, asked, learner.loss, lambda batch: len(batch[0]))
    freeze = ElasticFreeze(served, choose_frozen(fisher, update.elastic.share, update.elastic.frozen))
    report = train(
        served,
        learner.epoch,
        learner.loss,
        TrainOptions(
            steps=shape.most_epochs * learner.steps,
            lr=shape.lr,
            weight_decay=shape.weight_decay,
            warmup=1 / shape.most_epochs,
            final_lr=1.0,
            ema=1 - 1 / (2 * learner.steps),
            seed=seed,
            best="gain",
            patience=shape.patience,
            checkpoint_every_s=30,
        ),
        folder,
        progress,
        learner.evaluate,
        origin=f"{origin}, update",
        constraint=freeze,
    )
    after = -learner.evaluate(served)["gain"]
    if after >= before:
        served.load_state_dict(untouched.state_dict())
    margin_B, balance = learner.left_out(served)
    served.to("cpu")
    return LearnedOn(Networks(served, margin_B, report, balance), before, min(before, after), update.elastic.share)


@torch.no_grad()
def move_to_rate(served: FoldNets, rows: LearningRows) -> None:
    """Move each network to the share of bad cases among the rows that it learns from, by the bias of its answer."""
    margin_MB = margins_of(served, rows.x_BF)
    for network, margin_B, (fitted, _) in zip(served.networks, margin_MB, rows.folds, strict=True):
        shift = at_rate(margin_B[fitted], rows.y_B[fitted])[0] - margin_B[fitted][0]
        for name, parameter in network.named_parameters():
            if name.startswith("exits.") and name.endswith("bias_R"):
                parameter.add_(float(shift))


def _micro(learner: Learner, rows: LearningRows, seed: int) -> Iterator[list[Tensor]]:
    """Row numbers (one tensor a network) of its own rows, in small batches."""
    rng = np.random.default_rng((seed, MICRO))
    orders = [rng.permutation(fitted)[:MOST_ASKED] for fitted, _ in rows.folds]
    for first in range(0, min(map(len, orders)), MICRO):
        yield [torch.from_numpy(order[first : first + MICRO]).to(learner.x_BF.device) for order in orders]

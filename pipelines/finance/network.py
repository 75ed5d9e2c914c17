"""The network over the table: embedded features -> row tokens -> experts; one network a fold of the training rows.

Each network learns from the rows outside of its fold, and answers for those inside: so every training row has a margin
of a network that did not learn from it, which is what the stack is fitted to. All learn in one run and stop together,
where the mean loss of the rows left out is lowest; the served model is their mean.

Legend: B rows, F features, M networks (folds), S exits, R members.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core.blocks import TrunkOptions
from core.encoders.columns import TableColumn, TableOptions, number_column
from core.encoders.series import PatchEncoder
from core.encoders.table import TableEncoder
from core.fusion.adapters import Projection, Summary
from core.model import AssayModel, ModelOptions, ModelOutputs, table_model
from core.moe.balance import Balance, run_balance
from core.train.loop import Losses, Progress, TrainOptions, TrainReport, train
from data.spec import Column, FeatureSpec
from pipelines.finance.history import History, HistoryReader, series_options
from pipelines.finance.network_options import NetworkOptions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ROWS_A_RUN = 4096  # that are judged at once
SAVED_EPOCHS = 4  # between two checkpoints, or half a minute
STEPS_AT_LEAST = 12  # in an epoch: small tables get small batches


@dataclass(frozen=True, kw_only=True)
class LearningRows:
    """The table (B, F), labels (B,) of 0 and 1, and the folds: row numbers (fitted, left out) of every network."""

    x_BF: Floats
    y_B: Floats
    folds: Sequence[tuple[Ints, Ints]]


@dataclass(frozen=True)
class Networks:
    """Trained networks, and margins (B,) of the rows left out; NaN for rows that no fold left out.

    `balance` says how the rows left out spread over the experts, of each block of each network.
    """

    served: "FoldNets"
    left_out_margin_B: Floats
    report: TrainReport
    balance: tuple[Balance, ...]


class Reader(Protocol):
    """What makes a network's inputs and masks of the table; a module, so that it moves and is exported with it."""

    def inputs(self, x_BF: Tensor, given_BF: Tensor | None = None) -> tuple[dict[str, Tensor], dict[str, Tensor]]: ...


class FoldNets(nn.Module):
    """One network a fold. Exported: `table` (B, F) and `given` (B, F), 0 for hidden, to `margin` (B,), their mean.

    Where the networks read a history or sequences, these are gathered from the table here.
    """

    def __init__(self, networks: Sequence[AssayModel], reader: Reader | None = None) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.reader = reader

    def forward(self, table: Tensor, given: Tensor) -> dict[str, Tensor]:
        outputs = self.answers([table] * len(self.networks), given > 0.5)
        return {"margin": torch.stack([out.margin_SB[-1] for out in outputs]).mean(dim=0)}

    def answers(self, parts: Sequence[Tensor], given_BF: Tensor | None = None) -> list[ModelOutputs]:
        """Let each network answer for rows (B, F) of its own."""
        return [self.answer(at, x_BF, given_BF) for at, x_BF in enumerate(parts)]

    def answer(self, at: int, x_BF: Tensor, given_BF: Tensor | None = None) -> ModelOutputs:
        """Let one network answer."""
        if self.reader is None:
            inputs, masks = {"table": x_BF}, {} if given_BF is None else {"table": given_BF}
        else:
            inputs, masks = self.reader.inputs(x_BF, given_BF)
        outputs: ModelOutputs = self.networks[at](inputs, masks)
        return outputs


def table_options(spec: FeatureSpec, x_BF: Floats, options: NetworkOptions) -> TableOptions:
    """Learn the columns from training rows: quantile edges with normal scores, codes, categories. No label is asked."""
    columns = tuple(_column(column, x_BF[:, at]) for at, column in enumerate(spec.columns))
    return TableOptions(
        columns=columns,
        width=options.token,
        frequencies=options.frequencies,
        sigma=options.sigma,
        drop=options.hide,
    )


def make_network(table: TableOptions, options: NetworkOptions, history: History | None = None) -> AssayModel:
    """Return a network with fresh weights, drawn from torch's random numbers.

    With a history its tokens stand beside those of the row, which read them by attention.
    """
    trunk = TrunkOptions(
        width=options.width,
        depth=options.depth,
        moe=options.moe,
        dropout=options.dropout,
    )
    if history is None:
        return table_model(table, ModelOptions(trunk=trunk, members=options.members))
    # the reader hides features, of the table and of the series alike
    encoders = {
        "table": TableEncoder(replace(table, drop=0.0)),
        "series": PatchEncoder(series_options(history, options.history_width)),
    }
    adapters: dict[str, Summary | Projection] = {
        "table": Summary(len(table.columns), table.width, options.width, options.members),
        "series": Projection(options.history_width, options.width),
    }
    trunk = replace(trunk, heads=options.history_heads)
    model = ModelOptions(trunk=trunk, members=options.members, drop_parts=options.drop_parts)
    return AssayModel(encoders, adapters, model)


def fit_networks(
    rows: LearningRows,
    table: TableOptions,
    options: NetworkOptions,
    *,
    seed: int,
    device: torch.device,
    folder: Path | None,
    progress: Progress,
    history: History | None = None,
    start: Mapping[str, Tensor] | None = None,
    origin: str = "",
) -> Networks:
    """Train a network a fold. With a folder a run that was cut off goes on there. `start` are pretrained weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = [make_network(table, options, history) for _ in rows.folds]
    served = FoldNets(networks, None if history is None else HistoryReader(history, table))
    if start is not None:
        for network in served.networks:
            network.load_state_dict(dict(start), strict=False)
    return train_folds(served, rows, options, seed=seed, device=device, folder=folder, progress=progress, origin=origin)


def train_folds(
    served: "FoldNets",
    rows: LearningRows,
    options: NetworkOptions,
    *,
    seed: int,
    device: torch.device,
    folder: Path | None,
    progress: Progress,
    origin: str = "",
) -> Networks:
    """Train networks that are there already, one a fold; see `fit_networks`."""
    served.to(device)
    learner = Learner(rows, options, seed, device)
    report = train(
        served,
        learner.epoch,
        learner.loss,
        TrainOptions(
            steps=options.most_epochs * learner.steps,
            lr=options.lr,
            weight_decay=options.weight_decay,
            warmup=1 / options.most_epochs,
            final_lr=1.0,
            ema=1 - 1 / (2 * learner.steps),
            seed=seed,
            best="gain",
            patience=options.patience,
            checkpoint_every_s=30,
            checkpoint_every_steps=SAVED_EPOCHS * learner.steps,
        ),
        folder,
        progress,
        learner.evaluate,
        origin=origin,
    )
    margin_B, balance = learner.left_out(served)
    served.to("cpu")
    return Networks(served, margin_B, report, balance)


class Learner:
    """The rows on the device, cut into steps: every step has a batch of each network's own rows."""

    def __init__(self, rows: LearningRows, options: NetworkOptions, seed: int, device: torch.device) -> None:
        self.folds, self.seed, self.top_k = rows.folds, seed, options.moe.top_k
        self.x_BF = single(rows.x_BF).to(device)
        self.y_B = torch.as_tensor(rows.y_B, dtype=torch.float32, device=device)
        fewest = min(len(fitted) for fitted, _ in rows.folds)
        self.size = max(16, min(options.most_rows, fewest // STEPS_AT_LEAST))
        self.steps = max(1, fewest // self.size)

    def epoch(self, epoch: int) -> Iterator[list[Tensor]]:
        """Yield row numbers (one tensor a network), every epoch in another order."""
        orders = [
            np.random.default_rng((self.seed, epoch, fold)).permutation(fitted)
            for fold, (fitted, _) in enumerate(self.folds)
        ]
        for step in range(self.steps):
            part = slice(step * self.size, (step + 1) * self.size)
            yield [torch.from_numpy(order[part]).to(self.x_BF.device) for order in orders]

    def loss(self, model: nn.Module, batch: list[Tensor]) -> Losses:
        """Return the sum over networks of the mean loss of their members, and of the experts' balance."""
        assert isinstance(model, FoldNets)
        outputs = model.answers([self.x_BF[part] for part in batch])
        fits = [
            functional.binary_cross_entropy_with_logits(
                out.member_SBR, self.y_B[part][:, None].expand_as(out.member_SBR)
            )
            for out, part in zip(outputs, batch, strict=True)
        ]
        fit, balance = torch.stack(fits).sum(), torch.stack([out.loss for out in outputs]).sum()
        return Losses(total=fit + balance, parts={"fit": fit, "balance": balance})

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Return minus the mean log loss of the rows left out, as `gain`."""
        margin_B = torch.from_numpy(self.left_out(model)[0])
        known_B = ~margin_B.isnan()
        y_B = self.y_B.cpu().double()[known_B]
        return {"gain": -float(functional.binary_cross_entropy_with_logits(margin_B[known_B], y_B))}

    @torch.no_grad()
    def left_out(self, model: nn.Module) -> tuple[Floats, tuple[Balance, ...]]:
        """Return each row's margin by the network that did not learn from it (NaN: none), and the experts' load."""
        assert isinstance(model, FoldNets)
        margin_B, loads = np.full(len(self.y_B), math.nan), []
        for at, (_, out) in enumerate(self.folds):
            batches = []
            for first in range(0, len(out), ROWS_A_RUN):
                part = torch.from_numpy(out[first : first + ROWS_A_RUN])
                answer = model.answer(at, self.x_BF[part.to(self.x_BF.device)])
                margin_B[part.numpy()] = answer.margin_SB[-1].double().cpu().numpy()
                batches.append(_balances(answer, self.top_k))
            loads += [run_balance(of_block) for of_block in zip(*batches, strict=True)]
        return margin_B, tuple(loads)


def _balances(outputs: ModelOutputs, top_k: int) -> list[Balance]:
    """How a batch spread over the experts of each block."""
    tokens = outputs.tokens.mask_BT.sum()
    return [Balance(load_E=tuple(load_E.tolist()), tokens=int(tokens), top_k=top_k) for load_E in outputs.load_LE]


@torch.no_grad()
def margins_of(served: FoldNets, x_BF: Floats) -> Floats:
    """Return the margins of every network (M, B)."""
    x = single(x_BF)
    parts = [
        torch.stack(
            [out.margin_SB[-1] for out in served.answers([x[first : first + ROWS_A_RUN]] * len(served.networks))]
        )
        for first in range(0, len(x), ROWS_A_RUN)
    ]
    return np.asarray(torch.cat(parts, dim=1).double().numpy())


def single(x_BF: Floats) -> Tensor:
    """Return the table in single precision, as it is served; numbers beyond its range are cut to it."""
    most = float(np.finfo(np.float32).max)
    return torch.from_numpy(np.clip(x_BF, -most, most).astype(np.float32))


def _column(column: Column, values_B: Floats) -> TableColumn:
    if column.kind == "category":
        return TableColumn(kind="category", categories=max(1, len(column.categories)))
    return number_column(values_B, special_codes=column.special_codes)

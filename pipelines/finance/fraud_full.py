"""Preset `full` of a fraud model: boosted trees, and networks that read sequences, stacked on rows unseen by either.

Trees learn from all chosen rows; the networks from all their frauds and some of the good rows, with the same folds.
Where the networks add nothing that those rows could prove, the trees alone are the model, as in `full`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.cost import count_model
from core.model import AssayModel
from core.moe.options import count
from core.train.cores import half_of_the_cores
from data.spec import FeatureSpec
from pipelines.finance import tree_model
from pipelines.finance.boosting import Fitted, TrainingRows
from pipelines.finance.exits import TOLERANCE, StageDraft
from pipelines.finance.fraud_network import TRUNK, Reading, SequenceReader, find_reading, make_networks
from pipelines.finance.full import EXAMPLE_ROWS, GIVEN_UP, export_networks, find_device, left_out_margins, origin_of
from pipelines.finance.judging import FittedModel
from pipelines.finance.network import FoldNets, LearningRows, Networks, margins_of, train_folds
from pipelines.finance.options import CreditOptions
from pipelines.finance.rows import Labelled
from pipelines.finance.stack import fit_stack
from pipelines.finance.transactions.plan import TransactionPlan

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Folds = list[tuple[Ints, Ints]]
Progress = Callable[[float, str], None]
PART = "network"
GOOD_ROWS = 30_000  # that the networks learn from, beside all frauds


def stack_sequences(
    trees: Fitted,
    folds: Folds,
    fit_rows: Labelled,
    valid_rows: Labelled,
    spec: FeatureSpec,
    plan: TransactionPlan,
    options: CreditOptions,
    progress: Progress,
) -> FittedModel:
    """Fit the networks and stack them on trees that were fitted with these folds."""
    rows = TrainingRows(x_BF=fit_rows.x_BF, y_B=fit_rows.y_B, group_B=fit_rows.group_B)
    reading = find_reading(spec, plan, trees.gain_F)
    chosen = _chosen(rows.y_B, options.seed)
    networks = _learn(rows, chosen, folds, reading, spec, options, progress)
    left_out_B = np.full(len(rows.y_B), np.nan)
    left_out_B[chosen] = networks.left_out_margin_B
    stack = fit_stack(left_out_margins(trees, rows, folds), left_out_B, rows.y_B)
    trees_MB = tree_model.margins(trees.fold_texts, valid_rows.x_BF)
    about = tree_model.about(trees)
    about |= {"stack": stack.to_json(), "network": _record(networks, reading, spec, len(chosen))}
    if not stack.listens:
        return tree_model.tree_model(trees.text, trees_MB, about)
    return FittedModel(
        parts={
            tree_model.PART: ("lightgbm", trees.text.encode()),
            PART: ("onnx", export_networks(networks.served, rows.x_BF[:EXAMPLE_ROWS])),
        },
        stages=(
            StageDraft(part=tree_model.PART, weights=(1.0,), operations=tree_model.comparisons(trees)),
            StageDraft(part=PART, weights=stack.weights, bias=stack.bias, operations=_operations(networks.served)),
        ),
        fold_margin_MB=stack(trees_MB, margins_of(networks.served, valid_rows.x_BF)),
        about=about,
        exit_tolerance=min(TOLERANCE, GIVEN_UP * stack.gain),
        packages=("torch",),
    )


def _chosen(y_B: Floats, seed: int) -> Ints:
    """Rows that the networks learn from, rising."""
    good = np.flatnonzero(y_B == 0)
    if len(good) > GOOD_ROWS:
        good = np.random.default_rng(seed).choice(good, GOOD_ROWS, replace=False)
    return np.sort(np.concatenate([np.flatnonzero(y_B == 1), good]))


def _learn(
    rows: TrainingRows,
    chosen: Ints,
    folds: Folds,
    reading: Reading,
    spec: FeatureSpec,
    options: CreditOptions,
    progress: Progress,
) -> Networks:
    place = np.full(len(rows.y_B), -1)
    place[chosen] = np.arange(len(chosen))
    own = [tuple(place[part][place[part] >= 0] for part in fold) for fold in folds]
    some = TrainingRows(x_BF=rows.x_BF[chosen], y_B=rows.y_B[chosen])
    learning = LearningRows(x_BF=some.x_BF, y_B=some.y_B, folds=[(fitted, out) for fitted, out in own])
    networks = make_networks(reading, spec, some.x_BF, TRUNK, len(folds), options.seed)
    with half_of_the_cores():
        return train_folds(
            FoldNets(networks, SequenceReader(reading, TRUNK.hide)),
            learning,
            TRUNK,
            seed=options.seed,
            device=find_device(options.device),
            folder=None if options.resume is None else options.resume / "networks",
            progress=lambda share, words: progress(share, f"networks over sequences: {words}"),
            origin=origin_of(some, some.x_BF[:0], spec, TRUNK),
        )


def _operations(served: FoldNets) -> float:
    networks = [network for network in served.networks if isinstance(network, AssayModel)]
    assert isinstance(served.reader, SequenceReader)
    tokens = sum(len(sequence.since) for sequence in served.reader.reading.sequences)
    return float(sum(count_model(network, tokens).operations[-1] for network in networks))


def _record(networks: Networks, reading: Reading, spec: FeatureSpec, rows: int) -> Mapping[str, Any]:
    report, served = networks.report, networks.served
    return {
        "rows": rows,
        "networks": len(served.networks),
        "sequences": {s.name: [spec.columns[at].name for at in s.value] for s in reading.sequences},
        "features": [spec.columns[at].name for at in reading.table],
        "parameters": sum(parameter.numel() for parameter in served.parameters()),
        "operations": _operations(served),
        "steps": report.steps,
        "best_step": report.best_step,
        "left_out_log_loss": -max(found["gain"] for found in report.evaluations),
        "experts": {
            "layer": str(count(TRUNK.moe)),
            "load_entropy_mean": float(np.mean([balance.entropy for balance in networks.balance])),
            "dead_share_worst": max(balance.dead_share for balance in networks.balance),
        },
    }

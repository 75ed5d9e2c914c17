"""Preset `full`: boosted trees and networks of experts, stacked on rows that neither learned from.

Both are cross-fitted over the same folds of the training rows: each row's two margins come from trees and from a
network that did not see it, and on these the stack's weights are fitted. The validation rows are seen by nobody before
they calibrate. Where the networks add nothing that the rows could prove, the trees alone are the model.

B rows, F features, M folds.
"""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.cost import count_model
from core.errors import InputError
from core.model import AssayModel
from core.moe.options import count
from core.runtime.export import export_onnx
from core.train.cores import half_of_the_cores
from data.spec import FeatureSpec
from pipelines.finance import tree_model
from pipelines.finance.boosting import Fitted, Floats, Ints, TrainingRows, fit, make_folds
from pipelines.finance.exits import TOLERANCE, StageDraft
from pipelines.finance.history import HistoryReader, find_history, series_operations
from pipelines.finance.judging import FittedModel
from pipelines.finance.network import (
    FoldNets,
    LearningRows,
    Networks,
    fit_networks,
    margins_of,
    single,
    table_options,
)
from pipelines.finance.network_options import NetworkOptions
from pipelines.finance.options import CreditOptions
from pipelines.finance.pretrain import pretrain
from pipelines.finance.rows import Labelled
from pipelines.finance.stack import Stack, fit_stack
from pipelines.finance.weights import FILE, pack_weights

PART = "network"
Progress = Callable[[float, str], None]
UNLABELLED = 1.0  # rows without a label for each with one, from which on the networks start from what those teach
GIVEN_UP = 0.2  # share of what the networks gain in log loss that early exits may cost
EXAMPLE_ROWS = 64  # on which the exported networks are compared with torch


def fit_full(
    fit_rows: Labelled,
    valid_rows: Labelled,
    spec: FeatureSpec,
    options: CreditOptions,
    progress: Progress,
    *,
    trees: Fitted | None = None,
) -> FittedModel:
    """Fit trees and networks, and stack them. With `options.resume` a run that was cut off goes on in that folder.

    `trees` are of the same rows, where they are fitted already.
    """
    rows = TrainingRows(x_BF=fit_rows.x_BF, y_B=fit_rows.y_B, group_B=fit_rows.group_B)
    if trees is None:
        trees = fit(rows, spec, seed=options.seed, preset=options.preset, progress=_part(progress, 0.0, 0.2))
    networks, beside = _learn(rows, fit_rows.unlabelled_UF, spec, options, _part(progress, 0.2, 0.75))
    progress(0.75, "stacking trees and networks")
    stack = fit_stack(
        left_out_margins(trees, rows, make_folds(rows, options.seed)), networks.left_out_margin_B, rows.y_B
    )
    trees_MB = tree_model.margins(trees.fold_texts, valid_rows.x_BF)
    about = tree_model.about(trees)
    about |= {"stack": stack.to_json(), "network": network_record(networks, spec, fit_rows, options.network)}
    if not stack.listens:
        return tree_model.tree_model(trees.text, trees_MB, about)
    progress(0.77, f"exporting {len(networks.served.networks)} networks")
    model = stacked_model(trees.text, tree_model.comparisons(trees), networks.served, stack, rows.x_BF)
    fold_MB = stack(trees_MB, margins_of(networks.served, valid_rows.x_BF))
    return replace(model, fold_margin_MB=fold_MB, about=about, beside={FILE: beside})


def stacked_model(text: str, comparisons: float, served: FoldNets, stack: Stack, x_BF: Floats) -> FittedModel:
    """Return the cascade of a forest and networks, exported on some of the training rows; its record is still empty."""
    return FittedModel(
        parts={
            tree_model.PART: ("lightgbm", text.encode()),
            PART: ("onnx", export_networks(served, x_BF[:EXAMPLE_ROWS])),
        },
        stages=(
            StageDraft(part=tree_model.PART, weights=(1.0,), operations=comparisons),
            StageDraft(part=PART, weights=stack.weights, bias=stack.bias, operations=_operations(served)),
        ),
        fold_margin_MB=np.empty((0, 0)),
        about={},
        exit_tolerance=min(TOLERANCE, GIVEN_UP * stack.gain),
        packages=("torch",),
    )


def _learn(
    rows: TrainingRows, unlabelled_UF: Floats, spec: FeatureSpec, options: CreditOptions, progress: Progress
) -> tuple[Networks, bytes]:
    """The networks, and their weights as an update takes them up."""
    shape, device = options.network.for_rows(len(rows.y_B)), find_device(options.device)
    every_BF = np.concatenate([rows.x_BF, unlabelled_UF])
    table, origin = table_options(spec, every_BF, shape), origin_of(rows, unlabelled_UF, spec, shape)
    history = find_history(spec, every_BF) if shape.history else None
    start = None
    with half_of_the_cores():
        if len(unlabelled_UF) >= UNLABELLED * len(rows.y_B):
            words = _saying(f"learning from {len(unlabelled_UF)} rows without a label: ", _part(progress, 0.0, 0.2))
            folder = None if options.resume is None else options.resume / "start"
            start = pretrain(
                every_BF,
                table,
                shape,
                seed=options.seed,
                device=device,
                folder=folder,
                progress=words,
                history=history,
                origin=origin,
            )
        networks = fit_networks(
            LearningRows(x_BF=rows.x_BF, y_B=rows.y_B, folds=make_folds(rows, options.seed)),
            table,
            shape,
            seed=options.seed,
            device=device,
            folder=None if options.resume is None else options.resume / "networks",
            progress=_saying("networks of experts: ", progress if start is None else _part(progress, 0.2, 1.0)),
            history=history,
            start=start,
            origin=origin,
        )
    return networks, pack_weights(networks.served, table, shape, history)


def left_out_margins(trees: Fitted, rows: TrainingRows, folds: Sequence[tuple[Ints, Ints]]) -> Floats:
    """Each row's margin (B,) by the trees of the fold that left it out; NaN where none did."""
    margin_B = np.full(len(rows.y_B), np.nan)
    for text, (_, out) in zip(trees.fold_texts, folds, strict=True):
        margin_B[out] = tree_model.margins([text], rows.x_BF[out])[0]
    return margin_B


def export_networks(served: FoldNets, x_BF: Floats) -> bytes:
    """The networks in ONNX, compared with torch on some rows of which some values are hidden."""
    table = single(x_BF)
    given = torch.ones_like(table)
    given[::2, ::3] = 0.0
    with tempfile.TemporaryDirectory() as draft:
        path = Path(draft) / "network.onnx"
        export_onnx(served, {"table": table, "given": given}, path)
        return path.read_bytes()


def _operations(served: FoldNets) -> float:
    networks = [network for network in served.networks if isinstance(network, AssayModel)]
    if served.reader is None:
        return float(sum(count_model(network).operations[-1] for network in networks))
    assert isinstance(served.reader, HistoryReader)
    history = served.reader.history
    in_trunk = sum(count_model(network, history.tokens).operations[-1] for network in networks)
    return float(in_trunk + sum(series_operations(network, history) for network in networks))


def find_device(wanted: str) -> torch.device:
    """Where networks are trained. InputError: cuda is wanted and not there."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError("the device is cuda, but torch sees none; set ASSAY_DEVICE=cpu or auto", code="NO_CUDA")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def origin_of(rows: TrainingRows, unlabelled_UF: Floats, spec: FeatureSpec, shape: NetworkOptions) -> str:
    """Hash of what is learned from, and how: a run on other rows or of other networks must not be taken up."""
    digest = hashlib.sha256(repr((spec.to_json(), shape)).encode())
    for array in (rows.x_BF, rows.y_B, unlabelled_UF):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def network_record(networks: Networks, spec: FeatureSpec, fit_rows: Labelled, shape: NetworkOptions) -> dict[str, Any]:
    report, served = networks.report, networks.served
    return {
        "rows_without_label": len(fit_rows.unlabelled_UF),
        "history": served.reader.history.names(spec) if isinstance(served.reader, HistoryReader) else None,
        "networks": len(served.networks),
        "parameters": sum(parameter.numel() for parameter in served.parameters()),
        "operations": _operations(served),
        "steps": report.steps,
        "best_step": report.best_step,
        "left_out_log_loss": -max(found["gain"] for found in report.evaluations),
        "experts": {
            "preset": shape.experts,
            "layer": str(count(shape.moe)),
            "load_entropy_mean": float(np.mean([balance.entropy for balance in networks.balance])),
            "max_violation_worst": max(balance.max_violation for balance in networks.balance),
            "dead_share_worst": max(balance.dead_share for balance in networks.balance),
            "used": [{"most": one.most_used, "least": one.least_used} for one in networks.balance],
        },
    }


def _saying(what: str, progress: Progress) -> Progress:
    return lambda share, words: progress(share, what + words)


def _part(progress: Progress, start: float, end: float) -> Progress:
    return lambda share, words: progress(start + (end - start) * share, words)

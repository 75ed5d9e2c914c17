"""Updating the preset `full`: the forest and the networks of experts learn on, and are stacked anew on the new rows.

Folds are shared by both and as many as the base has networks, so that every new row has a margin by trees and by a
network that did not learn from it. Where those rows would rather not listen to the networks, the base's weights stay:
the old rows did listen.

B rows, M networks.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from core.errors import InputError
from core.train.cores import half_of_the_cores
from pipelines.finance import tree_model
from pipelines.finance.boosting import Floats, TrainingRows, make_folds
from pipelines.finance.continued import Continued, continue_trees
from pipelines.finance.full import PART, find_device, network_record, origin_of, stacked_model
from pipelines.finance.judging import FittedModel
from pipelines.finance.network import LearningRows, margins_of
from pipelines.finance.network_update import LearnedOn, UpdateOptions, continue_networks
from pipelines.finance.options import CreditOptions
from pipelines.finance.rows import Labelled
from pipelines.finance.stack import Stack, fit_stack
from pipelines.finance.update import Base, update_trees
from pipelines.finance.weights import FILE, Rebuilt, pack_weights, unpack_weights

Progress = Callable[[float, str], None]


def update_full(
    base: Base,
    fit_rows: Labelled,
    valid_rows: Labelled,
    options: CreditOptions,
    progress: Progress,
    *,
    update: UpdateOptions | None = None,
) -> tuple[FittedModel, dict[str, Any]]:
    """Let trees and networks learn on; the second is what the update did. InputError: the bundle holds no weights.

    With `options.resume` a run that was cut off goes on in that folder.
    """
    if PART not in base.engine.bundle.manifest.parts:  # the networks were not listened to
        return update_trees(base, fit_rows, valid_rows, options, progress)
    rebuilt = _weights(base)
    rows = TrainingRows(x_BF=fit_rows.x_BF, y_B=fit_rows.y_B, group_B=fit_rows.group_B)
    learning = _learning(rows, options.seed, len(rebuilt.served.networks))
    shape = base.about["trees"]
    trees = continue_trees(
        base.trees, shape, rows, base.spec, seed=options.seed, progress=_part(progress, 0.0, 0.2), folds=learning.folds
    )
    learned = _continue(base, rebuilt, learning, options, update or UpdateOptions(), _part(progress, 0.2, 0.75))
    progress(0.75, "stacking trees and networks")
    networks, stack = learned.networks, _stack(base, trees, learned, learning)
    record = network_record(networks, base.spec, fit_rows, rebuilt.shape) | {"left_out_log_loss": learned.after}
    model = stacked_model(trees.text, _comparisons(base, trees), networks.served, stack, rows.x_BF)
    trees_MB = tree_model.margins(trees.fold_texts, valid_rows.x_BF)
    fitted = replace(
        model,
        fold_margin_MB=stack(trees_MB, margins_of(networks.served, valid_rows.x_BF)),
        about=trees.about(base.about) | {"stack": stack.to_json(), "network": record},
        beside={FILE: pack_weights(networks.served, rebuilt.table, rebuilt.shape, rebuilt.history)},
    )
    return fitted, {"trees": trees.to_json(), "networks": learned.to_json()}


def _weights(base: Base) -> Rebuilt:
    bundle = base.engine.bundle
    if FILE not in bundle.manifest.files:
        raise InputError(
            f"the bundle of {base.words} holds no {FILE}, the weights of its networks, so they cannot learn on; train "
            "it anew once, without --update",
            code="NO_WEIGHTS",
        )
    return unpack_weights((bundle.folder / FILE).read_bytes())


def _learning(rows: TrainingRows, seed: int, networks: int) -> LearningRows:
    folds = make_folds(rows, seed, networks)
    if len(folds) != networks:  # a fold of groups had one class only
        folds = make_folds(replace(rows, group_B=None), seed, networks)
    return LearningRows(x_BF=rows.x_BF, y_B=rows.y_B, folds=folds)


def _continue(
    base: Base, rebuilt: Rebuilt, rows: LearningRows, options: CreditOptions, update: UpdateOptions, progress: Progress
) -> LearnedOn:
    learned_from = TrainingRows(x_BF=rows.x_BF, y_B=rows.y_B)
    origin = origin_of(learned_from, rows.x_BF[:0], base.spec, rebuilt.shape)
    with half_of_the_cores():
        return continue_networks(
            rebuilt.served,
            rows,
            rebuilt.shape,
            update,
            seed=options.seed,
            device=find_device(options.device),
            folder=None if options.resume is None else options.resume / "networks",
            progress=lambda share, words: progress(share, f"networks of experts: {words}"),
            origin=f"{origin} from {base.engine.bundle.manifest_sha256}",
        )


def _stack(base: Base, trees: Continued, learned: LearnedOn, rows: LearningRows) -> Stack:
    trees_B: Floats = np.full(len(rows.y_B), np.nan)
    for text, (_, out) in zip(trees.fold_texts, rows.folds, strict=True):
        trees_B[out] = tree_model.margins([text], rows.x_BF[out])[0]
    found = fit_stack(trees_B, learned.networks.left_out_margin_B, rows.y_B)
    before: Mapping[str, float] = base.about["stack"]
    old = Stack(**{field.name: before[field.name] for field in fields(Stack)})
    return found if found.listens else replace(old, gain=found.gain, gain_error=found.gain_error)


def _comparisons(base: Base, trees: Continued) -> float:
    """How many comparisons the trees cost a row, where every tree is a full one of its leaves."""
    return float((base.about["rounds"] + trees.trees) * np.ceil(np.log2(base.about["trees"]["num_leaves"])))


def _part(progress: Progress, start: float, end: float) -> Progress:
    return lambda share, words: progress(start + (end - start) * share, words)

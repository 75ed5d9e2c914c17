"""Boosted trees as a model, or as the first stage of one. B rows, M folds."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.runtime.trees import TreeRunner
from data.spec import FeatureSpec
from pipelines.finance.boosting import Fitted, Floats, TrainingRows, fit
from pipelines.finance.exits import StageDraft
from pipelines.finance.features import TABLE
from pipelines.finance.judging import FittedModel
from pipelines.finance.options import CreditOptions
from pipelines.finance.rows import Labelled

Progress = Callable[[float, str], None]
PART = "trees"


def fit_trees(
    fit_rows: Labelled, valid_rows: Labelled, spec: FeatureSpec, options: CreditOptions, progress: Progress
) -> FittedModel:
    """Fit boosted trees alone: the preset `fast`."""
    rows = TrainingRows(x_BF=fit_rows.x_BF, y_B=fit_rows.y_B, group_B=fit_rows.group_B)
    found = fit(rows, spec, seed=options.seed, preset=options.preset, progress=progress)
    return tree_model(found.text, margins(found.fold_texts, valid_rows.x_BF), about(found))


def tree_model(text: str, fold_margin_MB: Floats, about: dict[str, Any]) -> FittedModel:
    """Return the model that is nothing but these trees; `fold_margin_MB` as FittedModel has it."""
    return FittedModel(
        parts={PART: ("lightgbm", text.encode())},
        stages=(StageDraft(part=PART, weights=(1.0,)),),
        fold_margin_MB=fold_margin_MB,
        about=about,
    )


def about(found: Fitted) -> dict[str, Any]:
    """How the trees were found, for the bundle."""
    return {
        "rounds": found.rounds,
        "trees": found.options,
        "cross_validated_log_loss": found.left_out_log_loss,
        "gain": list(found.gain_F),
    }


def margins(texts: Sequence[str], x_BF: Floats) -> Floats:
    """Margins (M, B) of text models, by the runner that serves."""
    return np.stack([_margin(text, x_BF) for text in texts]) if texts else np.empty((0, len(x_BF)))


def comparisons(found: Fitted) -> float:
    """How many comparisons the trees cost a row, where every tree is a full one of its leaves."""
    return float(found.rounds * np.ceil(np.log2(found.options["num_leaves"])))


def _margin(text: str, x_BF: Floats) -> Floats:
    with tempfile.TemporaryDirectory() as draft:
        path = Path(draft) / "trees.txt"
        path.write_bytes(text.encode())
        return np.asarray(TreeRunner(path).run({TABLE: x_BF})["margin"], dtype=np.float64)

"""The presets of a fraud model: boosted trees over the features of the past, and networks that read sequences."""

from collections.abc import Callable
from typing import Any

from data.spec import FeatureSpec
from pipelines.finance.boosting import Fitted, TrainingRows, fit, make_folds
from pipelines.finance.fraud_ledger import Ledger
from pipelines.finance.fraud_options import FraudOptions
from pipelines.finance.fraud_rows import FraudRows
from pipelines.finance.judging import FittedModel
from pipelines.finance.tree_model import about, margins, tree_model

Progress = Callable[[float, str], None]
TRIALS: tuple[dict[str, Any], ...] = (
    {"num_leaves": 16, "learning_rate": 0.05, "feature_fraction": 0.5},
)  # histories have many features that say nearly the same


BINS = 1_023  # an amount that only frauds have lies in the last thousandth of all amounts


def fit_fast(
    fit_rows: FraudRows,
    valid_rows: FraudRows,
    ledger: Ledger,
    spec: FeatureSpec,
    options: FraudOptions,
    progress: Progress,
) -> FittedModel:
    """Fit boosted trees alone."""
    found = _fit_trees(fit_rows, spec, options, progress)
    return tree_model(found.text, margins(found.fold_texts, valid_rows.labelled.x_BF), about(found))


def fit_full(
    fit_rows: FraudRows,
    valid_rows: FraudRows,
    ledger: Ledger,
    spec: FeatureSpec,
    options: FraudOptions,
    progress: Progress,
) -> FittedModel:
    """Fit trees, and networks of experts over sequences, and stack them."""
    # torch takes a second to import, and the preset `fast` needs none of it
    from pipelines.finance.fraud_full import stack_sequences  # noqa: PLC0415

    trees = _fit_trees(fit_rows, spec, options, lambda share, words: progress(0.4 * share, words))
    return stack_sequences(
        trees,
        make_folds(_rows(fit_rows), options.seed),
        fit_rows.labelled,
        valid_rows.labelled,
        spec,
        ledger.plan,
        options,
        lambda share, words: progress(0.4 + 0.4 * share, words),
    )


def _fit_trees(fit_rows: FraudRows, spec: FeatureSpec, options: FraudOptions, progress: Progress) -> Fitted:
    return fit(_rows(fit_rows), spec, seed=options.seed, preset="fast", progress=progress, trials=TRIALS, bins=BINS)


def _rows(fit_rows: FraudRows) -> TrainingRows:
    rows = fit_rows.labelled
    return TrainingRows(x_BF=rows.x_BF, y_B=rows.y_B, group_B=rows.group_B)


Fitter = Callable[[FraudRows, FraudRows, Ledger, FeatureSpec, FraudOptions, Progress], FittedModel]
FITTERS: dict[str, Fitter] = {"fast": fit_fast, "full": fit_full}

"""The presets of a fraud model: boosted trees over the features of the past."""

from collections.abc import Callable
from typing import Any

from data.spec import FeatureSpec
from pipelines.finance.boosting import TrainingRows, fit
from pipelines.finance.fraud_ledger import Ledger
from pipelines.finance.fraud_options import FraudOptions
from pipelines.finance.fraud_rows import FraudRows
from pipelines.finance.judging import FittedModel
from pipelines.finance.tree_model import about, margins, tree_model

Progress = Callable[[float, str], None]
TRIALS: tuple[dict[str, Any], ...] = (
    {"num_leaves": 31, "learning_rate": 0.05, "feature_fraction": 0.5},
)  # histories have many features that say nearly the same


def fit_fast(
    fit_rows: FraudRows,
    valid_rows: FraudRows,
    ledger: Ledger,
    spec: FeatureSpec,
    options: FraudOptions,
    progress: Progress,
) -> FittedModel:
    """Fit boosted trees alone."""
    rows = fit_rows.labelled
    found = fit(
        TrainingRows(x_BF=rows.x_BF, y_B=rows.y_B, group_B=rows.group_B),
        spec,
        seed=options.seed,
        preset="fast",
        progress=progress,
        trials=TRIALS,
    )
    return tree_model(found.text, margins(found.fold_texts, valid_rows.labelled.x_BF), about(found))


Fitter = Callable[[FraudRows, FraudRows, Ledger, FeatureSpec, FraudOptions, Progress], FittedModel]
FITTERS: dict[str, Fitter] = {"fast": fit_fast}

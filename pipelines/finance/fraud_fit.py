"""The presets of a fraud model: boosted trees over the features of the past, and networks that read sequences.

Shape and rounds are found by cross-validation on the first draw of rows; then trees are fitted to each draw, and their
mean is served. So far more good rows are learned from than any one of them holds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from data.spec import FeatureSpec
from pipelines.finance.boosting import Fitted, TrainingRows, fit, make_folds
from pipelines.finance.forests import mean_of
from pipelines.finance.fraud_options import FraudOptions
from pipelines.finance.judging import FittedModel
from pipelines.finance.rows import Labelled
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.tree_model import about, margins, tree_model

Progress = Callable[[float, str], None]
TRIALS: tuple[dict[str, Any], ...] = (
    {"num_leaves": 16, "learning_rate": 0.05, "feature_fraction": 0.5},
)  # histories have many features that say nearly the same
BINS = 1_023  # an amount that only frauds have lies in the last thousandth of all amounts


@dataclass(frozen=True, kw_only=True)
class Learning:
    """What a fraud model is fitted from; `more` measures the further draws of rows, one after the other."""

    rows: Labelled
    more: Callable[[], Iterator[Labelled]]
    valid_rows: Labelled
    plan: TransactionPlan
    spec: FeatureSpec
    options: FraudOptions

    @property
    def training(self) -> TrainingRows:
        """The first draw."""
        return training_of(self.rows)


def fit_fast(learning: Learning, progress: Progress) -> FittedModel:
    """Fit boosted trees alone."""
    found = _fit_trees(learning, progress)
    return tree_model(found.text, margins(found.fold_texts, learning.valid_rows.x_BF), about(found))


def fit_full(learning: Learning, progress: Progress) -> FittedModel:
    """Fit trees, and networks of experts over sequences, and stack them."""
    # torch takes a second to import, and the preset `fast` needs none of it
    from pipelines.finance.fraud_full import stack_sequences  # noqa: PLC0415

    trees = _fit_trees(learning, lambda share, words: progress(0.4 * share, words))
    return stack_sequences(
        trees,
        make_folds(learning.training, learning.options.seed),
        learning.rows,
        learning.valid_rows,
        learning.spec,
        learning.plan,
        learning.options,
        lambda share, words: progress(0.4 + 0.4 * share, words),
    )


def _fit_trees(learning: Learning, progress: Progress) -> Fitted:
    spec, seed = learning.spec, learning.options.seed
    found = fit(learning.training, spec, seed=seed, preset="fast", progress=progress, trials=TRIALS, bins=BINS)
    texts = [found.text]
    for number, rows in enumerate(learning.more(), 1):
        progress(0.75, f"fitting {found.rounds} trees to draw {number + 1} of {len(rows.y_B)} rows")
        texts.append(_fit_again(found.options | {"seed": seed + number}, found.rounds, training_of(rows), spec))
    return replace(found, text=mean_of(texts), rounds=found.rounds * len(texts))


def _fit_again(options: Mapping[str, Any], rounds: int, rows: TrainingRows, spec: FeatureSpec) -> str:
    import lightgbm  # noqa: PLC0415 - a second of imports, and scoring needs none of it

    data = lightgbm.Dataset(
        rows.x_BF,
        rows.y_B,
        feature_name=[f"f{i}" for i in range(len(spec.columns))],
        categorical_feature=[i for i, column in enumerate(spec.columns) if column.kind == "category"],
        params={"verbose": -1, "feature_pre_filter": False, "num_threads": 1, "max_bin": BINS},
    )
    text = str(lightgbm.train({**options, "num_threads": 1}, data, rounds).model_to_string())
    return text.replace("[num_threads: 1]", "[num_threads: 0]")


def training_of(rows: Labelled) -> TrainingRows:
    """Rows as the trees take them."""
    return TrainingRows(x_BF=rows.x_BF, y_B=rows.y_B, group_B=rows.group_B)


Fitter = Callable[[Learning, Progress], FittedModel]
FITTERS: dict[str, Fitter] = {"fast": fit_fast, "full": fit_full}

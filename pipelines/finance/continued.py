"""Learning on with trees: the forest stays as it is, and trees of the new rows are put on top of it.

Boosting goes on from the margins of the base, moved by one number to the new rows' share of bad cases, so that no tree
is spent on another base rate (the calibration takes it up). How many trees, and whether any, is where the mean loss of
rows left out of the new ones is lowest. So what the base knows is corrected only where new rows speak against it.
Tried and left: LightGBM's `refit` of the leaves, and moving each leaf by its own information (README).

B rows, F features, M folds.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.metrics.binary import log_loss
from core.runtime.engine import logistic
from data.spec import FeatureSpec
from pipelines.finance import tree_model
from pipelines.finance.boosting import METRIC, PATIENCE, SHRUNK, Floats, Ints, TrainingRows, make_folds
from pipelines.finance.forests import mean_of, sum_of
from pipelines.finance.forgetting import at_rate

Progress = Callable[[float, str], None]
MOST_ROUNDS = 600  # that one update adds
SHAPE = (*SHRUNK, "extra_trees", "monotone_constraints")  # of the base's options


@dataclass(frozen=True, kw_only=True)
class Continued:
    """A forest that learned on. Without a round it is the base: the new rows taught it no more than a base rate."""

    text: str  # the base's trees, then those of the new rows
    rounds: int  # that were added, of each seed
    trees: int  # that were added
    options: dict[str, Any]
    fold_texts: tuple[str, ...]  # M models that did not learn from their fold of the new rows
    before: float  # log loss of the base on the new rows at their base rate, left out of that rate
    after: float  # of the folds' models on the rows left out
    gain_F: tuple[float, ...]  # gain of the added splits on every feature

    def about(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """The entries of tree_model.about for the whole forest; `base` are those of the updated model."""
        return {
            "rounds": base["rounds"] + self.rounds,
            "trees": dict(base["trees"]),
            "cross_validated_log_loss": self.after,
            "gain": [old + new for old, new in zip(base["gain"], self.gain_F, strict=True)],
        }

    def to_json(self) -> dict[str, Any]:
        """What the update did, for the bundle."""
        losses = {"left_out_log_loss_before": self.before, "left_out_log_loss_after": self.after}
        return {"rounds_added": self.rounds, "trees_added": self.trees, **losses}


def continue_trees(
    base_text: str,
    base_options: Mapping[str, Any],
    rows: TrainingRows,
    spec: FeatureSpec,
    *,
    seed: int,
    progress: Progress,
    seeds: int = 1,
    folds: Sequence[tuple[Ints, Ints]] | None = None,
) -> Continued:
    """Let a forest learn from new rows. With several seeds the added trees are the mean of so many forests.

    InputError: fewer than ten new rows of a class. Same base, rows and seed give the same bytes.
    """
    data = _Data(rows, spec, _options(base_options, len(rows.y_B), seed), tree_model.margins([base_text], rows.x_BF)[0])
    folds = make_folds(rows, seed) if folds is None else folds
    progress(0.1, f"learning on from {len(rows.y_B)} rows, {len(folds)} folds")
    with ThreadPoolExecutor(max_workers=min(len(folds), os.cpu_count() or 1)) as pool:
        losses = list(pool.map(data.fold_losses, folds))
    shortest = min(len(of_fold) for of_fold in losses)
    mean = np.mean([of_fold[:shortest] for of_fold in losses], axis=0)  # of 0, 1, 2, ... rounds
    rounds = int(np.argmin(mean))
    progress(0.6, f"adding {rounds} trees")
    parts: list[Ints] = [np.arange(len(rows.y_B)), *(np.sort(fitted) for fitted, _ in folds)]
    forests = data.forests(parts, rounds, seeds)
    texts = [base_text if not rounds else sum_of([base_text, mean_of(forest)]) for forest in forests]
    return Continued(
        text=texts[0],
        rounds=rounds,
        trees=rounds * seeds,
        options=data.options,
        fold_texts=tuple(texts[1:]),
        before=float(mean[0]),
        after=float(mean[rounds]),
        gain_F=data.gain(forests[0]),
    )


class _Data:
    """The new rows as LightGBM takes them, each with the base's margin (B,) to start from."""

    def __init__(self, rows: TrainingRows, spec: FeatureSpec, options: dict[str, Any], margin_B: Floats) -> None:
        self.rows, self.options, self.margin_B = rows, options, margin_B
        self.names = [f"f{at}" for at in range(len(spec.columns))]
        self.categories = [at for at, column in enumerate(spec.columns) if column.kind == "category"]

    def fold_losses(self, fold: tuple[Ints, Ints]) -> list[float]:
        """Log loss of the rows left out after 0, 1, 2, ... rounds on the others."""
        import lightgbm  # noqa: PLC0415 - a second of imports, and scoring needs none of it

        fitted, out = fold
        start_B = self._start(fitted)
        losses: dict[str, dict[str, list[float]]] = {}
        left = self._dataset(fitted)
        held = lightgbm.Dataset(
            self.rows.x_BF[out], self.rows.y_B[out], init_score=start_B[out], reference=left, params=self._quiet()
        )
        quiet: list[Any] = [lightgbm.early_stopping(PATIENCE, verbose=False), lightgbm.record_evaluation(losses)]
        lightgbm.train(self.options, left, MOST_ROUNDS, valid_sets=[held], valid_names=["out"], callbacks=quiet)
        return [log_loss(self.rows.y_B[out], logistic(start_B[out])), *losses["out"][METRIC]]

    def forests(self, parts: Sequence[Ints], rounds: int, seeds: int) -> list[list[str]]:
        """So many forests of each part of the rows."""
        if not rounds:
            return [[] for _ in parts]
        tasks = [(part, self.options["seed"] + more) for part in parts for more in range(seeds)]
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            texts = list(pool.map(lambda task: self._fit(task[0], task[1], rounds), tasks))
        return [texts[at * seeds : (at + 1) * seeds] for at in range(len(parts))]

    def gain(self, texts: Sequence[str]) -> tuple[float, ...]:
        """Gain of the splits of a mean of forests on every feature."""
        import lightgbm  # noqa: PLC0415 - see fold_losses

        gains = [lightgbm.Booster(model_str=text).feature_importance("gain") for text in texts]
        return tuple(np.mean(gains, axis=0).tolist()) if gains else (0.0,) * len(self.names)

    def _fit(self, part: Ints, seed: int, rounds: int) -> str:
        import lightgbm  # noqa: PLC0415 - see fold_losses

        booster = lightgbm.train(self.options | {"seed": seed}, self._dataset(part), rounds)
        return str(booster.model_to_string()).replace("[num_threads: 1]", "[num_threads: 0]")

    def _dataset(self, part: Ints) -> Any:
        import lightgbm  # noqa: PLC0415 - see fold_losses

        return lightgbm.Dataset(
            self.rows.x_BF[part],
            self.rows.y_B[part],
            init_score=self._start(part)[part],
            feature_name=self.names,
            categorical_feature=self.categories,
            params=self._quiet(),
        )

    def _start(self, part: Ints) -> Floats:
        """The base's margins of all rows, at the base rate of a part of them."""
        shift = at_rate(self.margin_B[part], self.rows.y_B[part])[0] - self.margin_B[part][0]
        return np.asarray(self.margin_B + shift, dtype=np.float64)

    def _quiet(self) -> dict[str, Any]:
        return {name: self.options[name] for name in ("verbose", "feature_pre_filter", "num_threads")}


def _options(base: Mapping[str, Any], rows: int, seed: int) -> dict[str, Any]:
    """The base's shape of trees, and leaves of as many rows as so few allow."""
    shape = SHRUNK | {name: base[name] for name in SHAPE if name in base}
    smallest = max(3, min(SHRUNK["min_data_in_leaf"], rows // 30))
    return {
        "objective": "binary",
        "metric": METRIC,
        "boost_from_average": False,  # the base's margins are where it goes on
        "verbose": -1,
        "num_threads": 1,  # folds run side by side; OpenMP's threads wait for each other on a busy machine
        "deterministic": True,
        "force_col_wise": True,
        "feature_pre_filter": False,
        **shape,
        "min_data_in_leaf": smallest,
        "seed": seed,
    }

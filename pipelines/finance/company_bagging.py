"""Boosted trees of several seeds, averaged: small tables leave much to the draw of rows and columns.

Their mean is one model (`pipelines.finance.forests`).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from os import cpu_count
from typing import Any

import numpy as np

from data.spec import FeatureSpec
from pipelines.finance.boosting import Fitted, TrainingRows, fit, make_folds
from pipelines.finance.forests import mean_of

Progress = Callable[[float, str], None]
SEEDS = 5
TRIED: tuple[dict[str, Any], ...] = (
    {},
    {"num_leaves": 8, "extra_trees": True, "learning_rate": 0.05, "feature_fraction": 0.3},
)  # each was the better one on one of three tables


def fit_bagged(rows: TrainingRows, spec: FeatureSpec, *, seed: int, progress: Progress) -> Fitted:
    """Choose shape and rounds by cross-validation, then fit that with `SEEDS` seeds, on all rows and on every fold."""
    found = fit(rows, spec, seed=seed, preset="fast", progress=progress, trials=TRIED)
    progress(0.75, f"fitting it with {SEEDS} seeds")
    parts = [None, *(fitted for fitted, _ in make_folds(rows, seed))]
    tasks = [(part, seed + more) for part in parts for more in range(1, SEEDS)]
    data = _dataset(rows, spec)
    with ThreadPoolExecutor(max_workers=cpu_count() or 1) as pool:
        texts = list(pool.map(lambda task: _fit_again(found, data, *task), tasks))
    own = [found.text, *found.fold_texts]
    merged = [mean_of([text, *texts[at * (SEEDS - 1) : (at + 1) * (SEEDS - 1)]]) for at, text in enumerate(own)]
    return replace(found, text=merged[0], fold_texts=tuple(merged[1:]), rounds=found.rounds * SEEDS)


def _dataset(rows: TrainingRows, spec: FeatureSpec) -> Any:
    import lightgbm  # noqa: PLC0415 - a second of imports, and scoring needs none of it

    names = [f"f{i}" for i in range(len(spec.columns))]
    categories = [i for i, column in enumerate(spec.columns) if column.kind == "category"]
    params = {"verbose": -1, "feature_pre_filter": False, "num_threads": 1}
    return lightgbm.Dataset(
        rows.x_BF, rows.y_B, feature_name=names, categorical_feature=categories, free_raw_data=False, params=params
    ).construct()


def _fit_again(found: Fitted, data: Any, part: Any, seed: int) -> str:
    import lightgbm  # noqa: PLC0415 - see _dataset

    rows = data if part is None else data.subset(np.sort(part))
    booster = lightgbm.train(found.options | {"seed": seed, "num_threads": 1}, rows, found.rounds)
    return str(booster.model_to_string()).replace("[num_threads: 1]", "[num_threads: 0]")

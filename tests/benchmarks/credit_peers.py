"""The tables, the peers and the paired bootstrap that the credit benchmarks share."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost

from core.metrics.binary import auc, log_loss
from data.tables import read_table

TABLES = {
    "gmsc": ("SeriousDlqin2yrs", "row_id"),
    "taiwan_default": ("default_next_month", "ID"),
    "heloc": ("bad", None),
    "polish_5year": ("bankrupt", None),
    "german_credit": ("bad", None),
}
DRAWS = 500
TRIALS = 50


@dataclass(frozen=True)
class Parts:
    """Features of the three splits as peers take them (text columns as categories), and their labels."""

    x: tuple[pd.DataFrame, ...]
    y: tuple[np.ndarray, ...]


def splits(realdata: Path, name: str) -> Iterator[pd.DataFrame]:
    """Yield the rows of train, val and test."""
    path = realdata / "data/finance" / name / f"{name}.csv.gz"
    for part in ("train", "val", "test"):
        yield read_table(path, where={"split": part}).frame.drop(columns="split")


def parts_of(frames: list[pd.DataFrame], target: str, id_column: str | None) -> Parts:
    """Cut labels and ids off, and make text a category of the training rows' levels."""
    kept = [frame.drop(columns=[target, *([id_column] if id_column else [])]) for frame in frames]
    for column in kept[0].columns:
        if not pd.api.types.is_numeric_dtype(kept[0][column]):
            levels = sorted(kept[0][column].dropna().unique())
            for frame in kept:
                frame[column] = pd.Categorical(frame[column], categories=levels)
    return Parts(tuple(kept), tuple(frame[target].to_numpy(float) for frame in frames))


def lightgbm_margin(parts: Parts, seed: int, **changes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of val and test; early stopping on val."""
    data = lightgbm.Dataset(parts.x[0], parts.y[0])
    held = lightgbm.Dataset(parts.x[1], parts.y[1], reference=data)
    options = {"objective": "binary", "learning_rate": 0.05, "verbose": -1, "num_threads": 1, "seed": seed} | changes
    stop = [lightgbm.early_stopping(50, verbose=False)]
    booster = lightgbm.train(options, data, 2_000, valid_sets=[held], callbacks=stop)
    val, test = (np.asarray(booster.predict(x, raw_score=True)) for x in parts.x[1:])
    return val, test


def xgboost_margin(parts: Parts, seed: int) -> np.ndarray:
    """Log-odds of test; early stopping on val."""
    trees = xgboost.XGBClassifier(
        n_estimators=2_000,
        learning_rate=0.05,
        early_stopping_rounds=50,
        enable_categorical=True,
        n_jobs=1,
        random_state=seed,
    )
    trees.fit(parts.x[0], parts.y[0], eval_set=[(parts.x[1], parts.y[1])], verbose=False)
    return np.asarray(trees.predict(parts.x[2], output_margin=True))


def tuned_margin(parts: Parts, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """LightGBM by a random search of 50 trials, the least log loss on val: log-odds of test, and what was chosen."""
    rng = np.random.default_rng(seed)
    best: tuple[float, np.ndarray, dict[str, Any]] | None = None
    for _ in range(TRIALS):
        tried = {
            "learning_rate": float(np.exp(rng.uniform(np.log(0.015), np.log(0.15)))),
            "num_leaves": int(np.exp(rng.uniform(np.log(4), np.log(64)))),
            "min_data_in_leaf": int(np.exp(rng.uniform(np.log(5), np.log(150)))),
            "feature_fraction": float(rng.uniform(0.3, 1.0)),
            "bagging_fraction": float(rng.uniform(0.5, 1.0)),
            "bagging_freq": 1,
            "lambda_l2": float(np.exp(rng.uniform(np.log(0.01), np.log(50)))),
            "extra_trees": bool(rng.integers(2)),
        }
        val, test = lightgbm_margin(parts, seed, **tried)
        loss = log_loss(parts.y[1], 1 / (1 + np.exp(-val)))
        if best is None or loss < best[0]:
            best = loss, test, tried
    assert best is not None
    return best[1], best[2]


def gain_draws(y: np.ndarray, ours: list[np.ndarray], theirs: list[np.ndarray]) -> np.ndarray:
    """Differences of the mean AUC over seeds on bootstrap draws of the rows, all models on the same draws."""
    rng = np.random.default_rng(0)
    found: list[float] = []
    while len(found) < DRAWS:
        rows = rng.integers(0, len(y), len(y))
        if 0 < y[rows].sum() < len(y):
            mean = [np.mean([auc(y[rows], p[rows]) for p in side]) for side in (ours, theirs)]
            found.append(float(mean[0] - mean[1]))
    return np.asarray(found)


def interval(draws: np.ndarray, gain: float) -> str:
    """The gain with its 95 % interval."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{gain:+.4f} [{low:+.4f}, {high:+.4f}]"

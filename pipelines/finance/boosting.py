"""Fitting the trees: LightGBM with rounds chosen by cross-validation inside the training rows.

The validation rows take no part in any choice here, so that the calibration and the zones are set on rows that the
trees never saw. Same rows, options and seed give the same bytes, whatever the number of threads.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from data.spec import FeatureSpec

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Preset = Literal["fast", "full"]
METRIC = "binary_logloss"
MOST_ROUNDS = 2_000
ROWS_A_THREAD = 100_000
PATIENCE = 60  # rounds without gain
FEWEST_ROWS = 10  # of each class, so that every fold has both
SHRUNK = {
    "learning_rate": 0.03,
    "num_leaves": 16,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
}  # found by cross-validation on five training tables; shallow trees also make contributions of many rows cheap
TRIED: dict[Preset, tuple[dict[str, Any], ...]] = {
    "fast": ({},),
    "full": (
        {},
        {"num_leaves": 6},
        {"num_leaves": 8, "extra_trees": True, "learning_rate": 0.05},
        {"feature_fraction": 0.3},
    ),
}


@dataclass(frozen=True, kw_only=True)
class TrainingRows:
    """The table (B, F), labels (B,) of 0 and 1, and which rows must stay together (B,), if any."""

    x_BF: Floats
    y_B: Floats
    group_B: NDArray[Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A model and how it was found."""

    text: str  # LightGBM's text model
    rounds: int
    options: dict[str, Any]
    fold_texts: tuple[str, ...]  # models of the cross-validation
    left_out_log_loss: float  # of the cross-validation
    gain_F: tuple[float, ...]  # gain of the splits on every feature


def fit(
    rows: TrainingRows,
    spec: FeatureSpec,
    *,
    seed: int,
    preset: Preset,
    progress: Callable[[float, str], None],
    trials: Sequence[Mapping[str, Any]] | None = None,
    bins: int = 255,
) -> Fitted:
    """Choose options and rounds by cross-validation, then fit all training rows.

    `trials` are the options to choose among; None: those of the preset. `bins` are steps that a column is cut into:
    rare cases may lie in the last thousandth of one.
    """
    import lightgbm  # noqa: PLC0415 - a second of imports, and scoring needs none of it

    folds = make_folds(rows, seed)
    names = [f"f{i}" for i in range(len(spec.columns))]  # names of columns may hold what the text format cannot
    categories = [i for i, column in enumerate(spec.columns) if column.kind == "category"]
    params = {"verbose": -1, "feature_pre_filter": False, "num_threads": 1, "max_bin": bins}
    data = lightgbm.Dataset(
        rows.x_BF, rows.y_B, feature_name=names, categorical_feature=categories, free_raw_data=False, params=params
    ).construct()
    trials = TRIED[preset] if trials is None else trials
    best: _Trial | None = None
    for number, tried in enumerate(trials):
        progress(
            0.1 + 0.6 * number / len(trials), f"cross-validation {number + 1} of {len(trials)}, {len(folds)} folds"
        )
        trial = _cross_validate(_options(rows, spec, seed, tried), data, folds, rows)
        best = trial if best is None or trial.loss < best.loss else best
    assert best is not None
    progress(0.7, f"fitting {best.rounds} trees on {len(rows.y_B)} rows")
    threads = min(os.cpu_count() or 1, 1 + len(rows.y_B) // ROWS_A_THREAD)
    booster = lightgbm.train(best.options | {"num_threads": threads}, data, best.rounds)
    return Fitted(
        text=booster.model_to_string().replace(f"[num_threads: {threads}]", "[num_threads: 0]"),
        rounds=best.rounds,
        options=best.options,
        fold_texts=best.texts,
        left_out_log_loss=best.loss,
        gain_F=tuple(booster.feature_importance("gain").tolist()),
    )


def make_folds(rows: TrainingRows, seed: int, like: int | None = None) -> list[tuple[Ints, Ints]]:
    """Row numbers of (fitted, left out): five folds, three beyond 30,000 rows, one tenth beyond 150,000.

    An update wants as many as the updated model had, `like`, however many rows it has itself. Folds are alike in the
    share of bad rows; rows of a group stay together, unless no fold then had both classes.
    InputError: fewer than ten rows of a class.
    """
    size = len(rows.y_B)
    number, of = (5, 5) if size <= 30_000 else (3, 3) if size <= 150_000 else (1, 10)
    if like is not None:
        number, of = like, like if like > 1 else 10
    rarer = int(min(rows.y_B.sum(), (1 - rows.y_B).sum()))
    if rarer < FEWEST_ROWS:
        raise InputError(f"training needs at least {FEWEST_ROWS} rows of each class, got {rarer}", code="TOO_FEW_ROWS")
    rng = np.random.default_rng(seed)
    if rows.group_B is not None:
        names, place_B = np.unique(rows.group_B, return_inverse=True)
        folds = _folds(rng.permutation(np.arange(len(names)) % of)[place_B], number)
        usable = [f for f in folds if all(len(np.unique(rows.y_B[part])) == 2 for part in f)]
        if usable:
            return usable
    order = np.lexsort((rng.random(size), rows.y_B))
    fold_B = np.empty(size, dtype=np.int64)
    fold_B[order] = np.arange(size) % of
    return _folds(fold_B, number)


def _folds(fold_B: Ints, number: int) -> list[tuple[Ints, Ints]]:
    return [(np.flatnonzero(fold_B != k), np.flatnonzero(fold_B == k)) for k in range(number)]


@dataclass(frozen=True, kw_only=True)
class _Trial:
    options: dict[str, Any]
    rounds: int
    loss: float
    texts: tuple[str, ...]


def _cross_validate(options: dict[str, Any], data: Any, folds: list[tuple[Ints, Ints]], rows: TrainingRows) -> _Trial:
    """Fit every fold until it stops gaining; the rounds are where the mean of their losses is lowest."""
    with ThreadPoolExecutor(max_workers=min(len(folds), os.cpu_count() or 1)) as pool:
        found = list(pool.map(lambda fold: _fit_fold(options, data, fold), folds))
    shortest = min(len(losses) for _, losses in found)
    mean = np.mean([losses[:shortest] for _, losses in found], axis=0)
    rounds = int(np.argmin(mean)) + 1
    texts = tuple(booster.model_to_string(num_iteration=rounds) for booster, _ in found)
    return _Trial(options=options, rounds=rounds, loss=float(mean[rounds - 1]), texts=texts)


def _fit_fold(options: dict[str, Any], data: Any, fold: tuple[Ints, Ints]) -> tuple[Any, list[float]]:
    """A model of the fold's rows and its loss on the rows left out, round by round."""
    import lightgbm  # noqa: PLC0415 - see fit

    losses: dict[str, dict[str, list[float]]] = {}
    fitted, out = (data.subset(part) for part in fold)
    quiet: list[Any] = [lightgbm.early_stopping(PATIENCE, verbose=False), lightgbm.record_evaluation(losses)]
    booster = lightgbm.train(options, fitted, MOST_ROUNDS, valid_sets=[out], valid_names=["out"], callbacks=quiet)
    return booster, losses["out"][METRIC]


def _options(rows: TrainingRows, spec: FeatureSpec, seed: int, tried: Mapping[str, Any]) -> dict[str, Any]:
    fixed = {
        "objective": "binary",
        "metric": METRIC,
        "verbose": -1,
        "seed": seed,
        "num_threads": 1,  # folds run side by side; OpenMP's threads wait for each other on a busy machine
        "deterministic": True,
        "force_col_wise": True,
        "feature_pre_filter": False,
    }
    smallest = {"min_data_in_leaf": max(3, min(SHRUNK["min_data_in_leaf"], len(rows.y_B) // 30))}
    monotone = [column.monotone for column in spec.columns]
    limits = {"monotone_constraints": monotone} if any(monotone) else {}
    return fixed | SHRUNK | smallest | dict(tried) | limits

"""The peer of fraud models: LightGBM on 22 plain windows of a table of card transactions, untuned, early stopping."""

import time

import lightgbm
import numpy as np
import pandas as pd

from tests.benchmarks.test_transactions import plain

DAY_S = 86_400


def peer_table(frame: pd.DataFrame) -> np.ndarray:
    """The 22 windows and what the transaction tells alone: amount and hour."""
    time_s = frame["datetime"].to_numpy().astype("datetime64[s]").astype(np.int64)
    own = [frame["amount_cents"].to_numpy(dtype=np.float64), time_s % DAY_S // 3600]
    return np.column_stack([plain(frame), *own])


def peer_forecast(
    x: np.ndarray, y: np.ndarray, parts: dict[str, np.ndarray], seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Forecasts of val and test, and the seconds that the fit took. `parts` are masks of train, val, test."""
    start = time.perf_counter()
    data = lightgbm.Dataset(x[parts["train"]], y[parts["train"]])
    valid = lightgbm.Dataset(x[parts["val"]], y[parts["val"]], reference=data)
    options = {"objective": "binary", "metric": "average_precision", "verbose": -1, "seed": seed, "num_threads": 1}
    booster = lightgbm.train(
        options | {"learning_rate": 0.05, "num_leaves": 31},
        data,
        1_000,
        valid_sets=[valid],
        callbacks=[lightgbm.early_stopping(50, verbose=False)],
    )
    seconds = time.perf_counter() - start
    return booster.predict(x[parts["val"]]), booster.predict(x[parts["test"]]), seconds


def xgboost_forecast(x: np.ndarray, y: np.ndarray, parts: dict[str, np.ndarray], seed: int) -> np.ndarray:
    """Forecasts of test by XGBoost, untuned, rounds chosen on val."""
    import xgboost

    model = xgboost.XGBClassifier(
        n_estimators=1_000, learning_rate=0.05, early_stopping_rounds=50, random_state=seed, n_jobs=1, subsample=0.8
    )
    model.fit(x[parts["train"]], y[parts["train"]], eval_set=[(x[parts["val"]], y[parts["val"]])], verbose=False)
    return model.predict_proba(x[parts["test"]])[:, 1]

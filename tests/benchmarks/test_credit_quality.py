"""Credit models beside plain LightGBM and XGBoost in the same run, on the test split. Never fails on a figure."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost

from core.metrics.binary import auc, average_precision, ece, ks
from core.runtime.engine import Engine
from data.tables import read_table
from pipelines.finance.credit import CreditOptions, train_credit
from pipelines.finance.score import score_table

pytestmark = [pytest.mark.bench, pytest.mark.realdata]

TABLES = {
    "gmsc": ("SeriousDlqin2yrs", "row_id"),
    "taiwan_default": ("default_next_month", "ID"),
    "heloc": ("bad", None),
    "polish_5year": ("bankrupt", None),
    "german_credit": ("bad", None),
}
DRAWS = 300


def parts(realdata: Path, name: str) -> Iterator[pd.DataFrame]:
    path = realdata / "data/finance" / name / f"{name}.csv.gz"
    for part in ("train", "val", "test"):
        yield read_table(path, where={"split": part}).frame.drop(columns="split")


def peers(train: pd.DataFrame, valid: pd.DataFrame, test: pd.DataFrame, target: str) -> dict[str, Any]:
    """Untuned, early stopping on the validation rows; text columns as categories."""
    frames = []
    for frame in (train, valid, test):
        x = frame.drop(columns=target)
        for column in x.columns:
            if not pd.api.types.is_numeric_dtype(x[column]):
                levels = sorted(train[column].dropna().unique())
                x[column] = pd.Categorical(x[column], categories=levels)
        frames.append(x)
    data = lightgbm.Dataset(frames[0], train[target])
    held = lightgbm.Dataset(frames[1], valid[target], reference=data)
    options = {"objective": "binary", "learning_rate": 0.05, "verbose": -1, "num_threads": 1}
    stop = [lightgbm.early_stopping(50, verbose=False)]
    booster = lightgbm.train(options, data, 2_000, valid_sets=[held], callbacks=stop)
    trees = xgboost.XGBClassifier(
        n_estimators=2_000, learning_rate=0.05, early_stopping_rounds=50, enable_categorical=True, n_jobs=1
    )
    trees.fit(frames[0], train[target], eval_set=[(frames[1], valid[target])], verbose=False)
    return {"lightgbm": booster.predict(frames[2]), "xgboost": trees.predict_proba(frames[2])[:, 1]}


def paired(y: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> str:
    """The difference of AUC with its 95 % interval, both models on the same draws."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        rows = rng.integers(0, len(y), len(y))
        if 0 < y[rows].sum() < len(y):
            found.append(auc(y[rows], ours[rows]) - auc(y[rows], theirs[rows]))
    low, high = np.quantile(found, [0.025, 0.975])
    return f"{auc(y, ours) - auc(y, theirs):+.4f} [{low:+.4f}, {high:+.4f}]"


@pytest.mark.parametrize("name", TABLES)
def test_quality_beside_the_peers(realdata: Path, tmp_path: Path, name: str) -> None:
    target, id_column = TABLES[name]
    train, valid, test = parts(realdata, name)
    features = [frame.drop(columns=id_column or []) for frame in (train, valid, test)]
    y = test[target].to_numpy(float)
    for seed in range(5 if len(train) < 1_000 else 1):
        started = time.perf_counter()
        options = CreditOptions(target=target, id_column=id_column, seed=seed)
        bundle = train_credit(train, valid, options, tmp_path / f"b{seed}", lambda share, words: None)
        seconds = time.perf_counter() - started
        scored = score_table(test, Engine.open(bundle), ids=[""] * len(test), reasons=0).frame
        ours = scored["probability"].to_numpy()
        print(f"\n{name} seed {seed}: trained in {seconds:.1f} s, {bundle.manifest.about['rounds']} trees")
        for who, p in {"assay": ours, **peers(*features, target)}.items():
            line = f"auc {auc(y, p):.4f} ks {ks(y, p):.3f} ap {average_precision(y, p):.3f} ece {ece(y, p):.4f}"
            versus = "" if who == "assay" else f"  assay's auc {paired(y, ours, p)}"
            print(f"  {who:9s} {line}{versus}")
        assert len(ours) == len(y)

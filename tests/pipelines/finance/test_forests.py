"""Forests put together: their margins and contributions are the mean, or the sum, of what each says."""

from pathlib import Path

import lightgbm
import numpy as np

from core.runtime.tree_cells import CellForest
from core.runtime.tree_shap import TreeShap, has_cover
from core.runtime.tree_text import read_forest
from core.runtime.trees import TreeRunner
from pipelines.finance.forests import mean_of, sum_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(900, 4))
X[::7, 1] = np.nan
X[:, 3] = RNG.integers(0, 5, 900)


def texts(y: np.ndarray) -> list[str]:
    """Three forests of other seeds and sizes; the last column is a category."""
    options = {"objective": "binary", "verbose": -1, "num_threads": 1, "bagging_fraction": 0.5, "bagging_freq": 1}
    data = lightgbm.Dataset(X, y, categorical_feature=[3], free_raw_data=False)
    return [lightgbm.train(options | {"seed": seed}, data, 20 + seed).model_to_string() for seed in range(3)]


SINGLE = texts((X[:, 0] + (X[:, 3] == 2) + RNG.normal(size=900) > 0).astype(float))


def test_the_mean_of_models_answers_and_explains_with_the_mean_of_theirs() -> None:
    merged = lightgbm.Booster(model_str=mean_of(SINGLE))
    assert merged.num_trees() == 20 + 21 + 22
    for how in ({"raw_score": True}, {"pred_contrib": True}):
        mean = np.mean([lightgbm.Booster(model_str=text).predict(X, **how) for text in SINGLE], axis=0)
        assert np.allclose(merged.predict(X, **how), mean, atol=1e-12)


def test_the_sum_of_models_answers_and_explains_with_the_sum_of_theirs_by_every_runner(tmp_path: Path) -> None:
    path = tmp_path / "trees.txt"
    path.write_text(sum_of(SINGLE[:2]), encoding="utf-8")
    runner, forest = TreeRunner(path), read_forest(path)
    shap = TreeShap(forest, CellForest(forest))
    assert (runner.trees, len(forest.trees), has_cover(forest)) == (41, 41, True)
    single = [lightgbm.Booster(model_str=text) for text in SINGLE[:2]]
    margin = np.sum([booster.predict(X, raw_score=True) for booster in single], axis=0)
    parts = np.sum([booster.predict(X, pred_contrib=True) for booster in single], axis=0)
    assert np.allclose(runner.run({"table": X})["margin"], margin, rtol=0, atol=1e-12)
    assert np.allclose(runner.contributions(X[:32]), parts[:32], rtol=0, atol=1e-10)
    assert np.allclose(shap.contributions(X), parts, rtol=0, atol=1e-10)


def test_the_first_model_keeps_its_leaves_to_the_last_digit() -> None:
    def leaves(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith("leaf_value=")]

    assert leaves(sum_of(SINGLE[:2]))[:20] == leaves(SINGLE[0])
    assert sum_of(SINGLE[:1]) == SINGLE[0]

"""The trees must decide exactly as LightGBM does, whatever comes in."""

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InputError
from core.runtime import trees
from core.runtime.tree_cells import CellForest, TooBushyError
from core.runtime.tree_shap import TreeShap, has_cover
from core.runtime.tree_text import read_forest
from core.runtime.trees import TreeRunner

TABLES = ("gmsc", "taiwan_default", "german_credit", "heloc", "polish_5year", "zh_listed_financials", "ulb_sample")


def noisy_table(rows: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Six columns: two numbers with gaps, one that is often zero, two categories, one with ties at its thresholds."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 6))
    x[rng.random(rows) < 0.2, 0] = np.nan
    x[rng.random(rows) < 0.5, 2] = 0.0
    x[:, 3] = rng.integers(0, 70, rows)
    x[:, 4] = rng.integers(0, 3, rows)
    x[:, 5] = rng.integers(0, 5, rows) / 8
    logit = np.nan_to_num(x[:, 0]) + x[:, 1] * (x[:, 4] == 1) + (x[:, 3] % 7 - 3) / 2 + 3 * x[:, 5] * (x[:, 2] > 0)
    return x, (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(float)


def fit(path: Path, **options: Any) -> lightgbm.Booster:
    x, y = noisy_table(4_000)
    parameters = {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 24, "seed": 1} | options
    booster = lightgbm.train(parameters, lightgbm.Dataset(x, y, categorical_feature=[3, 4]), 60)
    booster.save_model(path)
    return booster


def tabled(path: Path) -> TreeShap:
    forest = read_forest(path)
    return TreeShap(forest, CellForest(forest))


def odd_rows(booster: lightgbm.Booster) -> NDArray[np.float64]:
    """Fresh rows, every threshold itself and its neighbours, NaN, zeros, tiny and huge values, strange codes."""
    x, _ = noisy_table(2_500, seed=9)
    frame = booster.trees_to_dataframe().query("decision_type == '<='")
    rng = np.random.default_rng(3)
    for column in (0, 1, 2, 5):
        cuts = frame[frame.split_feature == f"Column_{column}"].threshold.astype(float).to_numpy()
        edges = np.concatenate([cuts, np.nextafter(cuts, 9), np.nextafter(cuts, -9), [0, -0.0, 1e-36, -1e-35, 1e300]])
        places = rng.choice(len(x), len(edges) % len(x), replace=False)
        edges = edges[: len(places)]
        x[places, column] = edges
    x[:40, 3] = [-1, 69, 70, 71, 31, 32, 33, 1e9] * 5
    x[50:60, 4] = [3, -2, np.nan, 2, 5] * 2
    x[60:80] = np.nan
    return x


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "zero as missing": {"zero_as_missing": True},
    "missing not used": {"use_missing": False},
    "bagged and shallow": {"bagging_fraction": 0.7, "bagging_freq": 1, "num_leaves": 4},
    "bushy": {"num_leaves": 90, "min_data_in_leaf": 5},
}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("threads", [1, 2])
def test_margins_are_bit_for_bit_those_of_the_booster(tmp_path: Path, options: dict[str, Any], threads: int) -> None:
    booster = fit(tmp_path / "trees.txt", **options)
    rows = odd_rows(booster)
    runner = TreeRunner(tmp_path / "trees.txt", threads=threads)
    expected = booster.predict(rows, raw_score=True)
    np.testing.assert_array_equal(runner.run({"table": rows})["margin"], expected)
    np.testing.assert_array_equal(CellForest(read_forest(tmp_path / "trees.txt")).margins(rows), expected)
    one_by_one = [runner.run({"table": rows[i : i + 1]})["margin"][0] for i in range(200)]
    np.testing.assert_array_equal(one_by_one, expected[:200])


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS.keys())
def test_tabled_contributions_equal_pred_contrib(tmp_path: Path, options: dict[str, Any]) -> None:
    booster = fit(tmp_path / "trees.txt", **options)
    rows = odd_rows(booster)
    forest = read_forest(tmp_path / "trees.txt")
    assert has_cover(forest)
    found = TreeShap(forest, CellForest(forest)).contributions(rows)
    np.testing.assert_allclose(found, booster.predict(rows, pred_contrib=True), rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), booster.predict(rows, raw_score=True), rtol=0, atol=1e-9)


def test_contributions_of_few_and_of_many_rows_agree(tmp_path: Path) -> None:
    fit(tmp_path / "trees.txt")
    runner = TreeRunner(tmp_path / "trees.txt")
    x, _ = noisy_table(trees.SHAP_ROWS)
    few, many = runner.contributions(x[:50]), runner.contributions(x)
    np.testing.assert_allclose(few, many[:50], rtol=0, atol=1e-9)


def test_a_model_of_stumps_without_splits_gives_its_base(tmp_path: Path) -> None:
    booster = fit(tmp_path / "trees.txt", min_data_in_leaf=4_000)
    rows, _ = noisy_table(10)
    found = tabled(tmp_path / "trees.txt").contributions(rows)
    np.testing.assert_allclose(found, booster.predict(rows, pred_contrib=True), atol=1e-12)


def test_many_rows_at_once_are_looked_up_with_the_same_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    booster = fit(tmp_path / "trees.txt", num_leaves=16)
    rows = odd_rows(booster)
    monkeypatch.setattr(trees, "CELL_ROWS", 100)
    monkeypatch.setattr(trees, "PARTS_A_TREE", 99)
    monkeypatch.setattr(trees.TreeRunner, "_predict", None)  # must not be asked
    found = TreeRunner(tmp_path / "trees.txt").run({"table": rows})["margin"]
    np.testing.assert_array_equal(found, booster.predict(rows, raw_score=True))


def test_trees_too_bushy_for_tables_are_left_to_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    booster = fit(tmp_path / "trees.txt")
    rows = odd_rows(booster)
    monkeypatch.setattr("core.runtime.tree_cells.MOST_CELLS", 1)
    monkeypatch.setattr("core.runtime.tree_cells.PART_CELLS", 1)
    with pytest.raises(TooBushyError):
        CellForest(read_forest(tmp_path / "trees.txt"))
    monkeypatch.setattr(trees, "CELL_ROWS", 100)
    runner = TreeRunner(tmp_path / "trees.txt")
    np.testing.assert_array_equal(runner.run({"table": rows})["margin"], booster.predict(rows, raw_score=True))
    np.testing.assert_allclose(runner.contributions(rows), booster.predict(rows, pred_contrib=True), atol=1e-12)


def test_no_rows_give_no_rows(tmp_path: Path) -> None:
    fit(tmp_path / "trees.txt")
    runner = TreeRunner(tmp_path / "trees.txt")
    assert runner.run({"table": np.empty((0, 6))})["margin"].shape == (0,)
    assert runner.contributions(np.empty((0, 6))).shape == (0, 7)


def test_another_number_of_columns_is_refused(tmp_path: Path) -> None:
    fit(tmp_path / "trees.txt")
    with pytest.raises(InputError, match="a table of 6 columns, got shape"):
        TreeRunner(tmp_path / "trees.txt").run({"table": np.zeros((3, 5))})


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trees.txt").write_text("no trees here\n")
    with pytest.raises(InputError, match=r"trees\.txt"):
        read_forest(tmp_path / "trees.txt")
    with pytest.raises(InputError, match=r"trees\.txt"):
        TreeRunner(tmp_path / "trees.txt")


def test_the_library_is_found_without_importing_lightgbm_or_torch() -> None:
    import subprocess
    import sys

    code = (
        "import sys, core.runtime.trees as t; t.load_library(); "
        "print([m for m in ('lightgbm', 'torch', 'scipy', 'sklearn', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.realdata
@pytest.mark.parametrize("name", TABLES)
def test_margins_and_contributions_agree_on_real_tables(realdata: Path, tmp_path: Path, name: str) -> None:
    import pandas as pd

    source = next(p for p in sorted((realdata / "data/finance" / name).iterdir()) if ".csv" in p.name)
    frame = pd.read_csv(source, nrows=6_000).select_dtypes("number")
    target = frame.pop(next(c for c in frame.columns[::-1] if set(frame[c].dropna().unique()) == {0, 1}))
    keep = target.notna().to_numpy()
    x = frame.to_numpy(float)
    data = lightgbm.Dataset(x[keep], target[keep].to_numpy())
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 2, "num_leaves": 16}, data, 20)
    booster.save_model(tmp_path / "trees.txt")
    found = TreeRunner(tmp_path / "trees.txt").run({"table": x})["margin"]
    np.testing.assert_array_equal(found, booster.predict(x, raw_score=True))
    np.testing.assert_array_equal(CellForest(read_forest(tmp_path / "trees.txt")).margins(x), found)
    shap = tabled(tmp_path / "trees.txt").contributions(x[:2_000])
    np.testing.assert_allclose(shap, booster.predict(x[:2_000], pred_contrib=True), rtol=0, atol=1e-9)

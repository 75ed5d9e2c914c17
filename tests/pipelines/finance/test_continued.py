"""Trees that learn on: the base stays, what new rows know is added, and nothing is added where they know no more."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from core.errors import InputError
from core.metrics.binary import auc, log_loss
from core.runtime.tree_cells import CellForest
from core.runtime.tree_shap import TreeShap, has_cover
from core.runtime.tree_text import read_forest
from core.runtime.trees import TreeRunner
from data.spec import Column, FeatureSpec
from pipelines.finance.boosting import Fitted, TrainingRows, fit
from pipelines.finance.continued import Continued, continue_trees
from pipelines.finance.tree_model import margins

SPEC = FeatureSpec(
    columns=(
        *(Column(name=name, kind="number") for name in "abc"),
        Column(name="kind", kind="category", categories=("p", "q", "r")),
    )
)


def silent(share: float, words: str) -> None:
    assert 0 <= share <= 1
    assert words


def made(rows: int, seed: int, *, late: bool = False, offset: float = 0.0) -> TrainingRows:
    """Risk by a and the category; in the late period also by c, which meant nothing before."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=(rows, 3)), rng.integers(0, 3, rows)])
    x[rng.random(rows) < 0.05, 1] = np.nan
    z = 1.2 * x[:, 0] + 0.8 * (x[:, 3] == 2) - 1 + offset + (1.2 * x[:, 2] if late else 0)
    return TrainingRows(x_BF=x, y_B=(rng.random(rows) < expit(z)).astype(float))


@pytest.fixture(scope="module")
def base() -> Fitted:
    return fit(made(4_000, 0), SPEC, seed=0, preset="fast", progress=silent)


def learned(base: Fitted, rows: TrainingRows, **more: int) -> Continued:
    return continue_trees(base.text, base.options, rows, SPEC, progress=silent, **({"seed": 0} | more))


@pytest.fixture(scope="module")
def late(base: Fitted) -> Continued:
    return learned(base, made(3_000, 1, late=True))


def test_new_rows_teach_what_they_know_and_the_old_is_kept(base: Fitted, late: Continued) -> None:
    old, new = made(6_000, 2), made(6_000, 3, late=True)
    before, after = (margins([base.text, late.text], rows.x_BF) for rows in (old, new))
    assert late.rounds > 20
    assert late.after < late.before - 0.03
    assert auc(new.y_B, after[1]) > auc(new.y_B, after[0]) + 0.05
    nothing_of_c = replace(old, x_BF=np.where(np.arange(4) == 2, 0.0, old.x_BF))
    kept = margins([base.text, late.text], nothing_of_c.x_BF)
    assert auc(old.y_B, kept[1]) > auc(old.y_B, before[0]) - 0.005


def test_the_base_s_trees_come_first_and_unchanged(base: Fitted, late: Continued) -> None:
    def leaves(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith(("leaf_value=", "threshold=", "split_feature="))]

    own = leaves(base.text)
    assert leaves(late.text)[: len(own)] == own
    assert len(leaves(late.text)) == 3 * (base.rounds + late.trees)


def test_rows_of_the_same_kind_and_another_base_rate_add_next_to_nothing(base: Fitted) -> None:
    came = learned(base, made(3_000, 4, offset=1.5))
    test = made(6_000, 5, offset=1.5)
    before, after = margins([base.text, came.text], test.x_BF)
    assert abs(auc(test.y_B, after) - auc(test.y_B, before)) < 0.005
    assert came.rounds < 30


def test_labels_as_the_base_foretells_them_add_no_tree_and_it_stays_to_the_byte(base: Fitted) -> None:
    x_BF = made(2_000, 6).x_BF
    foretold = expit(margins([base.text], x_BF)[0])
    came = learned(base, TrainingRows(x_BF=x_BF, y_B=(np.random.default_rng(4).random(2_000) < foretold).astype(float)))
    assert (came.rounds, came.trees, came.gain_F) == (0, 0, (0.0, 0.0, 0.0, 0.0))
    assert came.text == base.text
    assert set(came.fold_texts) == {base.text}
    assert came.after == came.before


def test_contributions_stay_exact_by_library_and_by_tables(late: Continued, tmp_path: Path) -> None:
    path = tmp_path / "trees.txt"
    path.write_text(late.text, encoding="utf-8")
    runner, forest, x = TreeRunner(path), read_forest(path), made(500, 7, late=True).x_BF
    assert has_cover(forest)
    margin, by_library = runner.run({"table": x})["margin"], runner.contributions(x)
    by_tables = TreeShap(forest, CellForest(forest)).contributions(x)
    assert np.allclose(by_library, by_tables, rtol=0, atol=1e-10)
    assert np.allclose(by_tables.sum(axis=1), margin, rtol=0, atol=1e-10)


def test_same_rows_and_seed_give_the_same_bytes_and_another_seed_others(base: Fitted, late: Continued) -> None:
    rows = made(3_000, 1, late=True)
    assert learned(base, rows) == late
    assert learned(base, rows, seed=1).text != late.text


def test_several_seeds_add_the_mean_of_their_forests(base: Fitted) -> None:
    rows, test = made(1_500, 8, late=True), made(4_000, 9, late=True)
    several = learned(base, rows, seeds=3)
    assert several.trees == 3 * several.rounds
    single = [learned(base, rows, seed=seed) for seed in range(3)]
    assert several.rounds == single[0].rounds
    one, mean = margins([single[0].text, several.text], test.x_BF)
    assert log_loss(test.y_B, expit(mean)) < log_loss(test.y_B, expit(one)) + 0.002


def test_an_update_can_be_updated(base: Fitted, late: Continued) -> None:
    again = learned(base, made(2_000, 10, late=True))
    twice = continue_trees(late.text, base.options, made(2_000, 10, late=True), SPEC, seed=0, progress=silent)
    assert twice.before < again.before - 0.02
    assert twice.text.count("\nTree=") == base.rounds + late.trees + twice.trees


def test_too_few_new_rows_of_a_class_are_refused(base: Fitted) -> None:
    rows = made(200, 11)
    few = replace(rows, y_B=(np.arange(200) < 9).astype(float))
    with pytest.raises(InputError, match="at least 10 rows of each class, got 9"):
        learned(base, few)


def test_the_record_adds_up(base: Fitted, late: Continued) -> None:
    record = {"rounds": base.rounds, "trees": base.options, "gain": list(base.gain_F)}
    about = late.about(record)
    assert about["rounds"] == base.rounds + late.rounds
    assert about["gain"][2] > 3 * base.gain_F[2]
    assert about["trees"] == base.options

"""The bars on real tables: no worse than plain LightGBM, and probabilities that hold.

The figures are those of untuned LightGBM with early stopping on the same splits.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from core.runtime.engine import Engine
from data.tables import read_table
from pipelines.finance.credit import CreditOptions, train_credit
from pipelines.finance.evaluate import Evaluation, evaluate_table

MARGIN = 0.003
GERMAN_STANDARD_ERROR = 0.045


@dataclass(frozen=True, kw_only=True)
class Table:
    target: str
    auc: float
    id_column: str | None = None


TABLES = {
    "gmsc": Table(target="SeriousDlqin2yrs", auc=0.8634, id_column="row_id"),
    "taiwan_default": Table(target="default_next_month", auc=0.7880, id_column="ID"),
    "heloc": Table(target="bad", auc=0.7966),
    "polish_5year": Table(target="bankrupt", auc=0.9526),
    "german_credit": Table(target="bad", auc=0.7426),
}


def evaluated(realdata: Path, folder: Path, name: str, seed: int = 0) -> Evaluation:
    table = TABLES[name]
    path = realdata / "data/finance" / name / f"{name}.csv.gz"
    text = (table.id_column,) if table.id_column else ()
    train, valid, test = (read_table(path, where={"split": part}, text=text).frame for part in ("train", "val", "test"))
    options = CreditOptions(target=table.target, id_column=table.id_column, ignore=("split",), seed=seed)
    bundle = train_credit(train, valid, options, folder / f"{name}-{seed}", lambda share, words: None)
    return evaluate_table(test, Engine.open(bundle), draws=100)


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("gmsc", marks=pytest.mark.slow),
        "taiwan_default",
        "heloc",
        "polish_5year",
    ],
)
def test_auc_is_no_lower_than_plain_lightgbm_and_probabilities_hold(realdata: Path, tmp_path: Path, name: str) -> None:
    found = evaluated(realdata, tmp_path, name).metrics
    assert found["auc"].value >= TABLES[name].auc - MARGIN
    if found["n"].value > 5_000:
        assert found["ece"].value <= 0.02


@pytest.mark.realdata
def test_german_credit_reaches_plain_lightgbm_over_five_seeds(realdata: Path, tmp_path: Path) -> None:
    found = [evaluated(realdata, tmp_path, "german_credit", seed).metrics["auc"].value for seed in range(5)]
    assert np.mean(found) >= TABLES["german_credit"].auc - GERMAN_STANDARD_ERROR

import hashlib
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from core.errors import InputError
from data.dates import parse_dates
from data.finance.credit_tables import make_credit
from data.leakage import leakage_of
from data.spec import gate, infer_spec
from data.tables import TableWriter


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        with TableWriter(tmp_path / f"{name}.csv.gz") as writer:
            writer.write(make_credit(500, seed))
        digests.append(hashlib.sha256((tmp_path / f"{name}.csv.gz").read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]


def test_the_split_is_by_time_and_shares_no_day() -> None:
    frame = make_credit(5000, 1)
    days = pd.Series(parse_dates(frame["application_date"]))
    ends = [days[frame["split"] == part] for part in ("train", "val", "test")]
    assert ends[0].max() < ends[1].min()
    assert ends[1].max() < ends[2].min()
    np.testing.assert_allclose(
        frame["split"].value_counts(normalize=True)[["train", "val", "test"]], [0.6, 0.2, 0.2], atol=0.01
    )


def test_a_good_model_is_good_and_not_perfect_and_no_column_tells_it_alone() -> None:
    frame = make_credit(30_000, 2)
    train, test = frame[frame["split"] != "test"], frame[frame["split"] == "test"]
    spec = infer_spec(train, target="default_12m", id_column="application_id", ignore=["split"])
    assert len(spec.columns) == 17
    options = {
        "objective": "binary",
        "learning_rate": 0.06,
        "num_leaves": 15,
        "num_threads": 1,
        "verbose": -1,
        "seed": 0,
    }
    model = lightgbm.train(options, lightgbm.Dataset(gate(train, spec).values, train["default_12m"]), 120)
    auc = roc_auc_score(test["default_12m"], model.predict(gate(test, spec).values))
    assert 0.77 < auc < 0.84
    assert max(leakage_of(frame, "default_12m", {"application_id", "split"}).values()) < 0.75
    assert 0.05 < frame["default_12m"].mean() < 0.12


def test_values_are_missing_where_life_takes_them() -> None:
    frame = make_credit(20_000, 4)
    gone = frame["monthly_income_cny"].isna()
    assert gone[frame["employment"] == "self_employed"].mean() > 3 * gone[frame["employment"] == "salaried"].mean()
    codes = {c.name: c.special_codes for c in infer_spec(frame, target="default_12m").columns if c.special_codes}
    assert codes == {"delinquencies_24m": (96.0, 98.0), "months_since_delinquency": (-9.0, -8.0)}


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_even_a_few_rows_can_be_made(rows: int) -> None:
    assert len(make_credit(rows, 0)) == rows
    with pytest.raises(InputError, match="at least 1"):
        make_credit(0, 0)

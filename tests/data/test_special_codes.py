from pathlib import Path

import numpy as np
import pytest

from data.spec import infer_spec
from data.special_codes import find_special_codes
from data.tables import read_table

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(1.0, 3000).astype(float)


def with_codes(values: np.ndarray, *codes: float, each: int = 20) -> np.ndarray:
    return np.concatenate([values, np.repeat(np.array(codes, float), each)])


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (with_codes(COUNTS, 96, 98), (96.0, 98.0)),
        (with_codes(COUNTS, -9, -8, -7), (-9.0, -8.0, -7.0)),
        (with_codes(RNG.uniform(0, 30, 3000).round(), 999), (999.0,)),
        (with_codes(RNG.normal(0, 1, 3000), -9999), (-9999.0,)),
        (with_codes(RNG.integers(0, 500, 3000).astype(float), -1), (-1.0,)),
        (with_codes(COUNTS + 0.5, -99, 99), (-99.0, 99.0)),
    ],
)
def test_codes_that_stand_apart_are_found(values: np.ndarray, codes: tuple[float, ...]) -> None:
    assert find_special_codes(values) == codes


@pytest.mark.parametrize(
    "values",
    [
        COUNTS,
        RNG.normal(0, 100, 3000),
        RNG.lognormal(8, 2, 3000),
        RNG.lognormal(8, 2, 3000).round(),
        RNG.integers(-2, 9, 3000).astype(float),  # a status, not a code
        RNG.integers(18, 100, 3000).astype(float),  # ages up to 99
        with_codes(COUNTS, 96, each=1),  # one odd value is an outlier
        with_codes(COUNTS, 50),  # apart, and does not look like a code
        np.repeat([0.0, 1.0], 500),
        np.repeat([1.0, 99.0], 500),
        np.array([]),
        np.full(10, np.nan),
    ],
)
def test_ordinary_columns_have_no_codes(values: np.ndarray) -> None:
    assert find_special_codes(values) == ()


@pytest.mark.realdata
def test_the_codes_of_real_tables_are_found_and_no_others(realdata: Path) -> None:
    found = {}
    targets = {"gmsc": "SeriousDlqin2yrs", "heloc": "bad", "taiwan_default": "default_next_month"}
    targets |= {
        "polish_5year": "bankrupt",
        "german_credit": "bad",
        "ulb_sample": "Class",
        "american_bankruptcy": "failed",
    }
    for name, target in targets.items():
        frame = read_table(realdata / f"data/finance/{name}/{name}.csv.gz", where={"split": "train"}).frame
        spec = infer_spec(frame, target=target, ignore=["split"])
        found[name] = {column.name: column.special_codes for column in spec.columns if column.special_codes}
    late = ("NumberOfTime30-59DaysPastDueNotWorse", "NumberOfTimes90DaysLate", "NumberOfTime60-89DaysPastDueNotWorse")
    assert found.pop("gmsc") == dict.fromkeys(late, (96.0, 98.0))
    heloc = found.pop("heloc")
    assert len(heloc) == 23
    assert heloc["MSinceMostRecentDelq"] == (-9.0, -8.0, -7.0)
    assert set().union(*heloc.values()) == {-9.0, -8.0, -7.0}
    assert not any(found.values())

"""A single case must become the row that a file would give."""

import numpy as np
import pytest

from data.spec import Column, FeatureSpec
from pipelines.finance.features import extract, one_row, to_batch

SPEC = FeatureSpec(
    columns=(
        Column(name="amount", kind="number"),
        Column(name="purpose", kind="category", categories=("7", "car")),
        Column(name="own", kind="number", boolean=True),
    )
)


@pytest.mark.parametrize(
    ("values", "row"),
    [
        ({"amount": 5, "purpose": "car", "own": True}, [5, 1, 1]),
        ({"own": False, "purpose": "7", "amount": 2.5}, [2.5, 0, 0]),
        ({"amount": "1,234", "purpose": 7, "own": "yes"}, [1234, 0, 1]),
        ({"amount": None, "purpose": None, "own": None}, [np.nan, np.nan, np.nan]),
        ({"amount": np.float64(3), "purpose": "boat", "own": np.int64(1)}, [3, np.nan, 1]),
    ],
)
def test_values_of_a_case_are_read_as_in_a_file(values: dict[str, object], row: list[float]) -> None:
    gated = extract(one_row(values), SPEC)
    assert gated.errors == {}
    np.testing.assert_array_equal(gated.values, [row])
    assert len(to_batch(gated.values)) == 1


@pytest.mark.parametrize(
    ("amount", "code"), [("abc", "NOT_A_NUMBER"), (float("inf"), "NON_FINITE"), (1e300, "OUT_OF_RANGE")]
)
def test_a_value_that_is_none_is_a_fault_of_the_row(amount: object, code: str) -> None:
    gated = extract(one_row({"amount": amount, "purpose": "car", "own": True}), SPEC)
    assert gated.errors[0].startswith(code)

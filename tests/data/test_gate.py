from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from data.spec import Column, FeatureSpec, gate, infer_spec
from data.tables import read_table

SPEC = FeatureSpec(
    columns=(
        Column(name="age", kind="number", low=0, high=150, soft_low=18, soft_high=75),
        Column(name="late", kind="number", soft_low=0, soft_high=12, special_codes=(96.0, 98.0)),
        Column(name="city", kind="category", categories=("Bonn", "Köln")),
    ),
    target="bad",
)


def frame(**columns: list[object]) -> pd.DataFrame:
    usual: dict[str, list[object]] = {"age": [30, 40], "late": [0, 1], "city": ["Bonn", "Köln"]}
    return pd.DataFrame(usual | columns)


def test_columns_are_put_in_the_order_of_the_spec() -> None:
    gated = gate(frame()[["city", "late", "age"]], SPEC)
    np.testing.assert_array_equal(gated.values, [[30, 0, 0], [40, 1, 1]])
    assert not gated.errors
    assert not gated.warnings


def test_missing_columns_refuse_the_table_and_are_all_named() -> None:
    with pytest.raises(InputError, match=r"lacks 2 of the model's 3 columns: age, city") as caught:
        gate(frame().drop(columns=["age", "city"]), SPEC)
    assert caught.value.code == "SCHEMA_MISSING"


def test_duplicate_columns_refuse_the_table() -> None:
    twice = pd.concat([frame(), frame()[["age"]]], axis=1)
    with pytest.raises(InputError, match="'age' more than once") as caught:
        gate(twice, SPEC)
    assert caught.value.code == "DUPLICATE_COLUMN"


def test_extra_columns_are_ignored_and_listed() -> None:
    assert gate(frame(bad=[0, 1], note=["a", "b"]), SPEC).extra == ("bad", "note")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("abc", "NOT_A_NUMBER: column 'age' holds 'abc'; a number is allowed"),
        ("12%", "NOT_A_NUMBER: column 'age' holds '12%'; a number is allowed"),
        ("4\x000", "NUL_BYTE: column 'age' holds a NUL byte"),
        (float("inf"), "NON_FINITE: column 'age' holds inf; a finite number is allowed"),
        ("1e400", "NON_FINITE: column 'age' holds inf; a finite number is allowed"),
        (-5, "OUT_OF_RANGE: column 'age' holds -5; allowed is 0 to 150"),
        (1e308, "OUT_OF_RANGE: column 'age' holds 1e+308; allowed is 0 to 150"),
        (True, None),
        ("1,234", "OUT_OF_RANGE: column 'age' holds 1234; allowed is 0 to 150"),
    ],
)
def test_a_bad_cell_refuses_its_row_alone(value: object, error: str | None) -> None:
    gated = gate(frame(age=[30, value]), SPEC)
    if value is True:  # a truth value among numbers is text there
        assert 1 in gated.errors
        return
    assert gated.errors == {1: error}
    assert np.isnan(gated.values[1, 0])
    assert gated.values[0, 0] == 30


def test_numbers_written_by_rule_are_read() -> None:
    gated = gate(frame(age=["３０", " 41 "], late=["1,0", ""]), SPEC)
    assert gated.values[:, 0].tolist() == [30, 41]
    assert gated.errors == {0: "NOT_A_NUMBER: column 'late' holds '1,0'; a number is allowed"}
    assert np.isnan(gated.values[1, 1])


def test_values_beyond_any_amount_are_refused_without_a_hard_range() -> None:
    gated = gate(frame(late=[1e16, 3]), SPEC)
    assert gated.errors[0].startswith("OUT_OF_RANGE: column 'late' holds 1e+16")


def test_values_outside_the_training_range_are_scored_and_counted_but_codes_are_not() -> None:
    gated = gate(frame(late=[98, 40]), SPEC)
    assert not gated.errors
    assert gated.warnings == {"OUTSIDE_TRAINING_RANGE late": 1}
    assert gated.values[:, 1].tolist() == [98, 40]


def test_unseen_categories_become_missing_and_are_counted() -> None:
    gated = gate(frame(city=["Ulm", None]), SPEC)
    assert np.isnan(gated.values[:, 2]).all()
    assert gated.warnings == {"UNSEEN_CATEGORY city": 1}
    assert gate(frame(city=["a\0b", "Bonn"]), SPEC).errors == {0: "NUL_BYTE: column 'city' holds a NUL byte"}


def test_a_column_without_a_value_is_noticed() -> None:
    gated = gate(frame(age=[None, None], city=[None, None]), SPEC)
    assert gated.warnings == {"ALL_MISSING age": 2, "ALL_MISSING city": 2}
    assert not gated.errors


def test_an_empty_frame_goes_through() -> None:
    assert gate(frame().iloc[:0], SPEC).values.shape == (0, 3)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "float32", "int8", "object", "str", "string"])
def test_every_column_type_gives_the_same_values(dtype: str) -> None:
    cells = frame()
    cells["age"] = cells["age"].astype(dtype)
    assert gate(cells, SPEC).values[:, 0].tolist() == [30, 40]


def test_categories_that_arrive_as_numbers_or_categoricals_are_known() -> None:
    spec = FeatureSpec(columns=(Column(name="code", kind="category", categories=("1", "2", "A")),))
    for cells in (
        pd.Series([1, 2]),
        pd.Series([1.0, 2.0]),
        pd.Series(["1", "2"], dtype="category"),
        pd.Series([1, "2"]),
    ):
        assert gate(pd.DataFrame({"code": cells}), spec).values[:, 0].tolist() == [0, 1]
    assert gate(pd.DataFrame({"code": [1.0, np.nan]}), spec).values[0, 0] == 0


def test_yes_and_no_are_read_in_columns_of_truth_values() -> None:
    spec = FeatureSpec(columns=(Column(name="owner", kind="number", boolean=True, soft_low=0, soft_high=1),))
    gated = gate(pd.DataFrame({"owner": ["True", "1", "是", "no", "2", "maybe", ""]}), spec)
    assert gated.values[:4, 0].tolist() == [1, 1, 1, 0]
    assert set(gated.errors) == {5}


@given(
    ages=st.lists(
        st.one_of(
            st.floats(), st.integers(-(10**20), 10**20), st.text(max_size=6), st.none(), st.booleans(), st.just("30")
        ),
        max_size=15,
    )
)
def test_every_row_is_a_number_missing_by_rule_or_an_error(ages: list[object]) -> None:
    cells = pd.DataFrame({"age": pd.Series(ages, dtype=object), "late": 0, "city": "Bonn"})
    gated = gate(cells, SPEC)
    assert not np.isinf(gated.values).any()
    for at, cell in enumerate(ages):
        value = gated.values[at, 0]
        if not np.isnan(value):
            assert 0 <= value <= 150
        elif at not in gated.errors:
            empty = cell is None or (isinstance(cell, float) and np.isnan(cell))
            assert empty or str(cell).strip() in ("", "?", "NA", "na", "nan", "NaN", "NAN", "None", "null", "none")


def test_a_row_is_judged_alone_as_among_many() -> None:
    many = frame(age=[30, "abc"], late=[0, 1e20], city=["Ulm", "Köln"])
    together = gate(many, SPEC)
    for at in range(2):
        alone = gate(many.iloc[[at]].reset_index(drop=True), SPEC)
        np.testing.assert_array_equal(alone.values[0], together.values[at])
        assert alone.errors.get(0) == together.errors.get(at)


@pytest.mark.realdata
def test_real_test_rows_are_all_accepted(realdata: Path) -> None:
    for name, target in {"gmsc": "SeriousDlqin2yrs", "heloc": "bad", "german_credit": "bad"}.items():
        path = realdata / f"data/finance/{name}/{name}.csv.gz"
        spec = infer_spec(read_table(path, where={"split": "train"}).frame, target=target, ignore=["split"])
        whole = read_table(path, numbers=spec.numbers, text=spec.text)
        gated = gate(whole.frame, spec)
        assert not gated.errors
        for place, column in enumerate(spec.columns):
            if column.kind == "number":
                np.testing.assert_array_equal(gated.values[:, place], whole.frame[column.name].to_numpy(float))

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.cells import parse_number, parse_numbers, to_numbers, with_decimal_point


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1", 1.0),
        (" -2.5 ", -2.5),
        ("+3", 3.0),
        ("1e3", 1000.0),
        ("1,234", 1234.0),
        ("-1,234,567.5", -1234567.5),
        ("１２３", 123.0),
        ("－４．５", -4.5),
        ("１，２３４", 1234.0),
        ("\u22127", -7.0),
        ("\u30008\u00a0", 8.0),
    ],
)
def test_cells_that_are_numbers_by_rule(cell: str, value: float) -> None:
    assert parse_number(cell) == value


@pytest.mark.parametrize(
    "cell",
    [
        "abc",
        "1,23",
        "12,34,567",
        "1.2.3",
        "12%",
        "0x10",
        "1_000",
        "１²",
        "²",
        "①",
        "٣",
        "1 2",
        "--1",
        "$5",
        "5-",
        "true",
        "-",
    ],
)
def test_cells_that_are_no_numbers_are_refused_and_never_missing(cell: str) -> None:
    assert parse_number(cell) is None


@pytest.mark.parametrize("cell", ["", "  ", "NA", "N/A", "nan", "NULL", "None", "#N/A", "?"])
def test_cells_that_mean_missing(cell: str) -> None:
    value = parse_number(cell)
    assert value is not None
    assert math.isnan(value)


def test_percent_and_yes_and_no_need_a_column_that_is_known_for_them() -> None:
    assert parse_number("12%", percent=True) == 0.12
    assert parse_number("１２％", percent=True) == 0.12
    assert [parse_number(cell, boolean=True) for cell in ("是", "False", "Yes", "1", "0")] == [1.0, 0.0, 1.0, 1.0, 0.0]
    assert parse_number("perhaps", boolean=True) is None


CELLS = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["", "NA", "1,234", "12%", "１２", " 7 ", "abc", "1e400", "-inf", "+5", "0x1F", "null", "00123"]),
    st.text(max_size=5),
)


@given(cells=st.lists(CELLS, max_size=20), percent=st.booleans(), boolean=st.booleans())
def test_a_column_is_parsed_as_its_cells_are(cells: list[str], percent: bool, boolean: bool) -> None:
    values, refused = parse_numbers(pa.array(cells, pa.string()), percent=percent, boolean=boolean)
    for cell, value, bad in zip(cells, values, refused, strict=True):
        slow = parse_number(cell, percent=percent, boolean=boolean)
        assert bad == (slow is None)
        if slow is not None:
            np.testing.assert_equal(value, slow)


@given(cells=st.lists(CELLS, max_size=20), forced=st.booleans())
def test_a_column_read_fast_has_the_values_that_the_rules_give(cells: list[str], forced: bool) -> None:
    numbers = to_numbers(pa.array(cells, pa.string()), forced=forced)
    if numbers is None:
        return
    for cell, value in zip(cells, numbers.to_pylist(), strict=True):
        slow = parse_number(cell)
        assert slow is not None
        assert (value is None or math.isnan(value)) if math.isnan(slow) else float(value) == slow


def test_one_bad_cell_among_many_is_the_only_one_refused() -> None:
    cells = pa.array([str(row) for row in range(5000)] + ["abc", "", "NA"])
    values, refused = parse_numbers(cells)
    assert np.flatnonzero(refused).tolist() == [5000]
    assert np.isnan(values[5000:]).all()
    assert values[:5000].sum() == sum(range(5000))


def test_decimal_commas_become_points_only_in_columns_of_numbers() -> None:
    cells = pa.array(["1,5", "1.234,5", "7", ""])
    assert with_decimal_point(cells).to_pylist() == ["1.5", "1234.5", "7", ""]
    words = pa.array(["a, b", "c", "1,5"])
    assert with_decimal_point(words).to_pylist() == words.to_pylist()

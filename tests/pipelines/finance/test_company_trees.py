"""Columns of a company model and their pairs."""

import numpy as np
import pytest

from core.errors import InputError
from data.spec import Column, FeatureSpec
from pipelines.finance.company_columns import choose_columns
from pipelines.finance.company_pairs import Pair, make_pairs, pair_columns

RNG = np.random.default_rng(0)
X = RNG.normal(size=(900, 4))
X[::7, 1] = np.nan


def spec_of(names: list[str]) -> FeatureSpec:
    return FeatureSpec(columns=tuple(Column(name=name, kind="number") for name in names))


def test_pairs_are_found_where_only_they_tell() -> None:
    left, right = np.exp(RNG.normal(size=(2, 1200)))
    noise = RNG.normal(size=(1200, 3))
    y = (left / right > 1).astype(float)
    table = np.column_stack([left, right, noise])
    names = ["left", "right", "a", "b", "c"]
    found = choose_columns(table, y, spec_of(names), seed=0, most=50, progress=lambda share, words: None)
    assert found.gain > found.gain_error
    assert {frozenset((pair.left, pair.right)) for pair in found.pairs} >= {frozenset(("left", "right"))}


def test_pairs_are_left_out_where_they_bring_nothing() -> None:
    y = (X[:, 0] + RNG.normal(size=900) > 0).astype(float)
    found = choose_columns(X, y, spec_of(list("abcd")), seed=0, most=3, progress=lambda share, words: None)
    assert found.pairs == ()
    assert "a" in found.names
    assert len(found.names) <= 3


def test_a_pair_is_missing_where_a_side_is_and_where_it_is_no_amount() -> None:
    sides = {"a": np.asarray([1.0, np.nan, 1.0, 1e15, 6.0]), "b": np.asarray([2.0, 1.0, 0.0, 1e-9, 3.0])}
    made = pair_columns(make_pairs(["b", "a"]), sides)
    assert np.array_equal(made["a per b"], [0.5, np.nan, np.nan, np.nan, 2.0], equal_nan=True)
    assert np.array_equal(made["a less b"], [-1.0, np.nan, 1.0, 1e15 - 1e-9, 3.0], equal_nan=True)


def test_a_pair_has_words_in_both_languages() -> None:
    words = {"a": ("assets", "资产"), "b": ("debt", "负债")}
    assert Pair("b", "per", "a").words(words) == ("debt per assets", "负债与资产之比")


def test_an_unknown_pair_is_refused() -> None:
    with pytest.raises(InputError, match="a pair is less, per"):
        Pair("a", "power", "b")

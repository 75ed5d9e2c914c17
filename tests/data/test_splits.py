import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from data.splits import split_by_group, split_by_hash, split_by_time

FRACTIONS = st.lists(st.integers(1, 10), min_size=1, max_size=4).map(lambda w: [x / sum(w) for x in w])


@given(times=st.lists(st.integers(0, 30), min_size=1, max_size=80), fractions=FRACTIONS)
def test_no_row_of_an_earlier_part_is_later_than_one_of_a_later_part(times: list[int], fractions: list[float]) -> None:
    parts = split_by_time(np.array(times), fractions)
    order = np.argsort(times, kind="stable")
    assert np.all(np.diff(parts[order]) >= 0)
    for moment in set(times):
        assert len(set(parts[np.array(times) == moment])) == 1


@given(
    groups=st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=80), fractions=FRACTIONS, seed=st.integers(0, 9)
)
def test_no_group_is_in_two_parts(groups: list[str], fractions: list[float], seed: int) -> None:
    parts = split_by_group(np.array(groups), fractions, seed)
    assert parts.min() >= 0
    assert parts.max() < len(fractions)
    for group in set(groups):
        assert len(set(parts[np.array(groups) == group])) == 1
    np.testing.assert_array_equal(parts, split_by_group(np.array(groups), fractions, seed))


@given(ids=st.lists(st.text(max_size=8), min_size=1, max_size=40), fractions=FRACTIONS, salt=st.text(max_size=3))
def test_the_part_of_an_id_depends_on_nothing_but_itself(ids: list[str], fractions: list[float], salt: str) -> None:
    parts = split_by_hash(ids, fractions, salt)
    for one, part in zip(ids, parts, strict=True):
        assert split_by_hash([one], fractions, salt)[0] == part


def test_shares_are_kept() -> None:
    wanted = [0.6, 0.3, 0.1]
    groups = np.random.default_rng(0).integers(0, 500, 20_000)
    for parts in (
        split_by_time(np.arange(20_000), wanted),
        split_by_group(groups, wanted),
        split_by_hash([str(one) for one in range(20_000)], wanted),
    ):
        np.testing.assert_allclose(np.bincount(parts) / 20_000, wanted, atol=0.02)


def test_rows_without_a_group_stand_alone() -> None:
    parts = split_by_group(pd.Series(["a", "a", None, None, None, None]), [0.5, 0.5])
    assert parts[0] == parts[1]
    assert sorted(np.bincount(parts)) == [3, 3]


def test_bad_fractions_and_missing_times_are_refused() -> None:
    with pytest.raises(InputError, match="add up to 1"):
        split_by_hash(["a"], [0.5, 0.6])
    with pytest.raises(InputError, match="row 2 has no time"):
        split_by_time(pd.Series(pd.to_datetime(["2024-01-01", None])), [1.0])

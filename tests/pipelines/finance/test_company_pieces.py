"""Pieces of a table hold whole histories, whatever the order of its rows and the size of the pieces."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.finance.company_frame import derive
from pipelines.finance.company_pieces import cut_between_cases
from pipelines.finance.company_plan import CompanyOptions, make_plan
from pipelines.finance.labels import find_rule
from tests.pipelines.finance.company_samples import KEYS, make_companies

TABLE = make_companies(0, 12)


PLAN = make_plan(TABLE, CompanyOptions(**KEYS), find_rule(TABLE["failed"]))


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(1, 60),
    cases=st.sampled_from(["latest", "all"]),
    order=st.randoms(use_true_random=False),
    twice=st.booleans(),
    wrong=st.sampled_from(["7", "much", "inf"]),
)
def test_pieces_together_give_the_cases_of_the_whole_table(
    size: int, cases: str, order: Any, twice: bool, wrong: str
) -> None:
    rows = list(range(len(TABLE)))
    order.shuffle(rows)
    table = TABLE.astype({"total_assets": "str"}).iloc[rows + rows[:1] * twice].reset_index(drop=True)
    table.loc[5, "total_assets"] = wrong
    plan = replace(PLAN, cases=cases)
    whole = derive(table, plan)
    frames, errors, seen = [], {}, 0
    for piece in cut_between_cases(table, plan, {}, size):
        assert 0 < len(piece.cases) <= size
        part = derive(table.iloc[piece.rows].reset_index(drop=True), plan, piece.errors, only=piece.cases)
        errors |= {seen + case: words for case, words in part.errors.items()}
        seen += len(part.frame)
        frames.append(part.frame)
    assert errors == whole.errors
    assert bool(errors) is (twice or wrong != "7")
    pd.testing.assert_frame_equal(pd.concat(frames, ignore_index=True), whole.frame)


def test_a_row_that_could_not_be_read_is_no_history_and_keeps_its_error() -> None:
    plan = replace(PLAN, cases="all")
    (piece,) = cut_between_cases(TABLE, plan, {3: "NOT_A_NUMBER: x"}, 1_000)
    assert piece.errors == {3: "NOT_A_NUMBER: x"}
    assert np.array_equal(piece.rows, np.arange(len(TABLE)))

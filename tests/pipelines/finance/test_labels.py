"""Which of two values is the bad one."""

import numpy as np
import pandas as pd
import pytest

from core.errors import InputError
from pipelines.finance.labels import LabelRule, find_rule, read_labels


@pytest.mark.parametrize(
    ("values", "bad"),
    [
        ([0, 1, 0], "1"),
        ([0.0, 1.0, np.nan], "1"),
        ([1, 2, 2], "2"),
        ([-1, 1], "1"),
        ([True, False], "true"),
        (["0", "1", ""], "1"),
        (["1.0", "0.0"], "1"),
        (["yes", "No", "YES "], "yes"),
        (["good", "bad"], "bad"),
        (["Fully Paid", "Charged Off"], "charged_off"),
        (["违约", "正常"], "违约"),
        (["是", "否", None], "是"),
        (["paid", "something"], "something"),
        ([True, None, False], "true"),
    ],
)
def test_the_bad_value_is_found(values: list[object], bad: str) -> None:
    target = pd.Series(values, name="y")
    rule = find_rule(target)
    assert rule.bad == bad
    found = read_labels(target, rule)
    assert set(found[~np.isnan(found)]) == {0.0, 1.0}
    assert np.isnan(found).sum() == sum(v is None or v != v or v == "" for v in values)
    assert LabelRule.from_json(rule.to_json()) == rule


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, 0, np.nan], "only the value '0'"),
        ([np.nan, np.nan], "no label at all"),
        (["", "NA"], "no label at all"),
        ([0, 1, 2], r"3 values \(0, 1, 2\)"),
        (range(100), r"100 values .*, \.\.\."),
        (["north", "south"], "cannot be told"),
        (["bad", "default"], "cannot be told"),
    ],
)
def test_a_target_that_says_nothing_is_refused(values: list[object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        find_rule(pd.Series(list(values), name="y"))


def test_a_label_that_training_did_not_know_is_named_with_its_row() -> None:
    rule = LabelRule(bad="yes", good="no")
    with pytest.raises(InputError, match=r"'maybe' \(row 3\)"):
        read_labels(pd.Series(["yes", "no", "maybe"], name="y"), rule)

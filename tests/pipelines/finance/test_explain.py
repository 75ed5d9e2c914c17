"""Reasons: the right features, in words, under codes that stay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.spec import Column, FeatureSpec
from pipelines.finance.explain import CODE_LENGTH, Reason, no_reasons, phrase, reason_codes, strongest_reasons

AGE = Column(name="age", kind="number", words_en="age", words_zh="年龄")
PURPOSE = Column(name="purpose", kind="category", categories=("car", "home"), words_en="purpose", words_zh="用途")
TRADES = Column(name="nTrades", kind="number", special_codes=(-9.0,), words_en="trades", words_zh="账户数")
SPEC = FeatureSpec(columns=(AGE, PURPOSE, TRADES))
VALUES = np.asarray([[23.0, 1.0, -9.0], [70.0, np.nan, np.nan]])
MOVED = np.asarray([[0.4, -0.2, 0.9], [-0.3, -0.7, 0.001]])


def spec_of(*names: str) -> FeatureSpec:
    return FeatureSpec(columns=tuple(Column(name=name, kind="number") for name in names))


def test_what_raised_the_risk_comes_first_and_what_lowered_it_is_left_out() -> None:
    found = strongest_reasons(SPEC, VALUES, MOVED, np.asarray([False, False]), 4)
    assert [reason.feature for reason in found[0]] == ["nTrades", "age"]
    assert found[1] == ()
    assert found[0][0].contribution == 0.9
    assert str(found[0][1]) == "AGE: age is 23 (+0.40)"


def test_for_an_approved_case_what_lowered_the_risk_speaks() -> None:
    found = strongest_reasons(SPEC, VALUES, MOVED, np.asarray([True, True]), 1)
    assert [[reason.feature for reason in row] for row in found[:2]] == [["purpose"], ["purpose"]]
    assert found[1][0].value is None


def test_equal_contributions_keep_the_order_of_the_columns() -> None:
    found = strongest_reasons(SPEC, VALUES, np.full((2, 3), 0.5) + [[0, 1e-13, 0]] * 2, np.zeros(2, bool), 3)
    assert [reason.feature for reason in found[0]] == ["age", "purpose", "nTrades"]


def test_texts_and_single_reasons_say_the_same() -> None:
    found = strongest_reasons(SPEC, VALUES, MOVED, np.asarray([False, True]), 3)
    texts = found.texts()
    for row in range(2):
        assert [str(reason) for reason in found[row]] == [column[row] for column in texts if column[row] is not None]


def test_reasons_take_their_places_among_rows_without() -> None:
    part = strongest_reasons(SPEC, VALUES, MOVED, np.asarray([False, True]), 9)
    found = no_reasons(SPEC, 4, 5).placed(np.asarray([False, True, False, True]), part)
    assert [len(row) for row in found] == [0, 2, 0, 2]
    assert found[1] == part[0]
    assert len(found.texts()) == 5


@pytest.mark.parametrize(
    ("column", "value", "en", "zh"),
    [
        (AGE, 23.0, "age is 23", "年龄为23"),
        (AGE, 0.123456, "age is 0.1235", "年龄为0.1235"),
        (AGE, 1234567.8, "age is 1,234,568", "年龄为1,234,568"),
        (AGE, 1e-9, "age is 1e-09", "年龄为1e-09"),
        (AGE, 0.0, "age is 0", "年龄为0"),
        (AGE, -5.5, "age is -5.5", "年龄为-5.5"),
        (AGE, np.nan, "age is missing", "年龄缺失"),
        (TRADES, -9.0, "trades is the code -9", "账户数为特殊代码-9"),
        (PURPOSE, 1.0, "purpose is home", "用途为home"),
        (PURPOSE, np.nan, "purpose is missing or new", "用途缺失或未见过"),
    ],
)
def test_a_value_is_said_in_words(column: Column, value: float, en: str, zh: str) -> None:
    assert phrase(column, value) == en
    assert phrase(column, value, "zh") == zh


@given(st.floats(-1e15, 1e15))
def test_every_number_can_be_said(value: float) -> None:
    assert phrase(AGE, value).startswith("age is ")


def test_codes_are_readable_and_stay_when_columns_come_or_move() -> None:
    assert reason_codes(spec_of("MonthlyIncome", "debt ratio")) == ("MONTHLY_INCOME", "DEBT_RATIO")
    assert reason_codes(spec_of("x", "debt ratio", "y"))[1] == "DEBT_RATIO"


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=12, unique=True))
def test_codes_are_different_short_and_plain(names: list[str]) -> None:
    codes = reason_codes(spec_of(*names))
    for code in codes:
        assert 0 < len(code) <= CODE_LENGTH
        assert code.isascii()
        assert set(code) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
    assert len(set(codes)) == len(codes)


def test_reasons_that_are_left_out_make_room_for_the_next() -> None:
    found = strongest_reasons(SPEC, VALUES, MOVED, np.asarray([False, True]), 3)
    less = found.without({0: {"N_TRADES"}})
    assert [reason.code for reason in less[0]] == ["AGE"]
    assert less[0][0] == found[0][1]
    assert less[1] == found[1]
    assert [text[0] for text in less.texts()] == ["AGE: age is 23 (+0.40)", None, None]


def test_a_reason_beside_the_model_has_words_alone() -> None:
    assert str(Reason(code="POLICY_X", words="it is so", words_zh="如此")) == "POLICY_X: it is so"

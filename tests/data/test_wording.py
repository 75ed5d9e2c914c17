import doctest

import pytest

import data.cells
import data.drift
import data.wording
from data.wording import is_personal, words_for


@pytest.mark.parametrize(
    ("name", "english", "chinese"),
    [
        ("MonthlyIncome", "monthly income", "月收入"),
        ("DebtRatio", "debt ratio", "负债率"),
        ("card_utilization", "card utilization", "信用卡额度使用率"),
        ("peculiar_thing", "peculiar thing", "peculiar thing"),
        ("loan_amount_cny", "loan amount (CNY)", "贷款金额(元)"),
        ("LIMIT_BAL", "limit bal", "信用额度"),
        ("营业总收入", "营业总收入", "营业总收入"),
        ("X12", "X12", "X12"),
        ("!!", "!!", "!!"),
    ],
)
def test_column_names_become_words(name: str, english: str, chinese: str) -> None:
    assert words_for(name) == (english, chinese)


def test_names_that_tell_of_a_person_are_marked() -> None:
    for name in ("customer_name", "EMail", "phone", "HomeAddress", "身份证号", "date_of_birth"):
        assert is_personal(name)
    for name in ("age", "amount", "renamed", "MonthlyIncome"):
        assert not is_personal(name)


@pytest.mark.parametrize("module", [data.cells, data.drift, data.wording])
def test_the_examples_in_the_docstrings_run(module: object) -> None:
    done = doctest.testmod(module)  # type: ignore[arg-type]
    assert done.attempted > 0
    assert done.failed == 0

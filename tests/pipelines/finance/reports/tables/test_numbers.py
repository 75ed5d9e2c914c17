from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.finance.reports.tables.numbers import LONGEST, read_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234", "1234"),
        ("1,234.50", "1234.50"),
        ("(1,234)", "-1234"),
        ("（１，２３４）", "-1234"),
        ("$(1,234)", "-1234"),
        ("($1,234)", "-1234"),
        ("(1,234", "-1234"),
        ("$ 1,234", "1234"),
        ("-$1,234", "-1234"),
        ("－１，２３４．５", "-1234.5"),
        ("1,234-", "-1234"),
        ("−7", "-7"),
        ("△7", "-7"),
        ("—", "0"),
        ("$ —", "0"),
        ("--", "0"),
        ("(-)", "0"),
        ("￥1,234.00元", "1234.00"),
        ("1 234 567", "1234567"),
        ("1.234.567,89", "1234567.89"),
        ("12,34,567", "1234567"),
        ("1,234(1)", "1234"),
        ("(1,234)(a)", "-1234"),
        ("1,234*", "1234"),
        (".48", ".48"),
        ("1,556,575,37\n2.45", "1556575372.45"),
        ("\xa01,234\xa0", "1234"),
    ],
)
def test_a_number_is_read_as_it_is_printed(text: str, value: str) -> None:
    assert read_number(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    ["", " ", "七、1", "12.5%", "12,34", "1,234 5,678,", "Note 5", "2019年", "1,2345", "3 to 5", "①", "1e9", "9" * 99],
)
def test_what_is_no_number_stays_unread(text: str) -> None:
    assert read_number(text) is None


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=2))
def test_every_way_to_print_a_number_reads_back(value: Decimal) -> None:
    plain = f"{abs(value):,.2f}"
    wide = plain.translate(str.maketrans("0123456789,.", "０１２３４５６７８９，．"))
    losses = [f"({plain})", f"-{plain}", f"{plain}-", f"（{wide}）", f"－{wide}"]
    gains = [plain, wide, f"$ {plain}"]
    assert {read_number(text) for text in (losses if value < 0 else gains)} == {value}


@given(st.text(max_size=2 * LONGEST))
def test_any_text_is_a_number_or_none(text: str) -> None:
    value = read_number(text)
    assert value is None or value.is_finite()


@given(st.text(alphabet="0123456789,.()（）-—－ $¥￥△%", max_size=30))
def test_any_mix_of_the_marks_of_numbers_is_a_number_or_none(text: str) -> None:
    value = read_number(text)
    assert value is None or value.is_finite()

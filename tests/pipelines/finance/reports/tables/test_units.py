import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.finance.reports.tables.units import Unit, find_currency, find_unit


@pytest.mark.parametrize(
    ("line", "unit"),
    [
        ("单位：元", Unit(1, None, 1)),
        ("单位:人民币千元", Unit(1000, "CNY", 1000)),
        ("（金额单位：人民币百万元）", Unit(10**6, "CNY", 10**6)),
        ("单位：万元 币种：人民币", Unit(10**4, "CNY", 10**4)),
        ("（人民币亿元）", Unit(10**8, "CNY", 10**8)),
        ("单 位：千美元", Unit(1000, "USD", 1000)),
        ("财务附注中报表的单位为：元", Unit(1, None, 1)),
        ("In thousands", Unit(1000, None, 1000)),
        ("(in millions, except per share data)", Unit(10**6, None, 10**6)),
        ("(in thousands, except share and per share data)", Unit(1000, None, 1)),
        (
            "(In millions, except number of shares, which are reflected in thousands)",
            Unit(10**6, None, 1000),
        ),
        ("Millions, Except Per Share Amounts, for the Years Ended December 31,", Unit(10**6, None, 10**6)),
        ("RMB'000", Unit(1000, "CNY", 1000)),
        ("(Expressed in thousands of U.S. dollars)", Unit(1000, "USD", 1000)),
        ("(000s omitted)", Unit(1000, None, 1000)),
        ("DKK million", Unit(10**6, "DKK", 10**6)),
        ("2021 £m 2020 £m", Unit(10**6, "GBP", 10**6)),
        ("(US$m)", Unit(10**6, "USD", 10**6)),
        ("$'000 $'000", Unit(1000, None, 1000)),
        ("TEUR", Unit(1000, "EUR", 1000)),
        ("2021 in Mio. €", Unit(10**6, "EUR", 10**6)),
        ("2021 mn EUR 2020 mn EUR", Unit(10**6, "EUR", 10**6)),
        ("EUR k", Unit(1000, "EUR", 1000)),
        ("(Rs. in crore)", Unit(10**7, "INR", 10**7)),
        ("(₹ in lakhs)", Unit(10**5, "INR", 10**5)),
        ("JPY millions", Unit(10**6, "JPY", 10**6)),
        ("项目（万元）", Unit(10**4, None, 10**4)),
        ("项目 2021年度（人民币千元） 2020年度（人民币千元）", Unit(1000, "CNY", 1000)),
        ("亿元 亿元", Unit(10**8, None, 10**8)),
        ("（万元人民币）", Unit(10**4, "CNY", 10**4)),
        ("2021年千港元 2020年千港元", Unit(1000, "HKD", 1000)),
        ("人民幣百萬元", Unit(10**6, "CNY", 10**6)),
    ],
)
def test_the_unit_of_a_page_is_found(line: str, unit: Unit) -> None:
    assert find_unit(line) == unit


@pytest.mark.parametrize(
    "line",
    [
        "increase in millions of customers",
        "we invested $5 million in cash",
        "we paid 12 mn EUR and £3m for it",
        "基本每股收益（元）",
        "共计5万元",
        "单位：股",
        "本公司",
        "",
        "x" * 10_000,
    ],
)
def test_prose_names_no_unit(line: str) -> None:
    assert find_unit(line) is None


def test_a_currency_needs_its_country() -> None:
    assert (find_currency("US$ and RMB"), find_currency("港元"), find_currency("$ 12")) == ("USD", "HKD", None)


@given(st.text(max_size=500))
def test_any_line_has_a_unit_or_none(line: str) -> None:
    unit = find_unit(line)
    assert unit is None or unit.scale >= 1


@given(st.text(alphabet="单位：:人民币千万百亿元 （）()in thousands,millions except shares per RMB'000", max_size=120))
def test_any_mix_of_the_words_of_units_is_a_unit_or_none(line: str) -> None:
    unit = find_unit(line)
    assert unit is None or unit.shares >= 1

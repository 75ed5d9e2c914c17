from datetime import date
from decimal import Decimal

import pytest

from core.errors import InputError
from data.finance.reports import Fact, Report
from pipelines.finance.reports.tags.ixbrl import read_ixbrl
from tests.pipelines.finance.reports.tags.inline_pages import CONTEXTS, UNITS, context, number, page, unit, words

DOT = "ixt:num-dot-decimal"


def read(body: str, **options: str) -> Report:
    return read_ixbrl(page(body, **options), "acme.htm")


def only(body: str) -> Fact:
    (fact,) = read(body).facts
    return fact


def test_a_fact_has_its_value_unit_decimals_period_and_place() -> None:
    fact = only(number("1,234.5", id="f-1", format=DOT, scale="6", sign="-"))
    assert (fact.concept, fact.value, fact.unit, fact.decimals) == (
        "us-gaap:Revenues",
        Decimal(-1234500000),
        "USD",
        "-6",
    )
    assert (fact.start, fact.end, fact.instant) == (date(2024, 1, 1), date(2024, 12, 31), None)
    assert (fact.source.text, fact.source.element) == ("1,234.5", "f-1")


def test_a_fact_without_an_id_is_found_by_its_order() -> None:
    facts = read(number("1") + number("2", contextRef="i")).facts
    assert [fact.source.element for fact in facts] == ["nonFraction[1]", "nonFraction[2]"]


def test_explicit_and_typed_dimensions_are_read_from_segment_and_scenario() -> None:
    assert only(number("1", contextRef="north")).dimensions == {"acme:RegionAxis": "acme:NorthMember"}
    typed = only(number("1", contextRef="typed"))
    assert typed.dimensions == {"acme:RegionAxis": "acme:NorthMember", "acme:StartAxis": "2025-01-01"}
    assert typed.instant == date(2024, 12, 31)


def test_a_fact_of_all_time_has_no_period() -> None:
    fact = only(number("1", contextRef="ever"))
    assert (fact.start, fact.end, fact.instant) == (None, None, None)


def test_a_ratio_of_units_is_written_with_a_stroke() -> None:
    assert only(number("1.25", unitRef="eps")).unit == "USD/shares"


def test_a_nil_fact_has_no_value_and_zero_is_not_negative() -> None:
    nil, zero = read(number("", xsi_nil="true") + number("—", format="ixt:fixed-zero", sign="-", contextRef="i")).facts
    assert nil.value is None
    assert str(zero.value) == "0"


def test_numbers_of_more_than_twenty_eight_digits_stay_exact() -> None:
    digits = "1234567890123456789012345678901234567890"
    assert only(number(digits, scale="3", sign="-")).value == Decimal(f"-{digits}000")


def test_markup_inside_a_number_and_nested_facts_are_read() -> None:
    inner = number("<b>1,0</b>00", id="in", format=DOT)
    outer, nested = read(number(f"<span>{inner}</span>", id="out", contextRef="i", format=DOT, scale="3")).facts
    assert (outer.value, nested.value) == (Decimal(1000000), Decimal(1000))


def test_excluded_parts_are_not_part_of_a_fact() -> None:
    report = read(words("Net<ix:exclude> page 7 <b>of 9</b></ix:exclude> sales", "acme:Note") + number("1"))
    assert [fact.value for fact in report.texts if fact.concept == "acme:Note"] == ["Net sales"]


def test_continued_text_is_joined_and_a_circle_ends() -> None:
    parts = '<ix:continuation id="c1" continuedAt="c2">two </ix:continuation>'
    parts += '<ix:continuation id="c2" continuedAt="c1">three</ix:continuation>'
    report = read(words("one ", "acme:Note", continuedAt="c1") + parts)
    assert report.texts[-1].value == "one two three"


def test_of_a_passage_the_opening_is_kept_unless_the_whole_is_asked_for() -> None:
    body = words("<table><tr><td>A</td><td>B</td></tr></table>" + "word " * 500, "acme:NoteTextBlock", escape="true")
    opening = str(read(body).texts[-1].value)
    assert opening.startswith("A B word word")
    assert len(opening) <= 301
    whole = str(read_ixbrl(page(body), "acme.htm", whole=True).texts[-1].value)
    assert whole.split() == ["A", "B", *["word"] * 500]


def test_the_cover_says_company_form_last_day_currency_and_language() -> None:
    report = read(number("1"))
    assert (report.company, report.form, report.period_end) == ("Acme Holdings Inc.", "10-K", date(2024, 12, 31))
    assert (report.currency, report.language, report.kind) == ("USD", "en", "ixbrl")


def test_facts_and_contexts_of_several_headers_belong_together() -> None:
    late = context("late", "<xbrli:instant>2025-03-01</xbrli:instant>")
    second = f"<ix:header><ix:resources>{late}</ix:resources></ix:header>"
    assert only(second + number("7", contextRef="late")).instant == date(2025, 3, 1)


def test_a_period_that_ends_at_midnight_ends_on_the_day_before() -> None:
    ends = "<xbrli:startDate>2024-01-01</xbrli:startDate><xbrli:endDate>2025-01-01T00:00:00</xbrli:endDate>"
    report = read(number("1", contextRef="m"), resources=CONTEXTS + UNITS + context("m", ends))
    assert report.facts[0].end == date(2024, 12, 31)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (number("1", contextRef="none"), "no context 'none'"),
        (number("1", unitRef="none"), "no unit 'none'"),
        (number("1,5"), "no decimal number"),
        (number("1", scale="900"), "scale 900"),
        (number("1", scale="x"), "scale 'x'; a whole number is allowed"),
        (number("1", sign="+"), "sign '+'"),
        (number("1", format="ixt:num-strange"), "no transformation 'num-strange'"),
        (number("1", format="acme:num-dot-decimal"), "no known registry"),
        (number("9" * 201), "201 characters"),
        ('<ix:fraction name="acme:R" contextRef="y" unitRef="pure"/>', "ix:fraction"),
    ],
)
def test_what_cannot_be_read_is_left_out_and_said(body: str, reason: str) -> None:
    report = read(body + number("2", id="good"))
    assert [fact.source.element for fact in report.facts] == ["good"]
    (check,) = [check for check in report.checks if check.name == "every_fact_is_readable"]
    assert not check.passed
    assert reason in check.detail


def test_words_that_no_format_explains_are_kept_as_written_and_said() -> None:
    report = read(number("1") + words("Corner  Shop", "dei:SecurityExchangeName", format="ixt-sec:exchnameen"))
    assert report.texts[-1].value == "Corner Shop"
    assert "kept as written" in report.checks[0].detail


def test_contexts_that_share_an_id_or_have_no_date_are_not_guessed_between() -> None:
    twice = CONTEXTS + UNITS + context("y", "<xbrli:instant>2020-01-01</xbrli:instant>")
    strange = CONTEXTS + UNITS + context("s", "<xbrli:instant>2024-02-31</xbrli:instant>")
    assert read(number("1"), resources=twice).facts == ()
    assert read(number("1", contextRef="s"), resources=strange).facts == ()


def test_facts_that_stand_twice_with_different_values_are_flagged_unless_rounding_explains_it() -> None:
    rounded = read(number("1,234", format=DOT, scale="6") + number("1.2", format=DOT, scale="9", decimals="-8"))
    apart = read(number("1", id="a", scale="9") + number("2", id="b", scale="9"))
    assert [check.passed for check in rounded.checks if check.name == "repeated_facts_agree"] == [True]
    (check,) = [check for check in apart.checks if check.name == "repeated_facts_agree"]
    assert not check.passed
    assert "1000000000 (a) and 2000000000 (b)" in check.detail


def test_measures_are_currencies_by_their_namespace_not_by_their_prefix() -> None:
    resources = (
        CONTEXTS + '<xbrli:unit id="usd" xmlns:money="http://www.xbrl.org/2003/iso4217"><xbrli:measure>money:DKK'
    )
    report = read(number("1"), resources=resources + "</xbrli:measure></xbrli:unit>" + unit("boats", "acme:boats"))
    assert report.currency == "DKK"


def test_a_page_without_facts_is_refused() -> None:
    with pytest.raises(InputError, match="no inline XBRL facts") as caught:
        read_ixbrl(b"<html><body><p>hello</p></body></html>", "x.htm")
    assert caught.value.code == "NOT_INLINE"


def test_a_period_that_starts_after_its_end_is_said_and_its_facts_are_left_out() -> None:
    period = "<xbrli:startDate>2024-06-01</xbrli:startDate><xbrli:endDate>2023-12-31</xbrli:endDate>"
    report = read(number("1", contextRef="back"), resources=CONTEXTS + UNITS + context("back", period))
    assert not report.facts
    assert "a period from 2024-06-01 that ends before it, on 2023-12-31" in report.checks[0].detail

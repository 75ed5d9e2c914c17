import pytest

from pipelines.finance.reports.tags.transforms import transform

OLDEST = "http://www.xbrl.org/inlineXBRL/transformation/2010-04-20"
SECOND = "http://www.xbrl.org/inlineXBRL/transformation/2011-07-31"
THIRD = "http://www.xbrl.org/inlineXBRL/transformation/2015-02-26"
FOURTH = "http://www.xbrl.org/inlineXBRL/transformation/2020-02-12"
FIFTH = "http://www.xbrl.org/inlineXBRL/transformation/2022-02-16"
SEC = "http://www.sec.gov/inlineXBRL/transformation/2015-08-31"


@pytest.mark.parametrize(
    ("registry", "name", "text", "value"),
    [
        (OLDEST, "numcommadot", "1,234.5", "1234.5"),
        (OLDEST, "numdotcomma", "1.234,5", "1234.5"),
        (OLDEST, "numspacecomma", "1 234,5", "1234.5"),
        (OLDEST, "numspacedot", "1 234.5", "1234.5"),
        (OLDEST, "numcomma", "1234,5", "1234.5"),
        (OLDEST, "numdash", "—", "0"),
        (SECOND, "numdotdecimal", "1,234,567", "1234567"),
        (SECOND, "numcommadecimal", "1\u00a0234\u202f567,89", "1234567.89"),
        (SECOND, "zerodash", "–", "0"),
        (SECOND, "numunitdecimal", "12 euros 5 cents", "12.05"),
        (THIRD, "numdotdecimalin", "12,34,567.80", "1234567.80"),
        (FOURTH, "num-dot-decimal", ".5", ".5"),
        (FOURTH, "num-dot-decimal", "１，２３４．５", "1234.5"),
        (FOURTH, "fixed-zero", "no", "0"),
        (FOURTH, "fixed-true", "☒", "true"),
        (FOURTH, "fixed-false", "", "false"),
        (FOURTH, "fixed-empty", "N/A", ""),
        (FIFTH, "num-dot-decimal-apos", "1’234'567.5", "1234567.5"),
        (FIFTH, "num-comma-decimal-apos", "1'234,5", "1234.5"),
        (FIFTH, "num-unit-decimal-apos", "1'234 Fr. 50", "1234.50"),
    ],
)
def test_numbers_of_every_registry_are_read(registry: str, name: str, text: str, value: str) -> None:
    assert transform(registry, name, text) == value


@pytest.mark.parametrize(
    ("registry", "name", "text", "value"),
    [
        (OLDEST, "datelongus", "December 31, 2024", "2024-12-31"),
        (OLDEST, "dateslasheu", "31/12/24", "2024-12-31"),
        (OLDEST, "dateslashus", "12/31/2024", "2024-12-31"),
        (OLDEST, "dateshortmonthyear", "Dec 2024", "2024-12"),
        (SECOND, "datedaymonthen", "31st of December", "--12-31"),
        (SECOND, "dateyearmonthdaycjk", "2024年12月31日", "2024-12-31"),
        (SECOND, "dateerayearmonthdayjp", "令和6年12月31日", "2024-12-31"),
        (SECOND, "dateerayearmonthjp", "平成元年4月", "1989-04"),
        (THIRD, "datedaymonthyeardk", "31. maj 2024", "2024-05-31"),
        (THIRD, "datedaymonthyearin", "३१ मार्च २०२४", "2024-03-31"),
        (THIRD, "calindaymonthyear", "1 Chaitra 1946", "2024-03-21"),
        (FOURTH, "date-day-monthname-year-de", "31. Dezember 2024", "2024-12-31"),
        (FOURTH, "date-day-monthname-year-fr", "1er août 2024", "2024-08-01"),
        (FOURTH, "date-day-monthname-year-cs", "30. června 2024", "2024-06-30"),
        (FOURTH, "date-day-monthname-year-cs", "30. července 2024", "2024-07-30"),
        (FOURTH, "date-day-monthname-year-pt", "31 de dezembro de 2024", "2024-12-31"),
        (FOURTH, "date-day-monthname-year-el", "31 Δεκεμβρίου 2024", "2024-12-31"),
        (FOURTH, "date-year-monthname-day-hu", "2024. december 31.", "2024-12-31"),
        (FOURTH, "date-year-monthname-day-lt", "2024 m. gruodžio 31 d.", "2024-12-31"),
        (FOURTH, "date-day-monthname-year-fi", "31. joulukuuta 2024", "2024-12-31"),
        (FOURTH, "date-monthname-year-en", "June 2024", "2024-06"),
        (FOURTH, "date-year-month-day", "2024-12-31", "2024-12-31"),
        (FOURTH, "date-month-day", "12/31", "--12-31"),
        (SEC, "datequarterend", "Q2 2024", "2024-06-30"),
    ],
)
def test_dates_of_every_registry_are_read(registry: str, name: str, text: str, value: str) -> None:
    assert transform(registry, name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("numwordsen", "no", "0"),
        ("numwordsen", "None", "0"),
        ("numwordsen", "Forty-two", "42"),
        ("numwordsen", "two hundred and five", "205"),
        ("numwordsen", "1.5 million", "1500000"),
        ("numwordsen", "one thousand, two hundred", "1200"),
        ("durwordsen", "Five years", "P5Y"),
        ("durwordsen", "eighteen months", "P18M"),
        ("durwordsen", "three years, six months and ten days", "P3Y6M10D"),
        ("durwordsen", "thirty-day", "P30D"),
        ("duryear", "2.5", "P2Y6M"),
        ("duryear", "10", "P10Y"),
        ("durmonth", "18", "P18M"),
        ("durweek", "6", "P6W"),
        ("durday", "1,825", "P1825D"),
        ("durhour", "36", "PT36H"),
        ("boolballotbox", "☒", "true"),
        ("boolballotbox", "☐", "false"),
        ("exchnameen", "The New York Stock Exchange", "NYSE"),
        ("stateprovnameen", "California", "CA"),
        ("countrynameen", "Ireland", "IE"),
        ("edgarprovcountryen", "Delaware", "DE"),
        ("entityfilercategoryen", "Large accelerated filer", "Large Accelerated Filer"),
    ],
)
def test_the_transformations_of_the_sec_are_read(name: str, text: str, value: str) -> None:
    assert transform(SEC, name, text) == value


@pytest.mark.parametrize(
    ("registry", "name", "text"),
    [
        (FOURTH, "num-dot-decimal", "1.2.3"),
        (FOURTH, "num-dot-decimal", ""),
        (FOURTH, "num-dot-decimal", "(5)"),
        (SECOND, "zerodash", "5"),
        (FOURTH, "date-day-month-year", "31/02/2024"),
        (FOURTH, "date-monthname-day-year-en", "Smarch 31, 2024"),
        (FOURTH, "date-month-day-year", "13/13/2024"),
        (SECOND, "dateerayearmonthjp", "0H0"),
        (SEC, "numwordsen", "many"),
        (SEC, "numwordsen", "x" * 400),
        (SEC, "durwordsen", "five"),
        (SEC, "exchnameen", "the corner shop"),
        (SEC, "duryear", "99999999999"),
        ("http://example.org/registry", "num-dot-decimal", "1"),
        (FOURTH, "nothing-known", "1"),
    ],
)
def test_what_a_transformation_does_not_cover_is_refused(registry: str, name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"no |a number|a duration"):
        transform(registry, name, text)

"""Dates as people write them, by the order of their parts: the date formats of the transformation registries."""

import csv
import re
import unicodedata
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

ORDERS = ("day-month", "month-day", "day-month-year", "month-day-year", "year-month-day", "year-day-month")
NAMED_ORDERS = ("day-monthname", "monthname-day", "day-monthname-year", "monthname-day-year", "year-monthname-day")
NAMED_MONTHS = ("monthname-year", "year-monthname")
PART = re.compile(r"\d+|[^\W\d_]+(?:[\u0900-\u097f]*)", re.UNICODE)
ERAS = {"令和": 2018, "令": 2018, "R": 2018, "平成": 1988, "平": 1988, "H": 1988, "昭和": 1925, "昭": 1925, "S": 1925}
ERAS |= {"大正": 1911, "大": 1911, "T": 1911, "明治": 1867, "明": 1867, "M": 1867}
ORDINALS = "first|second|third|fourth|1st|2nd|3rd|4th|last"
QUARTER = re.compile(rf"(?:q([1-4])|({ORDINALS})\s+quarter)\D*(\d{{4}})|(\d{{4}})\D*q([1-4])", re.ASCII)
QUARTERS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "last": 4}
SAKA_MONTHS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2)  # the Gregorian month in which each begins
SAKA_DAYS = (22, 21, 22, 22, 23, 23, 23, 23, 22, 22, 21, 20)  # and its day


def _month_stems() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    with (Path(__file__).parent / "months.csv").open(encoding="utf-8", newline="") as lines:
        rows = [[unicodedata.normalize("NFKC", cell).casefold() for cell in row] for row in csv.reader(lines)]
    return {row[0]: tuple(tuple(cell.split("|")) for cell in row[1:]) for row in rows}


MONTHS = _month_stems()


@dataclass(frozen=True, slots=True)
class DateFormat:
    """The order of the parts (day, month, monthname, year, era) and the language of the month's name."""

    parts: tuple[str, ...]
    language: str | None = None
    calendar: str = "gregorian"


def _formats() -> dict[str, DateFormat]:
    numeric = {f"date-{order}": DateFormat(tuple(order.split("-"))) for order in (*ORDERS, "month-year", "year-month")}
    named = {
        f"date-{order}-{language}": DateFormat(tuple(order.split("-")), language)
        for order in (*NAMED_ORDERS, *NAMED_MONTHS)
        for language in MONTHS
    }
    japanese = {
        "date-jpn-era-year-month-day": DateFormat(("era", "year", "month", "day"), "ja"),
        "date-jpn-era-year-month": DateFormat(("era", "year", "month"), "ja"),
    }
    saka = DateFormat(("day", "monthname", "year"), "saka", "saka")
    formats = numeric | named | japanese | {"date-ind-day-monthname-year-hi": saka, "calindaymonthyear": saka}
    return formats | {old: formats[new] for old, new in OLDER.items()}


OLDER = {
    "datedaymonth": "date-day-month",
    "datedaymonthdk": "date-day-monthname-da",
    "datedaymonthen": "date-day-monthname-en",
    "datedaymonthyear": "date-day-month-year",
    "datedaymonthyeardk": "date-day-monthname-year-da",
    "datedaymonthyearen": "date-day-monthname-year-en",
    "datedaymonthyearin": "date-day-monthname-year-hi",
    "dateerayearmonthdayjp": "date-jpn-era-year-month-day",
    "dateerayearmonthjp": "date-jpn-era-year-month",
    "datemonthday": "date-month-day",
    "datemonthdayen": "date-monthname-day-en",
    "datemonthdayyear": "date-month-day-year",
    "datemonthdayyearen": "date-monthname-day-year-en",
    "datemonthyear": "date-month-year",
    "datemonthyeardk": "date-monthname-year-da",
    "datemonthyearen": "date-monthname-year-en",
    "datemonthyearin": "date-monthname-year-hi",
    "dateyearmonthcjk": "date-year-month",
    "dateyearmonthday": "date-year-month-day",
    "dateyearmonthdaycjk": "date-year-month-day",
    "dateyearmonthen": "date-year-monthname-en",
    "datedoteu": "date-day-month-year",
    "datedotus": "date-month-day-year",
    "dateslasheu": "date-day-month-year",
    "dateslashus": "date-month-day-year",
    "dateslashdaymontheu": "date-day-month",
    "dateslashmonthdayus": "date-month-day",
    "datelonguk": "date-day-monthname-year-en",
    "dateshortuk": "date-day-monthname-year-en",
    "datelongus": "date-monthname-day-year-en",
    "dateshortus": "date-monthname-day-year-en",
    "datelongdaymonthuk": "date-day-monthname-en",
    "dateshortdaymonthuk": "date-day-monthname-en",
    "datelongmonthdayus": "date-monthname-day-en",
    "dateshortmonthdayus": "date-monthname-day-en",
    "datelongmonthyear": "date-monthname-year-en",
    "dateshortmonthyear": "date-monthname-year-en",
    "datelongyearmonth": "date-year-monthname-en",
    "dateshortyearmonth": "date-year-monthname-en",
}
DATE_FORMATS: Mapping[str, DateFormat] = _formats()


def written_date(text: str, form: DateFormat) -> str:
    """ISO 8601: 2024-12-31, --12-31 without a year, 2024-12 without a day.

    >>> written_date("December 31, 2024", DATE_FORMATS["date-monthname-day-year-en"])
    '2024-12-31'
    """
    words = unicodedata.normalize("NFKC", text.strip())[:200]
    found = _parts(words, form)
    if form.calendar == "saka":
        return _from_saka(found, text)
    year, month, number = found.get("year"), found["month"], found.get("day")
    if not 1 <= month <= 12 or (number is not None and not 1 <= number <= monthrange(year or 2000, month)[1]):
        raise ValueError(f"no such day: {text.strip()[:40]!r}")
    if year is None:
        return f"--{month:02d}-{number:02d}"
    return f"{year:04d}-{month:02d}" + ("" if number is None else f"-{number:02d}")


def quarter_end(text: str) -> str:
    """The last day of a calendar quarter.

    >>> quarter_end("Second quarter of 2024")
    '2024-06-30'
    """
    found = QUARTER.search(text.lower()[:100])
    if found is None:
        raise ValueError(f"no quarter: {text.strip()[:40]!r}")
    quarter = int(found[1] or found[5] or QUARTERS[found[2]])
    year = int(found[3] or found[4])
    if year < 1:
        raise ValueError(f"no quarter: {text.strip()[:40]!r}")
    return f"{year:04d}-{3 * quarter:02d}-{monthrange(year, 3 * quarter)[1]}"


def _parts(words: str, form: DateFormat) -> dict[str, int]:
    if form.language == "ja":
        words = words.replace("元年", "1年")
    pieces = [piece for piece in PART.findall(words) if piece.isdigit() or _counts(piece, form)]
    if len(pieces) != len(form.parts):
        raise ValueError(f"no date of the form {'-'.join(form.parts)}: {words[:40]!r}")
    found: dict[str, int] = {}
    for part, piece in zip(form.parts, pieces, strict=True):
        if part == "monthname":
            found["month"] = _month(piece, form.language or "en")
        elif part == "era" and piece in ERAS:
            found["era"] = ERAS[piece]
        elif part == "era" or not piece.isdigit() or len(piece) > 4:
            raise ValueError(f"no {part}: {piece[:40]!r}")
        else:
            found[part] = int(piece) + (2000 if part == "year" and len(piece) <= 2 and form.language != "ja" else 0)
    if "era" in found:
        found["year"] += found.pop("era")
    if found.get("year", 1) < 1:
        raise ValueError(f"no year: {words[:40]!r}")
    return found


def _counts(piece: str, form: DateFormat) -> bool:
    """A word that is a part of the date; "the", "of", "th", 年 and 月 are not."""
    if form.language == "ja":
        return piece in ERAS
    return "monthname" in form.parts and _named(piece, form.language or "en") is not None


def _named(piece: str, language: str) -> int | None:
    word = piece.casefold()
    fitting = [
        (len(stem), number)
        for number, stems in enumerate(MONTHS[language], 1)
        for stem in stems
        if word.startswith(stem)
    ]
    return max(fitting)[1] if fitting else None


def _month(piece: str, language: str) -> int:
    number = _named(piece, language)
    if number is None:
        raise ValueError(f"no month's name: {piece[:40]!r}")
    return number


def _from_saka(found: Mapping[str, int], text: str) -> str:
    """The Indian national calendar: year 1 is 79, Chaitra begins on March 22, in leap years on March 21."""
    year, month, number = found["year"] + 78, found["month"], found["day"]
    leap = monthrange(year, 2)[1] == 29 if 1 <= year <= 9998 else False
    lengths = (31 if leap else 30, *[31] * 5, *[30] * 6)
    if not 1 <= year <= 9998 or not 1 <= number <= lengths[month - 1]:
        raise ValueError(f"no such day: {text.strip()[:40]!r}")
    begins = date(year + (month > 10), SAKA_MONTHS[month - 1], SAKA_DAYS[month - 1])
    if month == 1 and leap:
        begins -= timedelta(days=1)
    return (begins + timedelta(days=number - 1)).isoformat()

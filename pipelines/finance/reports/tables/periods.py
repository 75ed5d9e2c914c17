"""What a column heading says of time: a date, a year, a number of months, this period or the last.

>>> read_heading("Three Months Ended June 30, 2025")
Heading(dates=(datetime.date(2025, 6, 30),), years=(2025,), day=(6, 30), months=3, role=None)
>>> read_heading("2019年1—9月").dates, read_heading("2019年1—9月").months
((datetime.date(2019, 9, 30),), 9)
>>> read_heading("期初余额").role
'prior'
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal

from pipelines.finance.reports.chinese import simplified

Role = Literal["current", "prior"]
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
COUNTS |= {
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "sixteen": 16,
    "seventeen": 17,
    "twenty-four": 24,
}
COUNTS |= {"twenty-six": 26, "twenty-seven": 27, "twenty-eight": 28, "thirty-six": 36, "thirty-nine": 39, "forty": 40}
COUNTS |= {"fifty-two": 52, "fifty-three": 53}
QUARTER_ENDS = {"一": 3, "1": 3, "二": 6, "2": 6, "三": 9, "3": 9, "四": 12, "4": 12}
MONTH_DAYS = 30.4375
LONGEST = 600  # characters of a heading
_NARROW = str.maketrans("０１２３４５６７８９－—–―～~〇○", "0123456789------00")
_HAN_DIGITS = str.maketrans("零一二三四五六七八九", "0123456789")
_HAN_DATE = re.compile(
    r"([一二三四五六七八九0零]{4})年(?:([一二三四五六七八九十]{1,3})月)?(?:([一二三四五六七八九十]{1,3})日)?"
)
_Y = r"(?P<year>(?:19|20)\d\d)"
_MONTH = r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_FULL = (  # a whole date
    re.compile(rf"{_Y}年(?P<month>\d{{1,2}})月(?P<date>\d{{1,2}})日"),
    re.compile(rf"{_Y}[-./](?P<month>\d{{1,2}})[-./](?P<date>\d{{1,2}})(?!\d)"),
    re.compile(
        rf"\b{_MONTH} ?(?P<date>\d{{1,2}})(?:st|nd|rd|th)?[,.]? ?,? ?(?:\([a-z\d]\) ?)?{_Y}(?!\d)", re.IGNORECASE
    ),
    re.compile(rf"(?<!\d)(?P<date>\d{{1,2}})(?:st|nd|rd|th)? {_MONTH},? ?{_Y}(?!\d)", re.IGNORECASE),
    re.compile(rf"(?<!\d)(?P<month>\d{{1,2}})/(?P<date>\d{{1,2}})/{_Y}(?!\d)"),
)
_MONTH_END = (  # a month without a day
    re.compile(rf"{_Y}年(?P<month>\d{{1,2}})月(?!\d|-)"),
    re.compile(rf"\b{_MONTH},? {_Y}(?!\d)", re.IGNORECASE),
)
_SPAN = re.compile(rf"{_Y}年(?P<first>\d{{1,2}})(?:月)?[-至到](?P<last>\d{{1,2}})月")
_QUARTER = re.compile(rf"{_Y}年?(?:度)?第?(?P<quarter>[一二三四1-4])季度")
_DAY = (
    re.compile(rf"\b{_MONTH} (?P<date>\d{{1,2}})(?!\d)", re.IGNORECASE),
    re.compile(rf"(?<!\d)(?P<date>\d{{1,2}}) {_MONTH}", re.IGNORECASE),
)
_YEAR = re.compile(r"(?<![\d,.$])(?:19|20)\d\d(?![\d,]\d|\.\d|%)")
_FROM_TO = re.compile(r"[至到]| to | through | - ")
_DAY_TO_DAY = re.compile(  # a part of a period, its year said elsewhere
    r"\b(?P<first>[a-z]{3,9}\.? \d{1,2}) (?:to|through|-) (?P<last>[a-z]{3,9}\.? \d{1,2})(?!\d|,? ?(?:19|20)\d\d)", re.I
)
_COUNTED = re.compile(
    r"(?P<count>\d{1,2}|[a-z]+(?:[- ](?:one|two|three|four|six|seven|eight|nine))?)[- ]+(?P<unit>months?|weeks?)",
    re.IGNORECASE,
)
_WORDS_OF_MONTHS = (
    (re.compile(r"前三季度|年初[至到](?:本?报告期末|本?期末|三季度末)"), 9),
    (re.compile(r"止三个月"), 3),
    (re.compile(r"止六个月"), 6),
    (re.compile(r"止九个月"), 9),
    (re.compile(r"本报告期(?:利润表|现金流量表)"), 3),
    (re.compile(r"上半年|半年度|中期|half[- ]year|six[- ]month", re.IGNORECASE), 6),
    (
        re.compile(
            r"第?[一二三四1-4]季度|\bquarters? (?:ended|ending)|\bthird quarter|\bsecond quarter|\bfirst quarter", re.I
        ),
        3,
    ),
    (re.compile(r"\d年度|年年度|全年|\b(?:fiscal )?years?[- ](?:then )?end|\bfor the (?:fiscal )?years?\b", re.I), 12),
)
_CURRENT = re.compile(
    r"期末|年末|本期|本年|报告期(?!初)|当期|\bcurrent (?:year|period)|\bthis year|\bend of (?:the )?(?:year|period)",
    re.I,
)
_PRIOR = re.compile(
    r"期初|年初(?![至到])|上年|上期|去年|上一年|前期|\bprior (?:year|period)|\bprevious (?:year|period)|\blast year"
    r"|\bbeginning of (?:the )?(?:year|period)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Heading:
    """What a heading says, each part only if it says so. `day`: month and day without a year, or of the last date."""

    dates: tuple[date, ...] = ()
    years: tuple[int, ...] = ()
    day: tuple[int, int] | None = None
    months: int | None = None
    role: Role | None = None

    @property
    def says_when(self) -> bool:
        """Whether it tells one period from another."""
        return bool(self.dates or self.years or self.role)


@lru_cache(maxsize=4096)
def read_heading(words: str) -> Heading:
    """What the words of a heading, or of a title above, say of time."""
    if len(words) > LONGEST:
        return Heading()
    text = _plain(simplified(words))
    spans = [_month_end(int(found["year"]), int(found["last"])) for found in _SPAN.finditer(text)]
    quarters = [_month_end(int(found["year"]), QUARTER_ENDS[found["quarter"]]) for found in _QUARTER.finditer(text)]
    dates = tuple(day for day in (spans or quarters or list(_dates(text))) if day is not None)
    years = tuple(dict.fromkeys(int(year) for year in _YEAR.findall(text)))
    part = _DAY_TO_DAY.search(text)
    if part is not None and (years or dates):
        return _part_of_year(part, years[-1] if years else dates[-1].year) or Heading()
    return Heading(dates=dates, years=years, day=_day(text, dates), months=_months(text, dates), role=_role(text))


def _part_of_year(found: re.Match[str], year: int) -> Heading | None:
    first, last = (_DAY[0].search(found[name]) for name in ("first", "last"))
    if first is None or last is None:
        return None
    try:
        began, ended = (date(year, _month(match), int(match["date"])) for match in (first, last))
    except ValueError:
        return None
    months = max(1, round((ended - began).days / MONTH_DAYS))
    return Heading(dates=(ended,), years=(year,), day=(ended.month, ended.day), months=months)


def month_end(year: int, month: int) -> date:
    """The last day of a month."""
    return date(year, month, calendar.monthrange(year, month)[1])


def same_day(year: int, day: tuple[int, int]) -> date:
    """Month and day in a year; the 29th of February where there is none is the 28th."""
    month, number = day
    return date(year, month, min(number, calendar.monthrange(year, month)[1]))


def _plain(words: str) -> str:
    """Narrow digits and dashes, single spaces, none beside Chinese, years in Chinese digits as digits."""
    text = " ".join(words.translate(_NARROW).split())
    text = re.sub(r" ?([年月日至到]) ?", r"\1", text)
    return _HAN_DATE.sub(_from_han, text)


def _from_han(found: re.Match[str]) -> str:
    year, month, day = found.groups()
    text = year.translate(_HAN_DIGITS) + "年"
    text += f"{_han_number(month)}月" if month else ""
    return text + (f"{_han_number(day)}日" if day else "")


def _han_number(text: str) -> int:
    """Up to 99: 十 is 10, 二十三 is 23."""
    tens, ten, ones = text.partition("十")
    if not ten:
        return int(text.translate(_HAN_DIGITS)[:2])
    return int(tens.translate(_HAN_DIGITS) or 1) * 10 + int(ones.translate(_HAN_DIGITS) or 0)


def _dates(text: str) -> Iterator[date]:
    """The dates, in the order of the text; a month alone ends with its last day."""
    found: dict[int, date] = {}
    for pattern in _FULL:
        for match in pattern.finditer(text):
            day = _date(match)
            if day is not None:
                found.setdefault(match.end(), day)
    if not found:
        for pattern in _MONTH_END:
            for match in pattern.finditer(text):
                day = _month_end(int(match["year"]), _month(match))
                if day is not None:
                    found.setdefault(match.end(), day)
    return (found[place] for place in sorted(found))


def _month(match: re.Match[str]) -> int:
    groups = match.groupdict()
    return MONTHS.index(groups["name"].lower()) + 1 if "name" in groups else int(groups["month"])


def _date(match: re.Match[str]) -> date | None:
    try:
        return date(int(match["year"]), _month(match), int(match["date"]))
    except ValueError:
        return None  # 31/12/2020 read as month 31: another pattern's, or no date


def _month_end(year: int, month: int) -> date | None:
    return month_end(year, month) if 1 <= month <= 12 else None


def _day(text: str, dates: tuple[date, ...]) -> tuple[int, int] | None:
    if dates:
        return dates[-1].month, dates[-1].day
    for pattern in _DAY:
        for match in pattern.finditer(text):
            month, number = _month(match), int(match["date"])
            if 1 <= number <= calendar.monthrange(2024, month)[1]:
                return month, number
    return None


def _months(text: str, dates: tuple[date, ...]) -> int | None:
    span = _SPAN.search(text)
    if span is not None:
        return int(span["last"]) - int(span["first"]) + 1 or None
    for match in _COUNTED.finditer(text):
        words = match["count"].lower().replace(" ", "-")
        count = int(words) if words.isdecimal() else COUNTS.get(words) or COUNTS.get(words.rpartition("-")[2])
        if count:
            return count if match["unit"].lower().startswith("month") else max(1, round(count * 12 / 52))
    if dates and _FROM_TO.search(text):
        first = dates[0] if len(dates) == 2 else _started(text, dates[-1])
        if first is not None and first < dates[-1]:
            return max(1, round((dates[-1] - first).days / MONTH_DAYS))
    return next((months for words, months in _WORDS_OF_MONTHS if words.search(text)), None)


def _started(text: str, end: date) -> date | None:
    """The day that a period starts with, its year left out: "July 22 to September 30, 2023"."""
    found = _DAY[0].search(text)
    if found is None or not 1 <= int(found["date"]) <= calendar.monthrange(end.year, _month(found))[1]:
        return None
    return date(end.year, _month(found), int(found["date"]))


def _role(text: str) -> Role | None:
    prior, current = _PRIOR.search(text), _CURRENT.search(text)
    if prior is not None and (current is None or prior.start() <= current.start()):
        return "prior"
    return "current" if current is not None else None

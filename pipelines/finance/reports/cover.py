"""What the first page of an untagged report says: whose it is, which form, to which day.

>>> read_cover("某某股份有限公司\\n2019 年年度报告\\n2020 年 4 月", "zh")
Cover(company='某某股份有限公司', form='年度报告', period_end=datetime.date(2019, 12, 31), months=12)
"""

import re
from dataclasses import dataclass
from datetime import date

from pipelines.finance.reports.items import Language
from pipelines.finance.reports.periods import month_end, read_heading

COVER = 12_000  # characters that are looked at
LONGEST_NAME = 120
_FORM = re.compile(r"\bform\s+(10-[KQ]T?(?:/A)?|20-F(?:/A)?|40-F|6-K|8-K)\b", re.IGNORECASE)
_NAME_BELOW = re.compile(r"\(?\s*exact name of (?:the )?(?:registrant|company)", re.IGNORECASE)
_ENDED = re.compile(
    r"(?:fiscal year|year|quarterly period|quarter|transition period[^\n]{0,60}?|period|months)\s+end(?:ed|ing):?\s+"
    r"([^\n]{6,40})",
    re.IGNORECASE,
)
_ZH_FORM = re.compile(r"半\s*年\s*度\s*报\s*告|年\s*度\s*报\s*告|第\s*[一三1３3]\s*季\s*度\s*报\s*告")
_ZH_YEAR = re.compile(r"((?:19|20)\d\d|二[〇○零ＯO0一二三四五六七八九]{3})\s*年\s*$")
_ZH_DIGITS = str.maketrans("〇○零ＯO一二三四五六七八九", "00000123456789")
_ZH_NAMED = re.compile(r"公司(?:的)?(?:法定)?中文名称(?:及缩写)?[\s:：|]*([\u4e00-\u9fff（）()A-Za-z·]{4,60})")
_ZH_NAME = re.compile(r"([\u4e00-\u9fff（）()·]{2,40}?(?:股份有限公司|有限责任公司|集团有限公司|有限公司))")
_ZH_MONTHS = {"半": 6, "第一": 3, "第1": 3, "第三": 9, "第3": 9}


@dataclass(frozen=True, slots=True)
class Cover:
    """Each part only where the page says so. `months`: that the report covers from the start of its year."""

    company: str | None = None
    form: str | None = None
    period_end: date | None = None
    months: int | None = None


def read_cover(text: str, language: Language) -> Cover:
    """Read the first page of a text."""
    head = text[:COVER]
    return _chinese(head, text) if language == "zh" else _english(head)


def _english(head: str) -> Cover:
    form = _FORM.search(head)
    name = form[1].upper() if form else None
    ended = next((day for found in _ENDED.finditer(head) for day in read_heading(found[1]).dates), None)
    annual = name is not None and name.startswith(("10-K", "20-F", "40-F")) and "T" not in name
    return Cover(_registrant(head), name, ended, 12 if annual else None)


def _registrant(head: str) -> str | None:
    """The line above "(Exact name of registrant as specified in its charter)", or the start of its line."""
    found = _NAME_BELOW.search(head)
    if found is None:
        return None
    lines = [line.strip(" _-\t|") for line in head[: found.start()].splitlines()]
    name = next((line for line in reversed(lines) if any(mark.isalpha() for mark in line)), "")
    return name if 0 < len(name) <= LONGEST_NAME else None


def _chinese(head: str, text: str) -> Cover:
    named = _ZH_NAMED.search(text) or _ZH_NAME.search(head)
    company = named[1].strip("（）()·") if named else None
    for found in _ZH_FORM.finditer(head):
        form = "".join(found[0].split())
        year = _ZH_YEAR.search(head[max(0, found.start() - 12) : found.start()])
        if year:
            months = next((number for start, number in _ZH_MONTHS.items() if form.startswith(start)), 12)
            return Cover(company, form, month_end(int(year[1].translate(_ZH_DIGITS)), months), months)
    return Cover(company)

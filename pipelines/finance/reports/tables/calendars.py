"""Which period a report covers, from its first page: "For the fiscal year ended December 29, 2024", "2019年年度报告".

>>> quarter = read_calendar("ACME FORM 10-Q\\nFor the quarterly period ended June 30, 2025", "en")
>>> quarter.period_end, quarter.months
(datetime.date(2025, 6, 30), 3)
>>> half = read_calendar("某某股份有限公司2020年半年度报告", "zh")
>>> half.period_end, half.months
(datetime.date(2020, 6, 30), 6)
"""

import re

from pipelines.finance.reports.chinese import simplified
from pipelines.finance.reports.items import Language
from pipelines.finance.reports.tables.columns import Calendar
from pipelines.finance.reports.tables.periods import month_end, read_heading

FIRST_PAGE = 15_000  # characters
_ENGLISH = re.compile(
    r"(?:fiscal|transition|quarterly|annual|interim|half)?[- ]?\s*"
    r"(?P<what>year|period|quarter|months?|weeks)\s+end(?:ed|ing)"
    r"[\s:]*(?P<date>[A-Za-z]{3,9}\.?\s+\d{1,2}\s*,?\s*(?:19|20)\d\d|\d{1,2}\s+[A-Za-z]{3,9}\s+(?:19|20)\d\d)",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"(?P<year>(?:19|20)\d\d|二[〇○零Ｏ0]{1}[〇○零一二三四五六七八九]{2})\s*年?\s*(?:年度|年)?\s*"
    r"(?P<what>半年度|中期|第?\s*[一三1１3３]\s*季度|前三季度|三季度|年度|年)?\s*(?:财务|审计|经审计的)?\s*(?:报告|报表)"
)
ZH_MONTHS = {"年度": 12, "三个月": 3, "六个月": 6, "九个月": 9}
_CHINESE_UNTIL = re.compile(rf"截至(?P<date>[^，。；\n至]{{6,20}}日)止(?P<what>{'|'.join(ZH_MONTHS)})")
_CHINESE_SHORT = re.compile(
    r"(?P<year>(?:19|20)\d\d|二[〇○零][〇○零一二三四五六七八九]{2})\s*年?\s*(?P<what>年|中期)报"
)
_HAN_DIGITS = str.maketrans("〇○零Ｏ一二三四五六七八九", "0000123456789")


def read_calendar(text: str, language: Language) -> Calendar:
    """The period that the first page names, its parts None where it names none."""
    first = text[:FIRST_PAGE]
    return _chinese(first) if language == "zh" else _english(first)


def _english(text: str) -> Calendar:
    found = _ENGLISH.search(text)
    if found is None:
        return Calendar()
    dates = read_heading(found["date"]).dates
    said = read_heading(" ".join(text[max(0, found.start() - 30) : found.end()].split())).months
    months = {"year": 12, "quarter": 3}.get(found["what"].lower(), said)
    if months is None and "quarterly" in found[0].lower():
        months = 3
    return Calendar(dates[-1] if dates else None, months)


def _chinese(text: str) -> Calendar:
    text = simplified(text)
    found = _CHINESE.search(text)
    until = _CHINESE_UNTIL.search(text) if found is None else None
    dates = read_heading(until["date"]).dates if until is not None else ()
    if until is not None and dates:
        return Calendar(dates[-1], ZH_MONTHS[until["what"]], chinese=dates[-1].month == 12)
    found = found or _CHINESE_SHORT.search(text)
    if found is None:
        return Calendar(chinese=True)
    what = re.sub(r"\s", "", found["what"] or "年度")
    months = 6 if what in ("半年度", "中期") else 12
    if "季度" in what:
        months = 9 if re.search(r"[三3３]", what) else 3
    return Calendar(month_end(int(found["year"].translate(_HAN_DIGITS)), months), months, chinese=True)

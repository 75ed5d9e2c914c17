"""What the first page of an untagged report says: whose it is, and which form.

>>> read_cover("某某股份有限公司\\n2019 年半年度报告\\n2019 年 8 月", "zh")
Cover(company='某某股份有限公司', form='半年度报告')
"""

import re
from dataclasses import dataclass

from pipelines.finance.reports.chinese import simplified
from pipelines.finance.reports.items import Language

COVER = 12_000  # characters that are looked at
LONGEST_NAME = 120
FIRST_LINES, LONGEST_BARE_NAME = 30, 60
_FORM = re.compile(r"\bform\s+(10-[KQ]T?(?:/A)?|20-F(?:/A)?|40-F|6-K|8-K)\b", re.IGNORECASE)
_NAME_BELOW = re.compile(r"\(?\s*exact name of (?:the )?(?:registrant|company)", re.IGNORECASE)
_LEGAL = r"""Inc Corp Corporation Incorporated Company Co Ltd Limited LLC L\.L\.C LP L\.P PLC plc N\.V S\.A AG SE
Holdings Group Trust"""
_LEGAL_FORM = "|".join(f"{_LEGAL} {_LEGAL.upper()}".split())
_EN_NAME = re.compile(
    rf"([A-Z0-9][\w.,&'’ -]*?,? (?:{_LEGAL_FORM})\.?)"
    r"(?:,? (?i:and) (?:(?i:its) )?(?:(?i:consolidated) )?(?i:subsidiar(?:y|ies)))?"
)
_ZH_FORM = re.compile(r"半\s*年\s*度\s*报\s*告|年\s*度\s*报\s*告|第\s*[一三１1３3]\s*季\s*度\s*报\s*告")
_ZH_NAMED = re.compile(r"公司(?:的)?(?:法定)?中文名称(?:及缩写)?[\s:：|]*([\u4e00-\u9fff（）()A-Za-z·]{4,60})")
_ZH_SHORT_NAME = re.compile(  # without its legal form, before the year of the report
    r"([\u4e00-\u9fff（）()·]{2,30}?(?:集团|集團|控股|银行|銀行|股份|公司|保险|证券))\s*(?:19|20)\d\d\s*年"
)
_ZH_NAME = re.compile(r"([\u4e00-\u9fff（）()·]{2,40}?(?:股份有限公司|有限责任公司|集团有限公司|有限公司))")


@dataclass(frozen=True, slots=True)
class Cover:
    """Each part only where the page says so."""

    company: str | None = None
    form: str | None = None


def read_cover(text: str, language: Language) -> Cover:
    """Read the first page of a text; a Chinese report also states its name in a table further down."""
    head = text[:COVER]
    if language == "zh":
        named, form = (
            _ZH_NAMED.search(text) or _ZH_NAME.search(head) or _ZH_SHORT_NAME.search(head),
            _ZH_FORM.search(simplified(head)),
        )
        company = named[1].strip("（）()·") if named else None
        return Cover(company, "".join(form[0].split()) if form else None)
    found = _FORM.search(head)
    return Cover(_registrant(head), found[1].upper() if found else None)


def _registrant(head: str) -> str | None:
    """The line above "(Exact name of registrant as specified in its charter)", else the first that reads as a name."""
    found = _NAME_BELOW.search(head)
    if found is None:
        named = (line.strip(" _-\t|") for line in head.splitlines()[:FIRST_LINES])
        found_names = (_EN_NAME.fullmatch(line) for line in named if len(line) <= LONGEST_BARE_NAME)
        return next((found[1] for found in found_names if found is not None), None)
    lines = [line.strip(" _-\t|") for line in head[: found.start()].splitlines()]
    name = next((line for line in reversed(lines) if any(mark.isalpha() for mark in line)), "")
    return name if 0 < len(name) <= LONGEST_NAME else None

"""What kind of opinion the auditor gives, by the words of the report."""

import re
from dataclasses import dataclass
from typing import Literal

from pipelines.finance.reports.text.section_titles import plain_text

Kind = Literal["unqualified", "qualified", "adverse", "disclaimer", "review"]
_EN: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "disclaimer",
        re.compile(
            r"^\W*disclaimer\s+of\s+opinion|we\s+do\s+not\s+express\s+an\s+opinion\s+on\s+the\s+(?:accompanying\s+|"
            r"consolidated\s+|group\s+|these\s+)*financial\s+statements|unable\s+to\s+obtain\s+sufficient\s+appropriate"
            r"\s+audit\s+evidence\s+to\s+provide",
            re.I | re.M,
        ),
    ),
    (
        "adverse",
        re.compile(
            r"^\W*adverse\s+opinion\s*$|do(?:es)?\s+not\s+(?:present\s+fairly|give\s+a\s+true\s+and\s+fair)",
            re.I | re.M,
        ),
    ),
    (
        "qualified",
        re.compile(
            r"^\W*(?:basis\s+for\s+)?qualified\s+opinion\s*$|except\s+for\s+the\s+(?:possible\s+)?effects?\s+of",
            re.I | re.M,
        ),
    ),
    ("unqualified", re.compile(r"presents?\s+fairly|true\s+and\s+fair\s+view|unqualified\s+opinion", re.I)),
    ("review", re.compile(r"\bwe\s+have\s+reviewed\b|results\s+of\s+(?:our\s+)?review|limited\s+assurance", re.I)),
)
_EN_EMPHASIS = re.compile(
    r"^\W*emphasis\s+of\s+(?:a\s+)?matters?\b|^\W*material\s+uncertainty\s+related\s+to\s+going\s+concern"
    r"|(?:we|to)\s+draw\s+attention\s+to\s+note|substantial\s+doubt\s+about\s+(?:its|the\s+company's)\s+ability\s+to",
    re.I | re.M,
)
_ZH_TYPE = re.compile(
    r"(?:审计意见类型|意见类型|出具(?:了|的)?)[\s:：]{0,4}[^\n。]{0,12}?(标准的?无保留意见|无保留意见|保留意见|否定意见|无法表示意见)"
)
_ZH: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "disclaimer",
        re.compile(r"^.{0,8}无法表示意见\s*$|我们不对后附的.{0,60}发表(?:审计)?意见|形成无法表示意见的基础", re.M),
    ),
    ("adverse", re.compile(r"^.{0,8}否定意见\s*$|形成否定意见的基础|未能?在所有重大方面按照", re.M)),
    ("qualified", re.compile(r"^.{0,4}(?<!无)保留意见\s*$|形成保留意见的基础|除.{0,80}(?:可能产生的)?影响外", re.M)),
    ("unqualified", re.compile(r"公允反映|无保留意见")),
    ("review", re.compile(r"我们审阅了|审阅报告")),
)
_ZH_KINDS: dict[str, Kind] = {"否定意见": "adverse", "无法表示意见": "disclaimer", "保留意见": "qualified"}
_ZH_EMPHASIS = re.compile(
    r"带(?:有)?强调事项段|(?:^|、)\s*强调事项\s*$|与持续经营相关的重大不确定性|我们提醒财务报表使用者关注", re.M
)


@dataclass(frozen=True, slots=True)
class Opinion:
    """The kind, and whether the auditor draws attention to something all the same."""

    kind: Kind
    emphasis: bool


def opinion(report: str, language: str) -> Opinion | None:
    """The opinion in the words of an auditor's report; None where the words fit none.

    >>> opinion("In our opinion the statements present fairly, in all material respects, the position.", "en")
    Opinion(kind='unqualified', emphasis=False)
    """
    plain = plain_text(report)
    if language == "zh":
        named = _ZH_TYPE.search(plain)
        emphasis = _ZH_EMPHASIS.search(plain) is not None
        if named:
            return Opinion(_ZH_KINDS.get(named[1], "unqualified"), emphasis)
        kinds = _ZH
    else:
        emphasis, kinds = _EN_EMPHASIS.search(plain) is not None, _EN
    return next((Opinion(kind, emphasis) for kind, pattern in kinds if pattern.search(plain)), None)

"""Which lines are titles of statements: of what, of whom.

>>> find_title("法定代表人：某某 会计机构负责人：某某2、母公司资产负债表")
Title(kind='balance', scope='parent')
>>> find_title("ACME INC. CONDENSED CONSOLIDATED STATEMENTS OF CASH FLOWS (UNAUDITED)")
Title(kind='cash_flow', scope='consolidated')
>>> find_title("See the notes to the consolidated balance sheets") is None
True
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from data.finance.reports import Scope
from pipelines.finance.reports.chinese import simplified

TitleKind = Literal["balance", "income", "cash_flow", "comprehensive", "other"]  # other: ends a statement
LONGEST = 200  # characters of a line that may be a title
LONGEST_CHINESE = 80

_ZH_KINDS: tuple[tuple[str, TitleKind], ...] = (
    ("资产负债表", "balance"),
    ("财务状况表", "balance"),
    ("利润表", "income"),
    ("损益表", "income"),
    ("收益表", "income"),
    ("损益及其他综合收益表", "income"),
    ("损益及其他全面收益表", "income"),
    ("综合收益表", "comprehensive"),
    ("全面收益表", "comprehensive"),
    ("现金流量表", "cash_flow"),
    ("现金流量表补充资料", "other"),
    ("所有者权益变动表", "other"),
    ("股东权益变动表", "other"),
    ("权益变动表", "other"),
    ("财务报表附注", "other"),
    ("公司基本情况", "other"),
    ("公司的基本情况", "other"),
)
_ZH_WORDS = "|".join(sorted((words for words, _ in _ZH_KINDS), key=len, reverse=True))
_ZH_BEFORE = r"(?:|.*(?:公司|集团|银行|[\d一二三四五六七八九十]\s*[、.．)）]|[年度月日]|[:：》】]|\s))"
_ZH_SPAN = r"(?:比较|简明|中期|年度|季度|半年度|本报告期|年初[至到]报告期末)"
_ZH_SCOPE = rf"(?:合并及母?公司|合并及银行|合并|综合|母公司|公司|银行|本行)?{_ZH_SPAN}*"
_ZH_BOTH = re.compile(r"合并(?:及|和|与)(?:母?公司|银行|本行)$")
_ZH_PARENT = re.compile(r"(?:母公司|本行)$|(?:^|[\d一二三四五六七八九十]\s*[、.．)）]\s*)(?:公司|银行)$")
_ZH_AFTER = (
    r"(?:[（(]?(?:续|续表|续上表|经审计|未经审计|未审计)[^（）()]{0,6}[)）]?|[（(][^（）()]{0,30}[)）]|"
    r"(?:19|20)\d\d年.{0,20}|单位[:：].{0,12}|币种.{0,10}|编制单位.{0,40}|[-—:：]|\s)*+"
)
_ZH_TITLE = re.compile(rf"^{_ZH_BEFORE}{_ZH_SCOPE}(?P<kind>{_ZH_WORDS}){_ZH_AFTER}$")
_TOC = re.compile(r"[.．…]{3,}\s*\d*\s*$|\s\d{1,3}\s*$")

_STATEMENT = r"statements?"
_EN_KINDS: tuple[tuple[TitleKind, str], ...] = (
    (
        "other",
        rf"{_STATEMENT} of (?:[\w'’]+ )*(?:equity|deficit|deficiency|capital|net assets)",
    ),
    ("other", r"notes to (?:\w+ ){0,4}financial statements"),
    ("other", r"reports? of independent registered"),
    ("cash_flow", rf"(?:{_STATEMENT} of (?:\w+ )*cash ?flows?|cash ?flows? {_STATEMENT}|^consolidated cash flows?)"),
    (
        "balance",
        r"(?:balance sheets?|statements? of (?:\w+ )*(?:financial (?:position|condition)|assets and liabilities)"
        r"|^consolidated financial position)",
    ),
    (
        "income",
        rf"(?:{_STATEMENT} of (?:\w+ )*(?:operations|income|earnings|loss|losses|profit (?:and|or) loss|profits)\b"
        r"(?<!comprehensive income)(?<!comprehensive loss)|income statements?|profit and loss accounts?"
        rf"|{_STATEMENT} of (?:\w+ )*results|results of operations)",
    ),
    ("comprehensive", rf"{_STATEMENT} of (?:\w+ )*comprehensive (?:income|earnings|loss)"),
)
_EN_PATTERNS = tuple((kind, re.compile(rf"\b{words}", re.IGNORECASE)) for kind, words in _EN_KINDS)
_CONSOLIDATED = re.compile(r"\b(?:consolidated|combined|group)\b", re.IGNORECASE)
_PARENT = re.compile(
    r"\bparent(?:[- ]company)?(?:[- ]only)?\b|\bregistrant only\b|\bcompany only\b"
    r"|condensed financial information of (?:the )?(?:registrant|parent)",
    re.IGNORECASE,
)
_PROSE_WORDS = """see our we are is was were has have which that this these included includes presented following
accompanying refer should recorded recognized reported reflected related within selected summary summarized
reconciliations? adjusted non-gaap index schedule pages? certain items? impact effects? analysis
discussion highlights"""
_PROSE = re.compile(
    rf"\b(?:{'|'.join(_PROSE_WORDS.split())}|line items?|pro forma|table of contents)\b|\.\s*$|;"
    r"|\b(?:in|on|to|from|of|and|or|by|for) the\b"
    r"(?!\s+(?:\w+ ){0,3}(?:year|month|week|quarter|period|three|six|nine|fiscal))",
    re.IGNORECASE,
)
_NOTES_TITLE = re.compile(r"^\W*(?:\d+\W*)?notes to\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Title:
    """A title; `scope` None where it says neither consolidated nor parent, or both."""

    kind: TitleKind
    scope: Scope | None


@lru_cache(maxsize=4096)
def find_title(line: str) -> Title | None:
    """The title that the line is, or None for prose, contents and headings of tables that only mention one."""
    line = simplified(line.strip())
    if not line or len(line) > LONGEST:
        return None
    if "表" in line or "附注" in line or "情况" in line:
        return _chinese_title(line)
    return _english_title(line)


def says_parent(line: str) -> bool:
    """Whether the line announces statements of the parent company alone."""
    return len(line) <= LONGEST and _PARENT.search(line) is not None and "consolidated" not in line.lower()


def _chinese_title(line: str) -> Title | None:
    if _TOC.search(line):
        return None
    joined = re.sub(r"(?<=[\u4e00-\u9fff])\s+(?=[\u4e00-\u9fff])", "", line)
    found = _ZH_TITLE.match(joined) if len(joined) <= LONGEST_CHINESE else None
    if found is None:
        return None
    said = re.sub(rf"{_ZH_SPAN}+$", "", joined[: found.start("kind")])
    scope: Scope | None = None
    if said.endswith(("合并", "综合")):
        scope = "consolidated"
    elif _ZH_PARENT.search(said) and not _ZH_BOTH.search(said):
        scope = "parent"
    return Title(kind=dict(_ZH_KINDS)[found["kind"]], scope=scope)


def _english_title(line: str) -> Title | None:
    if _NOTES_TITLE.match(line) and "financial statements" in line.lower():
        return Title(kind="other", scope=None)
    bare = re.sub(r"\([^()]*\)", " ", line)
    if _PROSE.search(bare) or _TOC.search(re.sub(r"\b(?:19|20)\d\d\s*$", "", bare)):
        return None
    found = [(match.start(), kind) for kind, words in _EN_PATTERNS for match in words.finditer(bare)]
    if not found or (bare[0].islower() and not bare.isupper()):
        return None
    kinds = [kind for _, kind in sorted(found)]
    kind = "income" if "income" in kinds and "comprehensive" in kinds else kinds[0]
    scope: Scope | None = "consolidated" if _CONSOLIDATED.search(bare) else None
    return Title(kind=kind, scope="parent" if says_parent(line) else scope)

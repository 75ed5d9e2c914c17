"""Which pages hold the three statements: by their titles and by lines that hardly any statement lacks.

A title in a table of contents has no numbers below it but page numbers; a title in running text is no line by itself;
notes and management's discussion repeat single statements or few of the lines. Pure: works on the text of pages.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from data.finance.reports import STATEMENTS, StatementName
from pipelines.finance.reports.pdf.titles import titles_among

MIN_NUMBER_LINES = 5
TABLE_SHARE = 0.3
HEAD_LINES, HEAD_NUMBER_LINES = 5, 2  # lines at the head of a page, a running title among them
MIN_KEYS = 2
MIN_KEYS_UNTITLED = 5
MAX_RUN_PAGES = 10
CLUSTER_GAP = 4  # pages between statements that belong together
_BALANCE_KEYS = (
    r"total\s+assets|资产总计|资产合计|资产总额",
    r"total\s+current\s+assets|流动资产合计",
    r"total\s+liabilities\b|负债合计|负债总额",
    r"(stockholders|shareholders|owners|members)?[’']?\s*equity|所有者权益|股东权益",
    r"total\s+liabilities\s*,?.{0,60}\s+and\b.{0,60}equity|负债和所有者权益|负债和股东权益|负债及股东权益",
    r"accounts\s+payable|trade\s+(and\s+other\s+)?payables|应付账款",
    r"cash\s+and\s+cash\s+equivalents|cash\s+and\s+due\s+from|货币资金|现金及存放中央银行",
    r"retained\s+earnings|accumulated\s+deficit|未分配利润",
    r"non-?current\s+assets|非流动资产|deposits|吸收存款",
    r"inventor(y|ies)|goodwill|存货|固定资产|property",
)
_INCOME_KEYS = (
    r"\brevenues?\b|net\s+sales|\bsales\b|营业收入|营业总收入",
    r"cost\s+of\s+\w+|营业成本|营业支出|营业总成本",
    r"(income|loss|profit|earnings).{0,30}before.{0,40}tax|利润总额",
    r"provision\s+for.{0,20}tax|income\s+tax|taxes\s+on\s+income|tax\s+expense|所得税",
    r"net\s+(income|loss|earnings)|profit\s+for\s+the|净利润",
    r"per\s+(common\s+|ordinary\s+)?share|每股收益",
    r"operating\s+(income|profit|loss|expenses)|(income|loss)\s+from\s+operations|营业利润",
    r"selling|general\s+and\s+administrative|销售费用|管理费用",
    r"综合收益总额|comprehensive\s+(income|loss)|interest\s+(expense|income)|财务费用|利息净收入",
)
_CASH_FLOW_KEYS = (
    r"(operating|operations)\b.{0,30}activities|cash\s+flows?.{0,20}from\s+operations|经营活动产生的现金流量",
    r"investing\s+activities|投资活动产生的现金流量",
    r"financing\s+activities|筹资活动产生的现金流量",
    r"net\s+(increase|decrease|change|\(decrease\)).{0,40}cash|现金及现金等价物净(增加|减少)",
    r"(end|beginning)\s+of\s+(the\s+)?(year|period)|(期|年)(末|初)现金及现金等价物",
    r"depreciation|购买商品|支付的各项税费|收到的税费返还",
    r"repayments?|dividends\s+paid|proceeds|偿还债务|吸收投资收到",
    r"purchases?\s+of|capital\s+expenditures|购建固定资产|投资支付的现金",
)
_KEYS: Mapping[StatementName, tuple[re.Pattern[str], ...]] = {
    "balance": tuple(re.compile(key, re.IGNORECASE) for key in _BALANCE_KEYS),
    "income": tuple(re.compile(key, re.IGNORECASE) for key in _INCOME_KEYS),
    "cash_flow": tuple(re.compile(key, re.IGNORECASE) for key in _CASH_FLOW_KEYS),
}
_NUMBER = re.compile(
    r"(?<![\w.])[(（-]?\$?\d{1,3}(?:[,，]\d{3})+(?:\.\d+)?[)）]?"
    r"|(?<![\w.])[(（-]?\$?\d+\.\d{2}[)）]?|[—–]\s|(?<![\w.,])\d{3,}\s+\(?\d{3,}(?![\w.,])"
    r"|(?<![\w.,/-])\(?\d{1,3}\)?\s+\$?\s?\(?\d{1,3}\)?\s*$"
    r"|(?<![\w.,/-])[(（]?\d{1,3}\.\d[)）]?\s+\$?\s?[(（]?\d{1,3}\.\d(?:[)）]|(?![\w.%％])(?! ?[%％]))"
    r"|(?<![\w.,/-])[(（]?\d{2,}\.\d[)）]?\s*$"
)


@dataclass(frozen=True)
class PageSigns:
    """What the text of one page says about statements."""

    text: str

    @cached_property
    def titles(self) -> frozenset[StatementName]:
        """Of the statements that begin or go on here."""
        found = titles_among(self.text.splitlines())
        merged = {"income" if kind == "comprehensive" else kind for kind in found}  # one statement with some
        return frozenset(name for name in STATEMENTS if name in merged)

    @cached_property
    def number_lines(self) -> int:
        """How many lines hold an amount."""
        return sum(_NUMBER.search(line + " ") is not None for line in self.text.splitlines())

    @property
    def is_tabular(self) -> bool:
        """Whether a good part of the lines hold amounts, or those at its head: a statement's last page may have few."""
        lines = [line for line in self.text.splitlines() if line.strip()]
        if self.number_lines >= MIN_NUMBER_LINES or self.number_lines >= TABLE_SHARE * max(1, len(lines)):
            return True
        return sum(_NUMBER.search(line + " ") is not None for line in lines[:HEAD_LINES]) >= HEAD_NUMBER_LINES

    @cached_property
    def keys(self) -> Mapping[StatementName, int]:
        """How many of the lines that a statement has stand here."""
        return {name: sum(key.search(self.text) is not None for key in _KEYS[name]) for name in STATEMENTS}


def statement_pages(texts: Sequence[str], limit: int) -> tuple[int, ...]:
    """Pages, counted from 0 and ascending, that hold a statement or a part of one; at most `limit` of them."""
    signs = [PageSigns(text) for text in texts]
    found: dict[int, int] = {}  # page -> how many keys its statement has
    for place, page in enumerate(signs):
        for name in page.titles:
            for step, sure in _run(signs, place, name):
                found[step] = max(found.get(step, 0), sure)
    found = _fullest_clusters(found, signs)
    if not found:
        for place, page in enumerate(signs):
            most = max(page.keys.values())
            if most >= MIN_KEYS_UNTITLED and page.number_lines >= 2 * MIN_NUMBER_LINES:
                found[place] = most
    best = sorted(found, key=lambda place: (-found[place], place))[:limit]
    return tuple(sorted(best))


def _fullest_clusters(found: Mapping[int, int], signs: Sequence[PageSigns]) -> dict[int, int]:
    """The places in the document where the most statements stand together.

    A note repeats a single statement (after a change of accounting rules); the statements of the parent company and
    those of another set of rules come as many as the first.
    """
    clusters: list[list[int]] = []
    for place in sorted(found):
        if clusters and place - clusters[-1][-1] <= CLUSTER_GAP:
            clusters[-1].append(place)
        else:
            clusters.append([place])
    kinds = [frozenset[StatementName]().union(*(signs[place].titles for place in pages)) for pages in clusters]
    most = max((len(one) for one in kinds), default=0)
    covered = frozenset[StatementName]().union(*(one for one in kinds if len(one) == most))
    kept = [pages for pages, one in zip(clusters, kinds, strict=True) if len(one) == most or one - covered]
    return {place: found[place] for pages in kept for place in pages}


def _run(signs: Sequence[PageSigns], start: int, name: StatementName) -> list[tuple[int, int]]:
    """The page of a title and the pages on which its statement goes on, if it is a statement."""
    pages = [start]
    for place in range(start + 1, min(len(signs), start + MAX_RUN_PAGES)):
        page = signs[place]
        others = bool(page.titles) and name not in page.titles
        if not page.keys[name] or not page.is_tabular:
            break
        pages.append(place)
        if others:
            break
    if sum(signs[one].number_lines for one in pages) < MIN_NUMBER_LINES:
        return []
    keys = max(signs[one].keys[name] for one in pages[:2])
    return [(one, keys) for one in pages] if keys >= MIN_KEYS else []

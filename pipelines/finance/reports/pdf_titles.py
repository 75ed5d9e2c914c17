"""Titles of the three statements in English and Chinese, and of what stands right behind them. Pure."""

import re
from collections.abc import Mapping

from data.finance.reports import STATEMENTS, StatementName

LONGEST_TITLE = 160
_EN_BEFORE = r"(?:[\w.,&'’() /-]{0,60}?\s)?"  # the company's name
_EN_FORM = (
    r"(?:unaudited|audited|interim|condensed|consolidated|combined|group|company|parent|separate|statutory|the"
    r"|\s|[,/-])*"
)
_EN_TAIL = (
    r"[\s\W]*(?:\(?(?:unaudited|audited|continued|cont[’'.]*d?|parent company(?: only)?|(?:as )?restated)\)?[\s\W]*)*"
    r"(?:(?:as (?:of|at)|for the|years? ended|\(in |\(dollars|\(u\.?s|\(expressed|\(amounts|december|\$).{0,120})?"
)
_EN_TITLES: Mapping[StatementName, str] = {
    "balance": r"balance sheets?|statements? of financial (?:position|condition)",
    "income": (
        r"(?:income statements?|profit and loss accounts?"
        r"|statements? of (?:net )?(?:consolidated )?(?:comprehensive )?"
        r"(?:operations|income|earnings|profit (?:or|and) loss|loss(?:es)?|\(?loss\)? income|income \(loss\)|profit)"
        r"(?:\s*\(loss(?:es)?\))?(?:,? and (?:other )?comprehensive (?:income|loss|earnings)(?: \(loss\))?)?)"
    ),
    "cash_flow": r"(?:statements? of (?:consolidated )?cash flows?|cash flow statements?)",
}
_ZH_TITLES: Mapping[StatementName, str] = {
    "balance": r"资产负债表|财务状况表",
    "income": r"利润表|损益表|综合收益表|利润及利润分配表",
    "cash_flow": r"现金流量表",
}
_ZH_BEFORE = (
    r"(?:[(（]?[一二三四五六七八九十\d]+[)）]?[、.．\s]*)?[\w()（）]{0,30}?"
    r"(?:合并|母公司|公司|银行|本行|集团|及|和|与|/|、|年初至报告期末|年初到报告期末|本报告期|\d+年|半年度|年度|季度|\s)*"
)
_ZH_TAIL = r"\s*(?:[(（][^)）]{0,12}[)）]\s*)*(?:[-—–]?\s*续)?\s*(?:单位.{0,40})?"
_TITLES: Mapping[StatementName, re.Pattern[str]] = {
    name: re.compile(
        rf"\s*(?:{_EN_BEFORE}{_EN_FORM}(?:{_EN_TITLES[name]}){_EN_TAIL}|{_ZH_BEFORE}(?:{_ZH_TITLES[name]}){_ZH_TAIL})\s*",
        re.IGNORECASE,
    )
    for name in STATEMENTS
}
_HINT = re.compile(
    r"sheet|statement|account|资产负债表|财务状况表|利润表|损益表|综合收益表|利润分配表|现金流量表", re.IGNORECASE
)
_OTHER_TITLE = re.compile(
    r"[\w.,&'’() -]{0,80}statements?\s+of\s+(changes\s+in\s+)?[\w’',() -]{0,60}(equity|deficit|capital)\b.{0,40}"
    r"|[\w.,&'’() -]{0,40}\bnotes\s+to\s+[\w’', -]{0,60}financial\s+statements.{0,40}"
    r"|.{0,20}(所有者|股东|母公司|合并|公司)*权益(增减)?变动表.{0,20}|.{0,8}(财务报表附注|公司基本情况)\s*",
    re.IGNORECASE,
)
_OTHER_HINT = re.compile(r"statements|statement of|变动表|附注|基本情况", re.IGNORECASE)
_GAP = re.compile(r"(?<=[\u3000-\u9fff])\s+(?=[\u3000-\u9fff])")  # 合 并 利 润 表
_LOWER_WORD = re.compile(r"(?<![\w’'])[a-z]+")
_SMALL_WORDS = frozenset(
    "of and the for or in as at to a an its s ended years year months on cont unaudited audited".split()  # noqa: SIM905
)
_LEADERS = re.compile(r"[.…·]{4,}\s*\w{0,3}-?\d*\s*$|(\. ){4,}")  # of a table of contents


def find_title(line: str) -> StatementName | None:
    """The statement that the line is the title of.

    >>> find_title("CONSOLIDATED BALANCE SHEETS (continued)"), find_title("1、合并资产负债表")
    ('balance', 'balance')
    >>> find_title("母公司利 润 表（续）"), find_title("Statements of Income")
    ('income', 'income')
    >>> find_title("The accompanying notes are an integral part of the consolidated balance sheets")
    """
    line = _GAP.sub("", line)
    if not _HINT.search(line) or not _reads_as_title(line):
        return None
    return next((name for name in STATEMENTS if _TITLES[name].fullmatch(line)), None)


def ends_statements(line: str) -> bool:
    """Whether the line is the title of what is none of the three: changes in equity, notes.

    >>> ends_statements("Consolidated Statements of Stockholders’ Equity"), ends_statements("合并所有者权益变动表")
    (True, True)
    """
    line = _GAP.sub("", line.strip())
    return bool(_OTHER_HINT.search(line)) and _reads_as_title(line) and _OTHER_TITLE.fullmatch(line) is not None


def _reads_as_title(line: str) -> bool:
    """Short, no entry of a table of contents, and its words capitalised, which running text's are not."""
    if len(line) > LONGEST_TITLE or _LEADERS.search(line):
        return False
    return all(word in _SMALL_WORDS for word in _LOWER_WORD.findall(line.split("(")[0]))

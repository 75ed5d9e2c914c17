"""Titles of statements among lines of a page, where a title may run over two lines. Pure."""

import re
from collections.abc import Sequence

from pipelines.finance.reports.tables.titles import TitleKind, find_title

LONGEST_TITLE = 160
SHORT_TITLE = 90
_HINT = re.compile(r"sheet|statement|account|results|report|registrant|表|附注|情况", re.IGNORECASE)
_LEADERS = re.compile(r"[.…·]{4,}|(\. ){4,}")  # of a table of contents
_LOWER_WORD = re.compile(r"(?<![\w’'])[a-z]+")
_SMALL_WORDS = frozenset(
    "of and the for or in as at to a an its s ended years year months on cont unaudited audited".split()  # noqa: SIM905
)


def title_of(line: str) -> TitleKind | None:
    """The statement that a line of a page is the title of.

    >>> title_of("CONSOLIDATED BALANCE SHEETS (continued)"), title_of("母公司利 润 表（续）")
    ('balance', 'income')
    >>> title_of("Changes shown in the consolidated balance sheets")
    """
    line = line.strip()
    if not _HINT.search(line) or not _reads_as_title(line):
        return None
    found = find_title(line)
    return found.kind if found else None


def titles_among(lines: Sequence[str]) -> frozenset[TitleKind]:
    """Titles among lines that follow each other.

    >>> sorted(titles_among(["Foo, Inc.", "CONSOLIDATED STATEMENTS OF", "CASH FLOWS", "(in millions)"]))
    ['cash_flow']
    """
    found: set[TitleKind] = set()
    above = ""
    for line in lines:
        line = line.strip()
        if not _reads_as_title(line):
            above = ""
            continue
        title = title_of(line) or (title_of(f"{above} {line}") if above else None)
        above = "" if title else line
        if title:
            found.add(title)
    return frozenset(found)


def _reads_as_title(line: str) -> bool:
    """Short, no entry of a table of contents, and where not very short with capitals, which running text has not."""
    if not line or len(line) > LONGEST_TITLE or _LEADERS.search(line):
        return False
    return len(line) <= SHORT_TITLE or all(word in _SMALL_WORDS for word in _LOWER_WORD.findall(line.split("(")[0]))

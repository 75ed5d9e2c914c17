"""The canonical items of the three statements: how Chinese and English reports head them, how XBRL tags them.

`items.csv` holds them in the order of a statement. Several values in a cell are parted by semicolons; English
headings are regular expressions over `heading_key`; a concept with a minus in front is negated. `sign` says how
a number becomes canonical: `written` as it stands (profits, balances; Chinese impairments are negative when lost);
`amount` a sum that was spent or deducted, positive however the report marks the deduction; `cost` positive when it
is a cost, but truly negative when the report means a benefit (a tax credit, net finance income).

"Total stockholders' equity" and "net income attributable to" the company are items of the parent's owners;
`settle.settle` calls them total equity and net income where the report has no other line for those.
"""

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast

from data.finance.reports import STATEMENTS, StatementName
from pipelines.finance.reports.chinese import simplified

Language = Literal["en", "zh"]
Sign = Literal["written", "amount", "cost"]

PER_SHARE = frozenset({"eps_basic", "eps_diluted"})  # never scaled by the unit of the page
SHARES = frozenset({"shares_basic", "shares_diluted"})

_NUMBERING = re.compile(
    r"^(?:[((]?[一二三四五六七八九十]{1,3}[))]?[、..::]\s*|[((](?:[一二三四五六七八九十]{1,3}|\d{1,2}|[a-z]|[ivx]+)[))]\s*"
    r"|\d{1,2}(?:\.\d{1,2})*[、..)](?!\d)\s*|[①-⑳]\s*|[ivx]{1,4}[.)]\s+|[a-z][.)]\s+)",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"^(?:[△▲☆★*#+\-–—]+\s*|(?:减|加|其中|less|add|deduct|plus|of which|including)\s*[::]\s*)", re.IGNORECASE
)
_FILL_IN = re.compile(r"[((][^(())]*(?:填列|号填|列示)[^(())]*[))]")
_NOTE = re.compile(
    r"[((\[]\s*(?:(?:附注|注释|注|notes?)[^()()\[\]]*|\d{1,2}|[a-z])\s*[))\]]\s*$|\s+notes?\s+\d+[\w,.() ]*$",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\((?![^()]*(?:payment|purchase))[^()]*\)|\[[^\[\]]*\]")  # a netted payment changes the item
_NON = re.compile(r"\bnon[ -]+(?=\w)")
_AFTER_NET = re.compile(
    r" (?:net of (?:allowances?|accumulated|reserves?|discounts?|unamorti[sz]ed|current|(?:income )?tax)\b"
    r"|less (?:allowances?|accumulated|reserves?|current)\b|(?:and )?net of .*\bof \$).*$"
)


@dataclass(frozen=True, slots=True)
class Item:
    """One canonical item; `statements` names its home first."""

    name: str
    statements: tuple[StatementName, ...]
    kind: Literal["instant", "duration"]
    sign: Sign
    zh: str
    en: str
    zh_words: tuple[str, ...]
    en_words: tuple[str, ...]
    concepts: tuple[str, ...]

    @property
    def statement(self) -> StatementName:
        """Where the item is at home."""
        return self.statements[0]

    def heading(self, language: Language) -> str:
        """The standard heading in a language."""
        return (self.zh or self.en) if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Match:
    """An item and how good a heading for it the words are: 0 is best; of two rows take the lower rank."""

    item: Item
    rank: int


def clean_words(words: str) -> str:
    """A heading without numbering, "less:", notes and the remark on signs; spaces made single.

    >>> clean_words("　　减：营业成本（附注五、36）")
    '营业成本'
    >>> clean_words("三、营业利润（亏损以“－”号填列）")
    '营业利润'
    >>> clean_words("Less:  Cost of  sales (Note 4)")
    'Cost of sales'
    """
    text = " ".join(unicodedata.normalize("NFKC", words).split()).strip(" .:;·…")
    text = _FILL_IN.sub("", text)
    last = None
    while text != last:
        last = text
        text = _LEADING.sub("", _NUMBERING.sub("", text)).strip()
        text = _NOTE.sub("", text).strip(" .:;·…")
    return text


def heading_key(words: str, language: Language) -> str:
    """What headings are compared by: no brackets, punctuation or case; in Chinese no spaces either.

    >>> heading_key("Total Stockholders’ Equity (Deficit)", "en")
    'total stockholders equity'
    >>> heading_key("所有者权益（或股东权益）合计：", "zh")
    '所有者权益合计'
    """
    text = clean_words(words).lower()
    while (shorter := _BRACKETS.sub(" ", text)) != text:
        text = shorter
    if language == "zh":
        return "".join(mark for mark in simplified(text) if mark.isalnum())
    text = text.replace("&", " and ").replace("'", "").replace("’", "").replace("‘", "")
    text = _AFTER_NET.sub("", " ".join(re.sub(r"[^\w$.]+|(?<!\d)\.|\.(?!\d)", " ", _NON.sub("non", text)).split()))
    return text.replace("$", "").strip()


def find_words(words: str, language: Language, statement: StatementName | None = None) -> Item | None:
    """The item that a heading means in a statement (in any, where none is given), or None.

    >>> find_words("归属于母公司股东的净利润（净亏损以“-”号填列）", "zh", "income").name
    'net_income_parent'
    """
    found = match_words(words, language, statement)
    return None if found is None else found.item


@lru_cache(maxsize=20_000)
def match_words(words: str, language: Language, statement: StatementName | None = None) -> Match | None:
    """As `find_words`, with the rank of the heading: "total revenues" is better for revenue than "net sales"."""
    key = heading_key(words, language)
    if not key:
        return None
    names = STATEMENTS if statement is None else (statement,)
    if language == "zh":
        found = (_chinese(name).get(key) for name in names)
        return next((match for match in found if match is not None), None)
    for name in names:
        for item, patterns in _english(name):
            for rank, pattern in enumerate(patterns):
                if pattern.fullmatch(key):
                    return Match(item, rank)
    return None


def says_loss(words: str, language: Language) -> bool:
    """Whether a heading of a profit says a loss alone, so that a bare positive number means a negative one.

    >>> says_loss("Net loss", "en"), says_loss("Net income (loss)", "en"), says_loss("净亏损", "zh")
    (True, False, True)
    """
    text = clean_words(words).lower()
    if language == "zh":
        text = simplified(text)
        return "亏损" in text and not any(word in text for word in ("利润", "盈利", "溢利", "收益"))
    loss = re.search(r"\b(?:loss(?:es)?|deficit)\b", text) is not None
    return loss and re.search(r"\b(?:income|profits?|earnings|equity|gains?)\b", text) is None


def load_items(path: Path) -> Mapping[str, Item]:
    """The items of a table by name, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    items = {
        row["item"]: Item(
            name=row["item"],
            statements=cast("tuple[StatementName, ...]", _parts(row["statement"])),
            kind=cast('Literal["instant", "duration"]', row["kind"]),
            sign=cast("Sign", row["sign"]),
            zh=row["zh"],
            en=row["en"],
            zh_words=_parts(row["zh_words"]),
            en_words=_parts(row["en_words"]),
            concepts=_parts(row["concepts"]),
        )
        for row in rows
    }
    return MappingProxyType(items)


def _parts(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(";") if part.strip())


ITEMS: Mapping[str, Item] = load_items(Path(__file__).with_name("items.csv"))


@cache
def _chinese(statement: StatementName) -> Mapping[str, Match]:
    table: dict[str, Match] = {}
    for item in _items_of(statement):
        for rank, words in enumerate((item.zh, *item.zh_words)):
            if words:
                table.setdefault(heading_key(words, "zh"), Match(item, rank))
    return table


@cache
def _english(statement: StatementName) -> tuple[tuple[Item, tuple[re.Pattern[str], ...]], ...]:
    return tuple((item, tuple(re.compile(words) for words in item.en_words)) for item in _items_of(statement))


def _items_of(statement: StatementName) -> list[Item]:
    return [item for item in ITEMS.values() if statement in item.statements]

"""Which item a row of a statement is: by its heading, by the heading it stands under, by the part it stands in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from data.finance.reports import StatementName
from pipelines.finance.reports.items import ITEMS, Language, Match, clean_words, match_words
from pipelines.finance.reports.segments import Row

LONGEST_LABEL = 300  # characters
MOST_JOINED = 3  # lines that one heading may be broken into
# headings that say nothing without the one above them
_BARE = re.compile(
    r"\W*(?:basic|diluted|basic and diluted|total|other|others|net|sub-?total|current|non-?current|long-term|short-term"
    r"|assuming dilution|其他|合计|小计|基本|稀释)\b\W*(?:\(.*\))?\W*(?:,? net)?\W*(?:\(in .*\))?\W*",
    re.IGNORECASE,
)
_PARTS: tuple[tuple[str, str], ...] = (
    ("noncurrent_assets", r"non-?\s?current assets|long-term assets|非流动资产"),
    ("current_assets", r"current assets|流动资产"),
    ("noncurrent_liabilities", r"non-?\s?current liabilities|long-term liabilities|非流动负债"),
    ("current_liabilities", r"current liabilities|流动负债"),
    ("equity", r"equity|deficit|权益"),
    ("liabilities", r"liabilities|负债"),
    ("assets", r"assets|资产"),
    ("finance", r"财务费用"),
)
_PART = tuple((name, re.compile(words, re.IGNORECASE)) for name, words in _PARTS)
_AFTER = {  # a total ends its part
    "current_assets": "noncurrent_assets",
    "total_assets": "liabilities",
    "current_liabilities": "noncurrent_liabilities",
    "total_liabilities": "equity",
}
# what a heading means in a part, where its usual meaning belongs to another; None: nothing that has a name
_ELSEWHERE: dict[str, dict[str, str | None]] = {
    "current_assets": {
        "long_term_investments": "short_term_investments",
        "other_noncurrent_assets": "other_current_assets",
        "long_term_receivables": None,
        "deferred_tax_liabilities": None,
        "deferred_tax_assets": None,
    },
    "noncurrent_assets": {
        "short_term_investments": "long_term_investments",
        "other_current_assets": "other_noncurrent_assets",
        "deferred_tax_liabilities": "deferred_tax_assets",
        "accounts_receivable": "long_term_receivables",
        "inventory": None,
        "prepayments": None,
    },
    "current_liabilities": {
        "long_term_debt": "current_portion_debt",
        "other_noncurrent_liabilities": "other_current_liabilities",
        "lease_liabilities": None,
        "deferred_tax_assets": None,
        "deferred_tax_liabilities": None,
    },
    "noncurrent_liabilities": {
        "short_term_debt": "long_term_debt",
        "current_portion_debt": "long_term_debt",
        "other_current_liabilities": "other_noncurrent_liabilities",
        "deferred_tax_assets": "deferred_tax_liabilities",
        "contract_liabilities": None,
    },
}
_OTHERS = {  # "Other" alone
    "current_assets": "other_current_assets",
    "noncurrent_assets": "other_noncurrent_assets",
    "current_liabilities": "other_current_liabilities",
    "noncurrent_liabilities": "other_noncurrent_liabilities",
}
_OTHER = re.compile(r"\W*(?:other|others|other,? net|其他|other (?:assets|liabilities))\W*", re.IGNORECASE)
_INTEREST = frozenset(("interest_income", "interest_expense"))
_SUBORDINATE = re.compile(r"^\W*(?:其中|including|of which)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A row that is an item, its heading as it stands, and how good a heading that is (0 is best)."""

    row: Row
    item: str
    words: str
    rank: int


def find_items(rows: Sequence[Row], language: Language, statement: StatementName) -> list[Found]:
    """The rows that are items, in order."""
    reader = _Reader(rows, language, statement)
    return [found for place in range(len(rows)) if (found := reader.read(place)) is not None]


@dataclass(slots=True)
class _Reader:
    rows: Sequence[Row]
    language: Language
    statement: StatementName
    part: str = ""
    heading: str = ""  # the last row without numbers
    since_finance: int = 99  # rows since finance expense

    def read(self, place: int) -> Found | None:
        row = self.rows[place]
        self.since_finance += 1
        if not row.numbers:
            self._head(row)
            return None
        found = self._match(place)
        if found is None:
            return None
        words, match = found
        name = self._in_part(match.item.name, words)
        if name is None:
            return None
        rank = match.rank
        if name == "finance_expense":
            self.since_finance = 0
        if name in _INTEREST and self.statement == "income":
            rank -= 10 if self.since_finance <= MOST_JOINED else 0
        self.part = _AFTER.get(name, self.part) if self.statement == "balance" else self.part
        return Found(row, name, clean_words(words), rank)

    def _head(self, row: Row) -> None:
        if not row.label:
            return
        self.heading = row.label
        if row.label.strip().startswith("财务费用"):
            self.since_finance = 0
        if self.statement != "balance" or len(row.label) > 60:
            return
        part = next((name for name, words in _PART if words.search(row.label)), None)
        if part is not None and not match_words(row.label, self.language, "balance"):
            self.part = part

    def _match(self, place: int) -> tuple[str, Match] | None:
        """The first wording that is an item: a bare heading with the one above, else alone, else lines joined."""
        row = self.rows[place]
        for words in self._wordings(place):
            if 0 < len(words) <= LONGEST_LABEL:
                match = match_words(words, self.language, self.statement)
                if match is not None:
                    return words, match
        if _OTHER.fullmatch(row.label) and self.part in _OTHERS:
            return row.label, Match(ITEMS[_OTHERS[self.part]], 9)
        return None

    def _wordings(self, place: int) -> list[str]:
        row = self.rows[place]
        if not row.label:
            return [f"Total {self.heading}"] if self.heading and self.language == "en" and self._closes(place) else []
        wordings = [row.label, row.all_words]
        if _BARE.fullmatch(row.label):
            wordings = [f"{self.heading} {row.label}", f"{row.label} {self.heading}", row.label]
        above = [one.label for one in self.rows[max(0, place - MOST_JOINED) : place] if not one.numbers]
        between = "" if self.language == "zh" else " "
        if above and place and not self.rows[place - 1].numbers:
            wordings.append(between.join((above[-1], row.label)))
            wordings.append(between.join((*above[-2:], row.label)))
        below = self.rows[place + 1] if place + 1 < len(self.rows) else None
        if below is not None and not below.numbers and below.label:
            wordings.append(between.join((row.label, below.label)))
            if above and not self.rows[place - 1].numbers:
                wordings.append(between.join((above[-1], row.label, below.label)))
        return wordings

    def _closes(self, place: int) -> bool:
        """Whether a row without a heading is the sum of the rows above it, back to the last heading."""
        rows = []
        for row in reversed(self.rows[:place]):
            if not row.numbers:
                break
            rows.append(row)
        own = [number.value for number in self.rows[place].numbers]
        sums = [sum(row.numbers[i].value for row in rows if len(row.numbers) > i) for i in range(len(own))]
        return len(rows) > 1 and own == sums

    def _in_part(self, name: str, words: str) -> str | None:
        if self.statement != "balance":
            return name
        moved = _ELSEWHERE.get(self.part, {})
        if name not in moved or re.search(r"non-?current|long-term|current|流动", words, re.IGNORECASE):
            return name
        return moved[name]

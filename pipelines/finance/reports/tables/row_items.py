"""Which item a row of a statement is: by its heading, by the heading it stands under, by the part it stands in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from data.finance.reports import StatementName
from pipelines.finance.reports.chinese import simplified
from pipelines.finance.reports.items import ITEMS, Language, Match, clean_words, match_words
from pipelines.finance.reports.tables.bare_totals import bare_totals
from pipelines.finance.reports.tables.periods import read_heading
from pipelines.finance.reports.tables.segments import Row
from pipelines.finance.reports.tables.units import find_unit

LONGEST_LABEL = 300  # characters
LOWEST = 9  # rank of a heading that only its place makes an item
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
_BASIC, _DILUTED = re.compile(r"\bbasic\b", re.IGNORECASE), re.compile(r"\bdilut(?:ed|ion|ive)\b", re.IGNORECASE)
_PER_SHARE = re.compile(r"\bper\b.{0,40}\b(?:shares?|units?|ads)\b|\beps\b", re.IGNORECASE)
_SHARE_COUNT = re.compile(
    r"\bweighted|\baverage|\bshares (?:used|outstanding)|number of|\bin shares\b|^\W*shares\b", re.IGNORECASE
)
_WHOLE_PROFIT = re.compile(r"^\W*(?:total|net\b|basic|dilut|assuming|earnings|income|loss|profit|\W*$)", re.IGNORECASE)
_PART_PROFIT = re.compile(r"continuing|discontinued|dividends?|distribut", re.IGNORECASE)
_PART_TOTAL = re.compile(
    r"^\W*(?:sub-?total|total|net)?\W*(?:cash )?(?:flows? )?(?:from |of |for )?(operating|investing|financing)"
    r"(?: activit(?:y|ies)| cash flows?)?\W*$",
    re.IGNORECASE,
)
_ACCUMULATED = re.compile(r"accumulated (?:depreciation|amorti)|累计折旧", re.IGNORECASE)
_PART_OF_BUSINESS = re.compile(r"continuing|discontinued|held for sale", re.IGNORECASE)
_MEMO = re.compile(
    r"(?:stock|share|equity)[- ]based compensation|\bincluded? (?:in|above)\b|\bas follows\b", re.IGNORECASE
)
_CASH = re.compile(r"^\W*(?:total |balance of )?cash\b(?!.*\b(?:paid|provided|used|flows?)\b)", re.IGNORECASE)
_BEGINNING = re.compile(r"\bbeginning\b|\bstart of\b|\bopening\b", re.IGNORECASE)
_ENDING = re.compile(r"\bend(?:ing)?\b|\bclosing\b", re.IGNORECASE)
_ENDS_OPEN = re.compile(r"(?:,|\b(?:and|or|of|in|for|to|from|the|by|on|with|at|less)|[-–—/])\s*$", re.IGNORECASE)
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
    read = {place: found for place in range(len(rows)) if (found := reader.read(place)) is not None}
    if statement == "balance" and language == "en":
        for place, name in bare_totals(rows, {found.item for found in read.values()}).items():
            read[place] = Found(rows[place], name, clean_words(rows[place].label), LOWEST)
    return [read[place] for place in sorted(read)]


@dataclass(slots=True)
class _Reader:
    rows: Sequence[Row]
    language: Language
    statement: StatementName
    part: str = ""
    heading: str = ""  # the last row without numbers
    outer: str = ""  # the heading above that one
    since_finance: int = 99  # rows since finance expense
    headed: bool = False  # the row before was a heading
    dated_cash: int = 0  # rows of cash at a date so far
    minority: bool = False  # a row of the minority's equity has been
    after_profit: bool = False  # a row of net income has been
    memo: bool = False  # the rows tell what is in others: "Stock-based compensation included above:"

    def read(self, place: int) -> Found | None:
        row = self.rows[place]
        self.since_finance += 1
        if not row.numbers:
            self._head(row)
            return None
        found = None if self.memo else self._match(place)
        self.headed = False
        if found is None or self._is_gross(place, found[1]):
            return None
        words, match = found
        name = self._in_part(match.item.name, words)
        if name is None:
            return None
        rank = match.rank + (LOWEST if _PART_OF_BUSINESS.search(words) and name.startswith("cash_") else 0)
        if name == "finance_expense":
            self.since_finance = 0
        if name in _INTEREST and self.statement == "income":
            rank -= 10 if self.since_finance <= MOST_JOINED else 0
        self.part = _AFTER.get(name, self.part) if self.statement == "balance" else self.part
        return Found(row, name, clean_words(words), rank)

    def _head(self, row: Row) -> None:
        if not row.label or find_unit(row.label) is not None:
            return
        self.outer = self.heading if self.headed else self.outer
        self.heading, self.headed = row.label, True
        self.memo = self.statement == "income" and _MEMO.search(row.label) is not None
        if row.label.strip().startswith("财务费用"):
            self.since_finance = 0
        if self.statement != "balance" or len(row.label) > 60:
            return
        part = next((name for name, words in _PART if words.search(simplified(row.label))), None)
        if part is not None and not match_words(row.label, self.language, "balance"):
            self.part = part

    def _match(self, place: int) -> tuple[str, Match] | None:
        """The first wording that is an item: a bare heading with the one above, else alone, else lines joined."""
        row = self.rows[place]
        if self.statement == "income" and self.language == "en":
            per_share = self._per_share(row.label)
            if per_share is not None:
                return per_share or None
        for words in self._wordings(place):
            if 0 < len(words) <= LONGEST_LABEL:
                match = match_words(words, self.language, self.statement)
                if match is not None:
                    return words, match
        total = _PART_TOTAL.match(row.label) if self.statement == "cash_flow" else None
        if total is not None:
            return row.label, Match(ITEMS[f"{total[1].lower()}_cash_flow"], LOWEST)
        held = self._cash_held(row.label) if self.statement == "cash_flow" and self.language == "en" else None
        if held is not None:
            return row.label, Match(ITEMS[held], LOWEST)
        if _OTHER.fullmatch(row.label) and self.part in _OTHERS:
            return row.label, Match(ITEMS[_OTHERS[self.part]], LOWEST)
        return None

    def _wordings(self, place: int) -> list[str]:
        row = self.rows[place]
        if not row.label:
            return [f"Total {self.heading}"] if self.heading and self.language == "en" and self._closes(place) else []
        wordings = list(dict.fromkeys((row.label, row.all_words)))
        if _BARE.fullmatch(row.label):
            wordings = [f"{self.heading} {row.label}", f"{row.label} {self.heading}", row.label]
        return wordings + self._joined(place)

    def _joined(self, place: int) -> list[str]:
        """The label with the lines above and below that it may be broken over."""
        label = self.rows[place].label
        above: list[str] = []
        for row in reversed(self.rows[max(0, place - MOST_JOINED) : place]):
            if row.numbers or not row.label or not self._goes_on(row.label, above[0] if above else label):
                break
            above.insert(0, row.label)
        following = self.rows[place + 1] if place + 1 < len(self.rows) else None
        below = following.label if following is not None and not following.numbers else ""
        if below and not self._goes_on(label, below):
            below = ""
        between = "" if self.language == "zh" else " "
        starts = ["", *(between.join(above[first:]) + between for first in range(len(above)))]
        ends = ["", between + below] if below else [""]
        return [start + label + end for start in starts for end in ends if start or end]

    def _goes_on(self, first: str, second: str) -> bool:
        """Whether the second line may be the rest of the first."""
        if first.endswith((":", "：")):
            return False
        return self.language == "zh" or second[:1].islower() or _ENDS_OPEN.search(first) is not None

    def _per_share(self, label: str) -> tuple[str, Match] | Literal[False] | None:
        """Earnings a share and numbers of shares, by the headings above; False: a part of them, None: neither."""
        above = f"{self.outer} {self.heading}" if _PER_SHARE.search(self.outer) else self.heading
        whole = f"{above} {label}"
        own = _BASIC.search(label) or _DILUTED.search(label) or _PER_SHARE.search(label)
        if not own and not (_PER_SHARE.search(above) and (_PART_PROFIT.search(label) or _WHOLE_PROFIT.search(label))):
            return None
        if not (_PER_SHARE.search(whole) or _SHARE_COUNT.search(whole) or own):
            return None
        if _PART_PROFIT.search(label):
            return False
        said = label if _BASIC.search(label) or _DILUTED.search(label) else whole
        if not (_BASIC.search(said) or _DILUTED.search(said)):
            return None
        kind = "basic" if _BASIC.search(said) else "diluted"
        counted = _SHARE_COUNT.search(label) or (_SHARE_COUNT.search(above) and not _PER_SHARE.search(label))
        return (label if _PER_SHARE.search(label) or _SHARE_COUNT.search(label) else whole), Match(
            ITEMS[f"shares_{kind}" if counted else f"eps_{kind}"], 0
        )

    def _cash_held(self, label: str) -> str | None:
        """Cash at the beginning or the end, as "Cash and cash equivalents at January 1" says it."""
        if not _CASH.search(label):
            return None
        if _BEGINNING.search(label):
            return "cash_beginning"
        if _ENDING.search(label):
            return "cash_end"
        if read_heading(label).day is None:
            return None
        self.dated_cash += 1
        return "cash_beginning" if self.dated_cash == 1 else "cash_end"

    def _is_gross(self, place: int, match: Match) -> bool:
        """Whether the next row takes depreciation off: this one is gross, the item is the row after."""
        following = self.rows[place + 1].label if place + 1 < len(self.rows) else ""
        return (
            match.item.name == "ppe" and _ACCUMULATED.search(following) is not None and "net" not in following.lower()
        )

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
            self.after_profit = self.after_profit or name == "net_income"
            return None if name == "fair_value_gain" and self.after_profit else name  # it is other comprehensive income
        if name == "equity_parent" and self.minority and "attributable" not in words.lower():
            return "total_equity"  # the minority is in it
        self.minority = self.minority or name == "minority_interest"
        moved = _ELSEWHERE.get(self.part, {})
        if name not in moved or re.search(r"non-?current|long-term|current|流动", words, re.IGNORECASE):
            return name
        return moved[name]

"""What a company report says: facts, statement lines, sections, checks. Numbers are exact; dates are dates.

`start` and `end` of a `Place` count characters of the text that the file was read as; pages count from 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal

Kind = Literal["ixbrl", "xbrl", "companyfacts", "html", "pdf", "sheet", "text"]
StatementName = Literal["income", "balance", "cash_flow"]
Scope = Literal["consolidated", "parent"]
STATEMENTS: tuple[StatementName, ...] = ("income", "balance", "cash_flow")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the file something stands, with the text as written there."""

    text: str
    page: int | None = None  # of a PDF, or the sheet's number
    element: str | None = None  # id or path of an element, or a sheet's cell
    start: int | None = None
    end: int | None = None

    def to_json(self) -> dict[str, Any]:
        """What is known, by name."""
        known = {"page": self.page, "element": self.element, "start": self.start, "end": self.end}
        return {"text": self.text} | {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Fact:
    """One tagged fact. A number has a `unit`; a text has none; `value` None is an explicit nil.

    Either `instant`, or `start` and `end` (both None: forever).
    """

    concept: str  # prefix:Name, the prefix as the file writes it
    value: Decimal | str | None
    unit: str | None  # USD, shares, USD/shares, pure
    decimals: str | None
    start: date | None
    end: date | None  # the last day, inclusive
    instant: date | None
    dimensions: Mapping[str, str]  # axis -> member; of a typed axis, its text
    source: Place

    def to_json(self) -> dict[str, Any]:
        """The contract's fact."""
        return {
            "concept": self.concept,
            "value": plain(self.value) if isinstance(self.value, Decimal) else self.value,
            "unit": self.unit,
            "decimals": self.decimals,
            "start": iso(self.start),
            "end": iso(self.end),
            "instant": iso(self.instant),
            "dimensions": dict(self.dimensions),
            "source": self.source.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Line:
    """One number of a statement, in whole units of its currency (eps and shares: as they are)."""

    item: str  # canonical; see pipelines/finance/reports/items.csv
    words: str  # the heading, without numbering and signs
    value: Decimal
    period_end: date
    months: int | None  # that the number covers; None: at a date
    scope: Scope
    currency: str | None
    source: Place

    def to_json(self) -> dict[str, Any]:
        """The contract's line."""
        return {
            "item": self.item,
            "words": self.words,
            "value": plain(self.value),
            "period_end": iso(self.period_end),
            "months": self.months,
            "scope": self.scope,
            "currency": self.currency,
            "source": self.source.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the text; characters `start` to `end`."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Check:
    """What was compared and whether it held."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that was read of one file; see the contract, "What report extraction prints"."""

    file: str
    kind: Kind
    language: Literal["en", "zh"]
    company: str | None = None
    form: str | None = None  # 10-K, 10-Q, 年度报告
    period_end: date | None = None
    currency: str | None = None
    facts: tuple[Fact, ...] = ()  # numbers, nil among them
    texts: tuple[Fact, ...] = ()  # tagged words and dates
    statements: Mapping[StatementName, tuple[Line, ...]] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    text: str = ""  # that sections and places count in
    checks: tuple[Check, ...] = ()


def plain(value: Decimal) -> str:
    """Exact digits, never an exponent.

    >>> plain(Decimal("1.50E+6"))
    '1500000'
    """
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def iso(day: date | None) -> str | None:
    """ISO 8601, or None."""
    return None if day is None else day.isoformat()

"""What a made-up report truly says: its facts with concept, unit, period and dimensions, and its figures by item."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from data.finance.report_filing import Figure, Filing
from data.finance.reports import Kind, iso, plain

AXIS = "srt:ProductOrServiceAxis"


@dataclass(frozen=True, slots=True)
class TaggedFact:
    """A fact of a filing before it is written down."""

    concept: str
    value: Decimal | None  # None: nil
    unit: str  # USD, shares, USD/shares
    decimals: str
    start: date | None
    end: date
    member: str | None

    def to_json(self) -> dict[str, Any]:
        """As the contract has facts, without a source."""
        instant = self.start is None
        return {
            "concept": self.concept,
            "value": None if self.value is None else plain(self.value),
            "unit": self.unit,
            "decimals": self.decimals,
            "start": iso(self.start),
            "end": None if instant else iso(self.end),
            "instant": iso(self.end) if instant else None,
            "dimensions": {} if self.member is None else {AXIS: f"co:{self.member}"},
        }


def fact_of(figure: Figure, filing: Filing) -> TaggedFact:
    """The fact that a figure is tagged as; exact to the last printed digit. Opening cash is that of the day before."""
    unit = {"money": "USD", "shares": "shares", "per_share": "USD/shares"}[figure.measure]
    zeros = len(str(int(filing.style.scale))) - 1
    decimals = "2" if figure.measure == "per_share" else str(-zeros) if figure.measure == "money" else "0"
    start, end = date(figure.end.year, 1, 1) if figure.months else None, figure.end
    if figure.item in ("cash_beginning", "cash_end"):
        start, end = None, end if figure.item == "cash_end" else date(end.year - 1, 12, 31)
    prefix = "co" if figure.line.concept.startswith("co:") else "us-gaap"
    value = None if figure.nil else figure.tagged
    return TaggedFact(f"{prefix}:{figure.line.concept}", value, unit, decimals, start, end, figure.member)


def facts_of(filing: Filing) -> tuple[TaggedFact, ...]:
    """Every fact once, in the order of the filing."""
    figures = (figure for sheet in filing.sheets for row in sheet.rows for figure in row.figures)
    return tuple(dict.fromkeys(fact_of(figure, filing) for figure in figures))


def gold(filing: Filing, file: str, kind: Kind, *, sections: bool, facts: Iterable[TaggedFact] = ()) -> dict[str, Any]:
    """All that a reader of the file must find. Figures printed as nothing are left out: no reader can know them."""
    values = [
        {
            "statement": sheet.name,
            "scope": sheet.scope,
            "item": figure.item,
            "words": row.words,
            "period_end": iso(figure.end),
            "months": figure.months,
            "value": plain(figure.value),
        }
        for sheet in filing.statements
        for row in sheet.rows
        for figure in row.figures
        if figure.value and not figure.item.startswith("_")
    ]
    company = filing.company
    return {
        "file": file,
        "kind": kind,
        "language": "zh" if company.country == "cn" else "en",
        "company": company.name,
        "company_id": company.company_id,
        "form": None if kind == "sheet" else filing.form,  # a sheet has no cover
        "period_end": iso(filing.end),
        "currency": company.currency,
        "unit_words": filing.style.unit_words,
        "flaw": filing.flaw,
        "failed": int(company.failed and filing.year == company.years[-1]),
        "sections": list(filing.sections) if sections else [],
        "values": values,
        "facts": [fact.to_json() for fact in facts],
    }

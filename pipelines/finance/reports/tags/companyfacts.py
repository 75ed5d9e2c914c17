"""Company-facts JSON of the SEC: all facts that a company ever filed, of all its reports.

Facts come in the order in which they were filed, so a later one corrects an earlier one of the same period.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NoReturn

from core.errors import InputError
from data.finance.reports import Fact, Place, Report
from pipelines.finance.reports.markup import decode
from pipelines.finance.reports.tags.contexts import day
from pipelines.finance.reports.tags.readable import LONGEST_NUMBER, readable_check

ANNUAL = ("10-K", "10-K/A", "10-KT", "20-F", "20-F/A", "40-F", "40-F/A")
CURRENCY = 3  # letters of an ISO 4217 code
LONGEST_WAY = 40  # digits before the point, or places after it, of a figure that can be meant


def read_companyfacts(content: bytes, file: str) -> Report:
    """Every figure with its filing: the place is the accession number with the form and the fiscal period."""
    document = _document(content, file)
    faults: list[str] = []
    filed = sorted(_rows(document["facts"], faults), key=lambda row: row[0])
    facts = tuple(fact for _, _, fact in filed)
    annual = [(day_filed, form, fact) for day_filed, form, fact in filed if form in ANNUAL]
    company = document.get("entityName")
    return Report(
        file=file,
        kind="companyfacts",
        language="en",
        company=company if isinstance(company, str) else None,
        form=annual[-1][1] if annual else (filed[-1][1] if filed else None),
        period_end=_period_end([fact for day_filed, _, fact in annual if day_filed == annual[-1][0]] or facts),
        currency=_currency(facts),
        facts=facts,
        checks=(readable_check(faults),),
    )


def _document(content: bytes, file: str) -> dict[str, Any]:
    try:
        document = json.loads(decode(content, file), parse_float=Decimal, parse_constant=_refuse)
    except RecursionError:
        raise InputError(f"{file}: JSON nested too deeply", code="TOO_DEEP") from None
    except ValueError as error:
        raise InputError(f"{file}: not JSON ({str(error)[:120]})", code="BAD_JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("facts"), dict):
        message = f"{file}: not company facts; allowed is the SEC's JSON with entityName and facts"
        raise InputError(message, code="BAD_JSON")
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _rows(facts: Mapping[str, Any], faults: list[str]) -> Iterator[tuple[str, str, Fact]]:
    """The day of filing, the form, the fact."""
    for taxonomy, concepts in facts.items():
        for name, concept in _pairs(concepts):
            for unit, values in _pairs(concept.get("units") if isinstance(concept, dict) else None):
                for number, value in enumerate(values if isinstance(values, list) else ()):
                    try:
                        yield _row(f"{taxonomy}:{name}", unit, value)
                    except (ValueError, TypeError, KeyError, AttributeError) as error:
                        faults.append(f"{taxonomy}:{name} {unit}[{number}]: {str(error)[:80]}")


def _pairs(table: object) -> Iterator[tuple[str, Any]]:
    yield from table.items() if isinstance(table, dict) else ()


def _row(concept: str, unit: str, value: Mapping[str, Any]) -> tuple[str, str, Fact]:
    number = value["val"]
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        raise ValueError(f"no number: {str(number)[:40]!r}")
    figure = Decimal(number)
    if abs(figure.adjusted()) > LONGEST_WAY or len(figure.as_tuple().digits) > LONGEST_NUMBER:
        raise ValueError("a number too long to be meant")
    start, last = value.get("start"), day(value["end"], True)
    first, end, instant = (None, None, last) if start is None else (day(start, False), last, None)
    form = str(value.get("form") or "")
    source = " ".join(str(value[key]) for key in ("accn", "form", "fy", "fp") if value.get(key) is not None)
    place = Place(str(number), None, source or None)
    return str(value.get("filed") or ""), form, Fact(concept, figure, unit, None, first, end, instant, {}, place)


def _period_end(facts: Sequence[Fact]) -> date | None:
    """The last day that many of the facts have; a few may look further ahead."""
    ends = Counter(fact.end or fact.instant for fact in facts)
    return max((last for last, times in ends.items() if last and 4 * times >= max(ends.values())), default=None)


def _currency(facts: tuple[Fact, ...]) -> str | None:
    counted = Counter(
        fact.unit
        for fact in facts
        if fact.unit and len(fact.unit) == CURRENCY and fact.unit.isupper() and fact.unit.isalpha()
    )
    return counted.most_common(1)[0][0] if counted else None

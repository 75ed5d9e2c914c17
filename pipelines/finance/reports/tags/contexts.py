"""Contexts and units of XBRL: who, when, along which dimensions, measured in what."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from lxml import etree

XBRLI = "{http://www.xbrl.org/2003/instance}"
XBRLDI = "{http://xbrl.org/2006/xbrldi}"
ISO4217 = "http://www.xbrl.org/2003/iso4217"
CONTEXT = f"{XBRLI}context"
UNIT = f"{XBRLI}unit"
START, END, INSTANT = f"{XBRLI}startDate", f"{XBRLI}endDate", f"{XBRLI}instant"
EXPLICIT, TYPED = f"{XBRLDI}explicitMember", f"{XBRLDI}typedMember"
SEGMENT, SCENARIO = f"{XBRLI}segment", f"{XBRLI}scenario"
MEASURE, DENOMINATOR = f"{XBRLI}measure", f"{XBRLI}unitDenominator"
PARTS = (START, END, INSTANT, SEGMENT, SCENARIO)
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Context:
    """When, and along which dimensions; `fault` says why a context cannot be used."""

    start: date | None
    end: date | None
    instant: date | None
    dimensions: Mapping[str, str]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """USD, shares, USD/shares, pure; a currency is one of ISO 4217."""

    name: str
    currency: bool


def read_contexts(elements: Iterable[etree._Element]) -> dict[str, Context]:
    """Every context by its id."""
    contexts: dict[str, Context] = {}
    for element in elements:
        name = element.get("id", "")
        context = _context(element)
        if name in contexts and contexts[name] != context:
            context = Context(None, None, None, {}, f"two contexts share the id {name}")
        contexts[name] = context
    return contexts


def read_units(elements: Iterable[etree._Element]) -> dict[str, Unit]:
    """Every unit by its id."""
    return {element.get("id", ""): _unit(element) for element in elements}


def _context(element: etree._Element) -> Context:
    days: dict[str, date] = {}
    dimensions: dict[str, str] = {}
    try:
        for part in element.iter(*PARTS):
            tag = part.tag
            if tag in (SEGMENT, SCENARIO):
                for member in part:
                    _add_dimension(dimensions, member)
            else:
                days[tag] = day(part.text or "", closes=tag != START)
    except ValueError as error:
        return Context(None, None, None, {}, str(error))
    if INSTANT not in days and (START in days) != (END in days):
        return Context(None, None, None, {}, "a period with one end")
    if START in days and END in days and days[START] > days[END]:
        return Context(None, None, None, {}, f"a period from {days[START]} that ends before it, on {days[END]}")
    return Context(days.get(START), days.get(END), days.get(INSTANT), dimensions)


def _add_dimension(dimensions: dict[str, str], member: etree._Element) -> None:
    if member.tag == EXPLICIT:
        dimensions[member.get("dimension", "").strip()] = (member.text or "").strip()
    elif member.tag == TYPED:
        dimensions[member.get("dimension", "").strip()] = "".join(map(str, member.itertext())).strip()
    elif isinstance(member.tag, str):  # a segment of the time before dimensions
        name = etree.QName(member).localname
        axis = f"{member.prefix}:{name}" if member.prefix else name
        dimensions[axis] = "".join(map(str, member.itertext())).strip()


@lru_cache(maxsize=4096)
def day(text: str, closes: bool) -> date:
    """The day that a date or moment stands for; a period that closes at midnight ends on the day before.

    >>> day("2025-01-01T00:00:00", True).isoformat()
    '2024-12-31'
    """
    found = MOMENT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"no date: {text.strip()[:40]!r}")
    try:
        whole = date.fromisoformat(found[1])
        return whole - timedelta(days=1) if closes and found[2] == "00:00:00" else whole
    except (ValueError, OverflowError):
        raise ValueError(f"no date: {text.strip()[:40]!r}") from None


def _unit(element: etree._Element) -> Unit:
    above: list[str] = []
    below: list[str] = []
    currency = False
    for measure in element.iter(MEASURE):
        prefix, _, name = (measure.text or "").strip().rpartition(":")
        parent = measure.getparent()
        (below if parent is not None and parent.tag == DENOMINATOR else above).append(name)
        currency = prefix == "iso4217" or measure.nsmap.get(prefix) == ISO4217
    name = "*".join(above) + ("/" + "*".join(below) if below else "")
    return Unit(name, currency and len(above) == 1 and not below)

"""XBRL instances and packages (zip or folder): facts, and with them labels, presentation and calculation.

No taxonomy is fetched: a fact says itself what it is, and the package's own linkbases say how it is shown.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from lxml import etree

from core.errors import InputError
from data.finance.reports import Fact, Place, Report
from pipelines.finance.reports.archive import read_file, read_members
from pipelines.finance.reports.contexts import CONTEXT, UNIT, XBRLI, Context, Unit, read_contexts, read_units
from pipelines.finance.reports.identity import identity
from pipelines.finance.reports.inline_parts import is_inline
from pipelines.finance.reports.ixbrl import read_trees
from pipelines.finance.reports.linkbases import LINK, Linkbases, read_linkbases
from pipelines.finance.reports.markup import first_tag, parse
from pipelines.finance.reports.readable import LONGEST_NUMBER, readable_check, same_value_check

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
INSTANCE = f"{XBRLI}xbrl"
PAGES = (".xhtml", ".htm", ".html")
SUFFIXES = (".xml", ".xsd", ".xbrl", *PAGES)
UNUSED = "_def.xml"  # definition links, by EDGAR's rule of names
LINKS = (b"labelLink", b"presentationLink", b"calculationLink")
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?", re.ASCII)
LONGEST_WORDS = 500  # characters of a text that may be markup


@dataclass(frozen=True)
class Package:
    """A report with the links that came with it."""

    report: Report
    links: Linkbases


def read_package(source: Path | bytes, file: str | None = None) -> Package:
    """A zip file (or its bytes), a folder, or a single instance."""
    name = file or (source.name if isinstance(source, Path) else "package.zip")
    if isinstance(source, Path) and not source.is_dir():
        source = read_file(source, name)
    if isinstance(source, bytes) and not source.startswith(b"PK"):
        return Package(read_instance(source, name), Linkbases())
    members = {
        member: content
        for member, content in read_members(source, name, SUFFIXES).items()
        if not member.lower().endswith(UNUSED)
    }
    tags = {member: first_tag(content) for member, content in members.items()}
    instances = [member for member, tag in tags.items() if tag == "xbrl"]
    schemas = [parse(members[member], f"{name}/{member}") for member, tag in tags.items() if tag == "schema"]
    linked = [member for member, tag in tags.items() if tag == "linkbase" and _links(members[member])]
    links = [parse(members[member], f"{name}/{member}") for member in linked] + schemas
    if instances:
        largest = max(instances, key=lambda member: len(members[member]))
        root = parse(members[largest], f"{name}/{largest}")
        report, prefixes = _read_root(root, name), _prefixes([root])
    else:
        pages = [parse(members[member], f"{name}/{member}") for member in sorted(members) if tags[member] == "html"]
        pages = [page for page in pages if is_inline(page)]
        if not pages:
            raise InputError(f"{name}: no XBRL instance and no inline XBRL page in it", code="NO_INSTANCE")
        report, prefixes = read_trees(pages, name), _prefixes(pages)
    return Package(report, read_linkbases(links, schemas, prefixes, name))


def read_instance(content: bytes, file: str) -> Report:
    """The facts of one instance document (root xbrli:xbrl)."""
    return _read_root(parse(content, file), file)


def _read_root(root: etree._Element, file: str) -> Report:
    if root.tag != INSTANCE:
        raise InputError(f"{file}: the root is {str(root.tag)[:80]!r}, not an XBRL instance", code="NO_INSTANCE")
    units = read_units(root.iterchildren(UNIT))
    faults: list[str] = []
    facts: list[Fact] = []
    texts: list[Fact] = []
    for fact in _facts(root, read_contexts(root.iterchildren(CONTEXT)), units, faults):
        (texts if fact.unit is None else facts).append(fact)
    checks = (readable_check(faults), same_value_check(facts))
    return identity(file, "xbrl", tuple(facts), tuple(texts), units, (), checks)


def _facts(
    root: etree._Element, contexts: Mapping[str, Context], units: Mapping[str, Unit], faults: list[str]
) -> Iterator[Fact]:
    names: dict[tuple[str, str | None], str] = {}
    for order, element in enumerate(_items(root), 1):
        key = (str(element.tag), element.prefix)
        concept = names.get(key) or names.setdefault(key, _name(element))
        place = element.get("id") or f"{concept}[{order}]"
        text = element.text or ""
        try:
            context = contexts.get(element.get("contextRef", ""))
            if context is None or context.fault is not None:
                raise ValueError(context.fault if context else f"no context {element.get('contextRef')!r}")
            unit, value = _value(element, text, units)
        except ValueError as error:
            faults.append(f"{place}: {error}")
            continue
        if unit is None and len(text) > LONGEST_WORDS and "<" in text:
            continue  # a passage of escaped markup
        decimals = element.get("decimals") or _decimals(element.get("precision"), value)
        period = (context.start, context.end, context.instant)
        yield Fact(concept, value, unit, decimals, *period, context.dimensions, Place(text, None, place))


def _items(root: etree._Element) -> Iterator[etree._Element]:
    """Facts, those inside tuples too; not contexts, units, links and footnotes."""
    for child in root:
        if child.get("contextRef") is not None:
            yield child
        elif len(child) and child.tag not in (CONTEXT, UNIT) and not str(child.tag).startswith(LINK):
            yield from (item for item in child.iter() if item.get("contextRef") is not None)


def _name(element: etree._Element) -> str:
    name = etree.QName(element).localname
    return f"{element.prefix}:{name}" if element.prefix else name


def _value(element: etree._Element, text: str, units: Mapping[str, Unit]) -> tuple[str | None, Decimal | str | None]:
    nil = element.get(NIL) in ("true", "1")
    reference = element.get("unitRef")
    if reference is None:
        if len(element):
            raise ValueError("a fact that holds elements (a fraction or tuple) is not read")
        return None, None if nil else " ".join(text.split())
    unit = units.get(reference)
    if unit is None:
        raise ValueError(f"no unit {reference!r}")
    if nil:
        return unit.name, None
    digits = text.strip()
    if len(digits) > LONGEST_NUMBER or NUMBER.fullmatch(digits) is None:
        raise ValueError(f"no number: {digits[:40]!r}")
    return unit.name, Decimal(digits)


def _decimals(precision: str | None, value: Decimal | str | None) -> str | None:
    """Decimals from the significant digits that older instances state."""
    if precision is None or not isinstance(value, Decimal) or precision.strip() == "INF":
        return precision and precision.strip()
    if not precision.strip().isdecimal() or len(precision) > 4 or int(precision) == 0:
        return None
    return str(int(precision) - value.adjusted() - 1)


def _prefixes(roots: Sequence[etree._Element]) -> dict[str, str]:
    return {space: prefix for root in roots for prefix, space in root.nsmap.items() if prefix}


def _links(content: bytes) -> bool:
    return any(kind in content for kind in LINKS)

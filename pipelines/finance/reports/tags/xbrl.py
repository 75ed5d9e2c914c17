"""XBRL instances and packages (zip or folder): facts, and with them labels, presentation and calculation.

No taxonomy is fetched: a fact says itself what it is, and the package's own linkbases say how it is shown.
Of passages (notes, policies: escaped markup) only the opening is kept, unless `whole` asks for all of it.
"""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import chain
from pathlib import Path

from lxml import etree

from core.errors import InputError
from data.finance.reports import Fact, Place, Report
from pipelines.finance.reports.archive import read_file, read_members
from pipelines.finance.reports.markup import first_tag, parse, to_utf8
from pipelines.finance.reports.tags.contexts import CONTEXT, UNIT, XBRLI, Context, Unit, read_contexts, read_units
from pipelines.finance.reports.tags.identity import identity
from pipelines.finance.reports.tags.inline_parts import is_inline
from pipelines.finance.reports.tags.ixbrl import OPENING, read_trees
from pipelines.finance.reports.tags.linkbases import LINK, Linkbases, read_linkbases
from pipelines.finance.reports.tags.readable import LONGEST_NUMBER, readable_check, same_value_check

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
INSTANCE = f"{XBRLI}xbrl"
PAGES = (".xhtml", ".htm", ".html")
SUFFIXES = (".xml", ".xsd", ".xbrl", *PAGES)
UNUSED = "_def.xml"  # definition links, by EDGAR's rule of names
LINKS = (b"labelLink", b"presentationLink", b"calculationLink")
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?", re.ASCII)
TAG = re.compile(r"<[^<>]*>")
RAW_OPENING = 8 * OPENING  # characters of escaped markup that hold its opening


@dataclass(frozen=True)
class Package:
    """A report, with the schemas and linkbases that came with it."""

    report: Report
    members: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    prefixes: Mapping[str, str] = field(default_factory=dict)  # of the instance, by namespace

    @cached_property
    def links(self) -> Linkbases:
        """Labels, presentation and calculation, read when first asked for. Raises InputError if one is damaged."""
        name = self.report.file
        tags = {member: first_tag(content) for member, content in self.members.items()}
        schemas = [parse(self.members[member], f"{name}/{member}") for member, tag in tags.items() if tag == "schema"]
        linked = [
            member
            for member, tag in tags.items()
            if tag == "linkbase" and _has_links(to_utf8(self.members[member], name))
        ]
        links = chain(schemas, (parse(self.members[member], f"{name}/{member}") for member in linked))  # one at a time
        return read_linkbases(links, schemas, self.prefixes, name)


def read_package(source: Path | bytes, file: str | None = None, whole: bool = False) -> Package:
    """A zip file (or its bytes), a folder, or a single instance."""
    name = file or (source.name if isinstance(source, Path) else "package.zip")
    if isinstance(source, Path) and not source.is_dir():
        source = read_file(source, name)
    if isinstance(source, bytes) and not source.startswith(b"PK"):
        return Package(read_instance(source, name, whole))
    members = read_members(source, name, _wanted)
    tags = {member: first_tag(content) for member, content in members.items()}
    instances = [member for member, tag in tags.items() if tag == "xbrl"]
    if instances:
        largest = max(instances, key=lambda member: len(members[member]))
        report, prefixes = _read_root(parse(members[largest], f"{name}/{largest}"), name, whole)
    else:
        pages = [member for member in sorted(tags) if tags[member] == "html"]
        report, prefixes = _read_pages(members, pages, name, whole)
    linked = {member: content for member, content in members.items() if tags[member] in ("schema", "linkbase")}
    return Package(report, linked, prefixes)


def _read_pages(
    members: Mapping[str, bytes], names: Sequence[str], file: str, whole: bool
) -> tuple[Report, dict[str, str]]:
    pages = [parse(members[name], f"{file}/{name}") for name in names]
    pages = [page for page in pages if is_inline(page)]
    if not pages:
        raise InputError(f"{file}: no XBRL instance and no inline XBRL page in it", code="NO_INSTANCE")
    return read_trees(pages, file, whole), _prefixes(pages)


def read_instance(content: bytes, file: str, whole: bool = False) -> Report:
    """The facts of one instance document (root xbrli:xbrl)."""
    return _read_root(parse(content, file), file, whole)[0]


def _read_root(root: etree._Element, file: str, whole: bool) -> tuple[Report, dict[str, str]]:
    """The report, and the instance's prefixes by namespace."""
    if root.tag != INSTANCE:
        raise InputError(f"{file}: the root is {str(root.tag)[:80]!r}, not an XBRL instance", code="NO_INSTANCE")
    units = read_units(root.iterchildren(UNIT))
    faults: list[str] = []
    facts: list[Fact] = []
    texts: list[Fact] = []
    contexts = read_contexts(root.iterchildren(CONTEXT))
    for fact in _facts(root, contexts, units, faults, whole):
        (texts if fact.unit is None else facts).append(fact)
    checks = (readable_check(faults), same_value_check(facts))
    return identity(file, "xbrl", tuple(facts), tuple(texts), units, (), checks), _prefixes([root])


def _facts(
    root: etree._Element, contexts: Mapping[str, Context], units: Mapping[str, Unit], faults: list[str], whole: bool
) -> Iterator[Fact]:
    names: dict[str, str] = {}
    for order, element in enumerate(_items(root), 1):
        get, tag = element.get, str(element.tag)
        concept = names.get(tag) or names.setdefault(tag, _name(element))
        place = get("id") or f"{concept}[{order}]"
        text = _passage(element.text or "", whole)
        context = contexts.get(get("contextRef", ""))
        try:
            if context is None or context.fault is not None:
                raise ValueError(context.fault if context else f"no context {get('contextRef')!r}")
            unit, value = _value(element, text, units)
        except ValueError as error:
            faults.append(f"{place}: {error}")
            continue
        yield Fact(
            concept,
            value,
            unit,
            get("decimals") or _decimals(get("precision"), value),
            context.start,
            context.end,
            context.instant,
            context.dimensions,
            Place(text, None, place),
        )


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
    nil = not text and element.get(NIL) in ("true", "1")
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


def _passage(text: str, whole: bool) -> str:
    """The words of escaped markup, or the text itself."""
    if "<" not in text:
        return text
    part = text if whole or len(text) <= RAW_OPENING else text[:RAW_OPENING].rpartition("<")[0]
    words = " ".join(html.unescape(TAG.sub(" ", part)).split())
    return words if whole or (part is text and len(words) <= OPENING) else words[:OPENING] + "…"


def _decimals(precision: str | None, value: Decimal | str | None) -> str | None:
    """Decimals from the significant digits that older instances state."""
    if precision is None or not isinstance(value, Decimal) or precision.strip() == "INF":
        return precision and precision.strip()
    if not precision.strip().isdecimal() or len(precision) > 4 or int(precision) == 0:
        return None
    return str(int(precision) - value.adjusted() - 1)


def _prefixes(roots: Sequence[etree._Element]) -> dict[str, str]:
    return {space: prefix for root in roots for prefix, space in root.nsmap.items() if prefix}


def _wanted(name: str) -> bool:
    return name.endswith(SUFFIXES) and not name.endswith(UNUSED)


def _has_links(content: bytes) -> bool:
    return any(kind in content for kind in LINKS)

"""Linkbases of an XBRL package: what concepts are called, in which order they are shown, how they add up.

Only what the package itself holds; no taxonomy is fetched.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import NamedTuple
from urllib.parse import unquote

from lxml import etree

from core.errors import InputError

LINK = "{http://www.xbrl.org/2003/linkbase}"
XLINK = "{http://www.w3.org/1999/xlink}"
SCHEMA = "{http://www.w3.org/2001/XMLSchema}"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
LABEL_LINK, PRESENTATION_LINK, CALCULATION_LINK = (
    f"{LINK}labelLink",
    f"{LINK}presentationLink",
    f"{LINK}calculationLink",
)
LOCATOR, LABEL = f"{LINK}loc", f"{LINK}label"
ARCS = {
    LABEL_LINK: f"{LINK}labelArc",
    PRESENTATION_LINK: f"{LINK}presentationArc",
    CALCULATION_LINK: f"{LINK}calculationArc",
}
FROM, TO, NAME, HREF, ROLE = f"{XLINK}from", f"{XLINK}to", f"{XLINK}label", f"{XLINK}href", f"{XLINK}role"
DOCUMENTATION = "documentation"  # the label role of definitions: whole paragraphs
MAX_ROWS = 200_000  # of labels or of one shown tree


@dataclass(frozen=True, slots=True)
class Shown:
    """One row of a presentation: at `depth` under `parent`, called by the label of role `label_role`."""

    concept: str
    parent: str | None
    depth: int
    label_role: str | None


@dataclass(frozen=True, slots=True)
class Term:
    """`total` contains `weight` times `part`."""

    total: str
    part: str
    weight: Decimal


@dataclass(frozen=True)
class Linkbases:
    """Roles are whole addresses; label roles only their last part (label, terseLabel, totalLabel, negatedLabel)."""

    roles: Mapping[str, str] = field(default_factory=dict)  # role -> "0000002 - Statement - BALANCE SHEETS"
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # concept -> label role -> words
    presentation: Mapping[str, tuple[Shown, ...]] = field(default_factory=dict)  # role -> rows as shown
    calculation: Mapping[str, tuple[Term, ...]] = field(default_factory=dict)  # role -> sums

    def label(self, concept: str, role: str | None = None) -> str | None:
        """What a concept is called: by the role asked for, else by its standard label, else by any."""
        words = self.labels.get(concept, {})
        return words.get(role or "label") or words.get("label") or next(iter(words.values()), None)


class _Arc(NamedTuple):
    source: str
    target: str
    order: float
    priority: int
    prohibited: bool
    label_role: str | None
    weight: str | None


def read_linkbases(
    links: Iterable[etree._Element], schemas: Sequence[etree._Element], prefixes: Mapping[str, str], file: str
) -> Linkbases:
    """All links of a package; `prefixes` are the instance's, by namespace."""
    concepts = _own_concepts(schemas, prefixes)
    labels: dict[str, dict[str, str]] = {}
    shown: dict[str, list[_Arc]] = defaultdict(list)
    summed: dict[str, list[_Arc]] = defaultdict(list)
    for link in (link for root in links for link in root.iter(*ARCS)):
        places = {
            locator.get(NAME, ""): _concept(locator.get(HREF, ""), concepts) for locator in link.iterchildren(LOCATOR)
        }
        if link.tag == LABEL_LINK:
            _add_labels(labels, link, places, file)
        else:
            arcs = (shown if link.tag == PRESENTATION_LINK else summed)[link.get(ROLE, "")]
            arcs.extend(_arcs(link, places))
    return Linkbases(
        roles=_roles(schemas),
        labels=labels,
        presentation={role: _rows(_standing(arcs), file) for role, arcs in shown.items()},
        calculation={role: tuple(_terms(_standing(arcs))) for role, arcs in summed.items()},
    )


def _own_concepts(schemas: Iterable[etree._Element], prefixes: Mapping[str, str]) -> dict[str, str]:
    """The package's own concepts by the id that locators point to."""
    concepts: dict[str, str] = {}
    for schema in schemas:
        prefix = prefixes.get(schema.get("targetNamespace", ""))
        for element in schema.iterchildren(f"{SCHEMA}element"):
            name, identifier = element.get("name"), element.get("id")
            if prefix is not None and name and identifier:
                concepts[identifier] = f"{prefix}:{name}"
    return concepts


def _concept(href: str, concepts: Mapping[str, str]) -> str:
    """us-gaap:Assets from ...us-gaap-2024.xsd#us-gaap_Assets."""
    identifier = href.rpartition("#")[2]
    if "%" in identifier:
        identifier = unquote(identifier)
    return concepts.get(identifier) or identifier.replace("_", ":", 1)


def _roles(schemas: Iterable[etree._Element]) -> dict[str, str]:
    return {
        role.get("roleURI", ""): " ".join((role.findtext(f"{LINK}definition") or "").split())
        for schema in schemas
        for role in schema.iter(f"{LINK}roleType")
    }


def _add_labels(labels: dict[str, dict[str, str]], link: etree._Element, places: Mapping[str, str], file: str) -> None:
    """English wins where a concept is named in several languages; else the first."""
    named: dict[str, list[tuple[str, str, bool]]] = defaultdict(list)
    for resource in link.iterchildren(LABEL):
        role = (resource.get(ROLE) or "label").rpartition("/")[2]
        text = "".join(map(str, resource.itertext())) if len(resource) else resource.text or ""
        named[resource.get(NAME, "")].append((role, text, (resource.get(LANGUAGE) or "").startswith("en")))
    rows = 0
    for arc in link.iterchildren(ARCS[LABEL_LINK]):
        concept = places.get(arc.get(FROM, ""))
        if concept is None or arc.get("use") == "prohibited":
            continue
        words = labels.setdefault(concept, {})
        for role, text, english in named.get(arc.get(TO, ""), ()):
            rows += 1
            if rows > MAX_ROWS:
                raise InputError(f"{file}: more than {MAX_ROWS} labels in one link; refused", code="TOO_LARGE")
            if english or role not in words:
                words[role] = text.strip() if role == DOCUMENTATION else " ".join(text.split())


def _arcs(link: etree._Element, places: Mapping[str, str]) -> list[_Arc]:
    arcs: list[_Arc] = []
    for arc in link.iterchildren(ARCS[str(link.tag)]):
        get = arc.get
        source, target = places.get(get(FROM, "")), places.get(get(TO, ""))
        if source is None or target is None:
            continue
        role, priority = get("preferredLabel"), get("priority")
        arcs.append(
            _Arc(
                source,
                target,
                _number(get("order"), 1.0),
                int(_number(priority, 0.0)) if priority else 0,
                get("use") == "prohibited",
                role.rpartition("/")[2] if role else None,
                get("weight"),
            )
        )
    return arcs


def _number(text: str | None, otherwise: float) -> float:
    try:
        number = float(text) if text else otherwise
    except ValueError:
        return otherwise
    return number if abs(number) < 1e9 else otherwise


def _standing(arcs: Sequence[_Arc]) -> list[_Arc]:
    """Without the arcs that are prohibited by one of the same or a higher priority."""
    barred: dict[tuple[str, str], int] = {}
    for arc in arcs:
        if arc.prohibited:
            pair = (arc.source, arc.target)
            barred[pair] = max(arc.priority, barred.get(pair, arc.priority))
    if not barred:
        return list(arcs)
    return [arc for arc in arcs if not arc.prohibited and arc.priority > barred.get((arc.source, arc.target), -1)]


def _rows(arcs: Sequence[_Arc], file: str) -> tuple[Shown, ...]:
    """The tree from its roots down, children by their order; a circle is entered only once."""
    children: dict[str, list[_Arc]] = defaultdict(list)
    for arc in arcs:
        children[arc.source].append(arc)
    for siblings in children.values():
        siblings.sort(key=lambda arc: arc.order)
    targets = {arc.target for arc in arcs}
    rows: list[Shown] = []
    cap = min(MAX_ROWS, 10 * len(arcs) + 1000)
    for root in (source for source in children if source not in targets):
        waiting: list[tuple[Shown, frozenset[str]]] = [(Shown(root, None, 0, None), frozenset())]
        while waiting:
            row, above = waiting.pop()
            rows.append(row)
            if len(rows) > cap:
                raise InputError(f"{file}: a presentation of more than {cap} rows; refused", code="TOO_LARGE")
            below = children.get(row.concept)
            if below is None:
                continue
            path = above | {row.concept}
            waiting.extend(
                (Shown(arc.target, row.concept, row.depth + 1, arc.label_role), path)
                for arc in reversed(below)
                if arc.target not in path
            )
    return tuple(rows)


def _terms(arcs: Sequence[_Arc]) -> Iterable[Term]:
    for arc in sorted(arcs, key=lambda arc: arc.order):
        try:
            weight = Decimal(arc.weight or "1")
        except InvalidOperation:
            continue
        if weight.is_finite():
            yield Term(arc.source, arc.target, weight)

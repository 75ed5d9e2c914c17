"""The elements of inline XBRL in a set of documents, found in one walk over each, and the text of facts.

A fact's text may be continued elsewhere and may have parts excluded; its markup is left out.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from lxml import etree

from pipelines.finance.reports.tags.contexts import CONTEXT, UNIT

SPACES = ("http://www.xbrl.org/2013/inlineXBRL", "http://www.xbrl.org/2008/inlineXBRL")
NUMBER, WORDS, FRACTION, EXCLUDE, CONTINUATION = "nonFraction", "nonNumeric", "fraction", "exclude", "continuation"
KINDS = {f"{{{space}}}{kind}": kind for space in SPACES for kind in (NUMBER, WORDS, FRACTION, EXCLUDE, CONTINUATION)}
KINDS |= {CONTEXT: CONTEXT, UNIT: UNIT}
XHTML = "{http://www.w3.org/1999/xhtml}"
BLOCKS = ("p", "div", "tr", "td", "th", "li", "br", "h1", "h2", "h3", "h4", "h5", "h6", "table", "hr")
BREAKS = frozenset(XHTML + name for name in BLOCKS)


def is_inline(root: etree._Element) -> bool:
    """Whether any fact is tagged in the document."""
    return next(root.iter(*(tag for tag, kind in KINDS.items() if kind in (NUMBER, WORDS))), None) is not None


class InlineParts:
    """All elements that matter, by kind, in the order of the documents."""

    def __init__(self, roots: Sequence[etree._Element]) -> None:
        self._by_kind: dict[str, list[etree._Element]] = defaultdict(list)
        for root in roots:
            for element in root.iter(*KINDS):
                self._by_kind[KINDS[element.tag]].append(element)
        self._excluded = frozenset(self._by_kind[EXCLUDE])
        self._continuations = {part.get("id"): part for part in self._by_kind[CONTINUATION]}

    def of_kind(self, kind: str) -> Sequence[etree._Element]:
        """The elements of one kind: NUMBER, WORDS, FRACTION, CONTEXT or UNIT."""
        return self._by_kind[kind]

    def text(self, element: etree._Element, spaced: bool = False) -> str:
        """The text with all continuations; `spaced` keeps blocks and cells apart."""
        if element.get("continuedAt") is None:
            return self._own_text(element, spaced)
        return ("\n" if spaced else "").join(self._own_text(part, spaced) for part in self._chain(element))

    def opening(self, element: etree._Element, length: int) -> str:
        """About the first `length` characters of a passage, in words with single spaces; "…" ends what goes on."""
        pieces: list[str] = []
        size = 0
        for part in self._chain(element):
            for piece in self._pieces(part, True) if self._excluded else part.itertext():
                words = " ".join(str(piece).split())
                if words:
                    pieces.append(words)
                    size += len(words) + 1
                if size > length:
                    return " ".join(pieces)[:length] + "…"
        return " ".join(pieces)

    def _chain(self, element: etree._Element) -> Iterator[etree._Element]:
        """An element and those that continue it; a chain that runs in a circle ends."""
        seen: set[etree._Element] = set()
        part: etree._Element | None = element
        while part is not None and part not in seen:
            seen.add(part)
            yield part
            part = self._continuations.get(part.get("continuedAt") or "")

    def _own_text(self, element: etree._Element, spaced: bool) -> str:
        if not len(element):
            return element.text or ""
        if not self._excluded and not spaced:
            return "".join(map(str, element.itertext()))
        return "".join(self._pieces(element, spaced))

    def _pieces(self, element: etree._Element, spaced: bool) -> Iterator[str]:
        """Texts and tails in the order of the document, without what ix:exclude covers."""
        covered: etree._Element | None = None
        for event, part in etree.iterwalk(element, events=("start", "end")):
            if event == "start":
                if covered is None and part in self._excluded:
                    covered = part
                if covered is None and isinstance(part.tag, str):
                    yield "\n" if spaced and part.tag in BREAKS else ""
                    yield part.text or ""
            else:
                covered = None if covered is part else covered
                if covered is None and part is not element:
                    yield "\n" if spaced and part.tag in BREAKS else ""
                    yield part.tail or ""

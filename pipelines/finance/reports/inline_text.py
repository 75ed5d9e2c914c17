"""The text of inline facts: continued elsewhere, parts excluded, markup left out."""

from collections.abc import Sequence
from itertools import chain

from lxml import etree

SPACES = ("http://www.xbrl.org/2013/inlineXBRL", "http://www.xbrl.org/2008/inlineXBRL")
EXCLUDE = [f"{{{space}}}exclude" for space in SPACES]
CONTINUATION = [f"{{{space}}}continuation" for space in SPACES]
BLOCKS = frozenset(("p", "div", "tr", "td", "th", "li", "br", "h1", "h2", "h3", "h4", "h5", "h6", "table", "hr"))
XHTML = "{http://www.w3.org/1999/xhtml}"
BREAKS = frozenset(XHTML + name for name in BLOCKS)


class InlineText:
    """Text of elements in a set of documents; continuations are indexed when the first is asked for."""

    def __init__(self, roots: Sequence[etree._Element]) -> None:
        self.roots = roots
        self.excludes = any(next(root.iter(*EXCLUDE), None) is not None for root in roots)
        self._continuations: dict[str, etree._Element] | None = None

    def of(self, element: etree._Element, spaced: bool = False) -> str:
        """The text with all continuations; `spaced` keeps blocks and cells apart."""
        text = self._own(element, spaced)
        following = element.get("continuedAt")
        if following is None:
            return text
        parts, seen = [text], {element}
        while following is not None:
            part = self._all_continuations().get(following)
            if part is None or part in seen:
                break  # the chain ends, or runs in a circle
            seen.add(part)
            parts.append(self._own(part, spaced))
            following = part.get("continuedAt")
        return ("\n" if spaced else "").join(parts)

    def _own(self, element: etree._Element, spaced: bool) -> str:
        if not len(element):
            return element.text or ""
        if not self.excludes and not spaced:
            return "".join(map(str, element.itertext()))
        return "".join(_pieces(element, spaced))

    def _all_continuations(self) -> dict[str, etree._Element]:
        if self._continuations is None:
            parts = chain.from_iterable(root.iter(*CONTINUATION) for root in self.roots)
            self._continuations = {part.get("id", ""): part for part in parts}
        return self._continuations


def _pieces(element: etree._Element, spaced: bool) -> list[str]:
    """Texts and tails in the order of the document, without what ix:exclude covers."""
    pieces: list[str] = []
    covered: etree._Element | None = None
    for event, part in etree.iterwalk(element, events=("start", "end")):
        if event == "start":
            if covered is None and part.tag in EXCLUDE:
                covered = part
            if covered is None:
                pieces.append("\n" if spaced and part.tag in BREAKS else "")
                pieces.append(part.text or "" if isinstance(part.tag, str) else "")
        else:
            if covered is part:
                covered = None
            if covered is None and part is not element:
                pieces.append(part.tail or "")
    return pieces

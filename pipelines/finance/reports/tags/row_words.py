"""What the row is called in which a tagged number stands: the first cell of its table row that holds words."""

from collections.abc import Callable, Sequence
from itertools import chain

from lxml import etree

from data.finance.reports import Fact
from pipelines.finance.reports.tags.inline_parts import KINDS, NUMBER

LONGEST = 300  # characters of a heading
MOST_LEVELS = 40  # between a number and its row
NUMBERS = [tag for tag, kind in KINDS.items() if kind == NUMBER]


def row_words(roots: Sequence[etree._Element]) -> Callable[[Fact], str]:
    """A function that gives the heading of a fact's row in these pages, "" where there is none."""
    elements: dict[str, etree._Element] = {}
    for order, element in enumerate(chain.from_iterable(root.iter(*NUMBERS) for root in roots), 1):
        elements.setdefault(element.get("id") or f"nonFraction[{order}]", element)
    return lambda fact: _heading(elements.get(fact.source.element or ""))


def _heading(element: etree._Element | None) -> str:
    row = element
    for _ in range(MOST_LEVELS):
        if row is None or str(row.tag).rpartition("}")[2] == "tr":
            break
        row = row.getparent()
    else:
        return ""
    if row is None:
        return ""
    for cell in row:
        words = " ".join("".join(map(str, cell.itertext())).split())
        if any(mark.isalpha() for mark in words):
            return words[:LONGEST]
    return ""

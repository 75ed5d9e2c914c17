"""Inline XBRL (10-K, 10-Q, ESEF and others): every fact that a page carries, with its value, period and place.

One parse, then only elements of the inline namespaces are looked at; contexts and units are resolved once.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain

from lxml import etree

from core.errors import InputError
from data.finance.reports import Check, Fact, Place, Report
from pipelines.finance.reports.contexts import Context, Unit, read_contexts, read_units
from pipelines.finance.reports.identity import identity
from pipelines.finance.reports.inline_text import InlineText
from pipelines.finance.reports.markup import parse
from pipelines.finance.reports.readable import LONGEST_NUMBER, readable_check, same_value_check
from pipelines.finance.reports.transforms import plain_number, transform

INLINE = ("http://www.xbrl.org/2013/inlineXBRL", "http://www.xbrl.org/2008/inlineXBRL")
NUMBERS = [f"{{{space}}}nonFraction" for space in INLINE]
WORDS = [f"{{{space}}}nonNumeric" for space in INLINE]
FRACTIONS = [f"{{{space}}}fraction" for space in INLINE]
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
TRUE = ("true", "1")
LARGEST_SCALE = 30


def read_ixbrl(content: bytes, file: str) -> Report:
    """All facts of one inline document. Raises InputError for what is not one."""
    return read_trees([parse(content, file)], file)


def read_tree(root: etree._Element, file: str) -> Report:
    """The same for a document that is parsed already."""
    return read_trees([root], file)


def is_inline(root: etree._Element) -> bool:
    """Whether any fact is tagged in the document."""
    return next(root.iter(*NUMBERS, *WORDS), None) is not None


def read_trees(roots: Sequence[etree._Element], file: str) -> Report:
    """All facts of documents that share their contexts and units, as the parts of one report may."""
    if not any(is_inline(root) for root in roots):
        raise InputError(f"{file}: no inline XBRL facts; give a 10-K, 10-Q or ESEF page", code="NOT_INLINE")
    reader = _Reader(roots)
    facts = tuple(reader.numbers())
    texts = tuple(reader.words(blocks=False))
    reader.note_fractions()
    languages = [root.get("{http://www.w3.org/XML/1998/namespace}lang") or root.get("lang") or "" for root in roots]
    checks: tuple[Check, ...] = (readable_check(reader.faults), same_value_check(facts))
    return identity(file, "ixbrl", facts, texts, reader.units, languages, checks)


def text_blocks(roots: Sequence[etree._Element]) -> tuple[Fact, ...]:
    """The tagged passages (notes, policies, tables), which `read_ixbrl` leaves out: with their plain text."""
    return tuple(_Reader(roots).words(blocks=True))


class _Reader:
    """One pass over the documents' facts; `faults` collects what could not be read, and why."""

    def __init__(self, roots: Sequence[etree._Element]) -> None:
        self.roots = roots
        self.contexts: Mapping[str, Context] = read_contexts(roots)
        self.units: Mapping[str, Unit] = read_units(roots)
        self.text = InlineText(roots)
        self.faults: list[str] = []
        self.formats: dict[str, tuple[str, str]] = {}
        self.amounts: dict[tuple[str, str | None, str | None, str | None], Decimal] = {}

    def numbers(self) -> Iterator[Fact]:
        """Every ix:nonFraction, in the order of the document; a nil one has no value."""
        for order, element in enumerate(chain.from_iterable(root.iter(*NUMBERS) for root in self.roots), 1):
            place = element.get("id") or f"nonFraction[{order}]"
            written = (element.text or "") if not len(element) else self.text.of(element)
            try:
                context = self._context(element)
                unit = self.units.get(element.get("unitRef", ""))
                if unit is None:
                    raise ValueError(f"no unit {element.get('unitRef')!r}")
                value = None if element.get(NIL) in TRUE else self._amount(element, written)
                name = _name(element)
            except ValueError as error:
                self.faults.append(f"{place}: {error}")
                continue
            yield Fact(
                name,
                value,
                unit.name,
                element.get("decimals"),
                context.start,
                context.end,
                context.instant,
                context.dimensions,
                Place(written, None, place),
            )

    def words(self, blocks: bool) -> Iterator[Fact]:
        """Every ix:nonNumeric that is a passage (escaped markup), or every one that is not."""
        for order, element in enumerate(chain.from_iterable(root.iter(*WORDS) for root in self.roots), 1):
            if (element.get("escape", "false").strip() in TRUE) != blocks:
                continue
            place = element.get("id") or f"nonNumeric[{order}]"
            written = self.text.of(element, blocks)
            try:
                context = self._context(element)
                name = _name(element)
                value = None if element.get(NIL) in TRUE else self._words(element, written)
            except ValueError as error:
                self.faults.append(f"{place}: {error}")
                continue
            period = (context.start, context.end, context.instant)
            yield Fact(name, value, None, None, *period, context.dimensions, Place(written, None, place))

    def note_fractions(self) -> None:
        """Fractions have no exact decimal; they are left out, and said to be."""
        for element in chain.from_iterable(root.iter(*FRACTIONS) for root in self.roots):
            self.faults.append(f"{element.get('id') or element.get('name')}: an ix:fraction is not read")

    def _context(self, element: etree._Element) -> Context:
        context = self.contexts.get(element.get("contextRef", ""))
        if context is None:
            raise ValueError(f"no context {element.get('contextRef')!r}")
        if context.fault is not None:
            raise ValueError(context.fault)
        return context

    def _amount(self, element: etree._Element, written: str) -> Decimal:
        key = (written, element.get("format"), element.get("scale"), element.get("sign"))
        amount = self.amounts.get(key)
        if amount is None:
            amount = self.amounts[key] = self._new_amount(element, *key)
        return amount

    def _new_amount(
        self, element: etree._Element, written: str, form: str | None, scale: str | None, sign: str | None
    ) -> Decimal:
        if len(written) > LONGEST_NUMBER:
            raise ValueError(f"a number of {len(written)} characters; at most {LONGEST_NUMBER} are read")
        digits = plain_number(written) if form is None else transform(*self._format(element, form), written)
        power = int(scale) if scale else 0
        if abs(power) > LARGEST_SCALE:
            raise ValueError(f"scale {power}; allowed are -{LARGEST_SCALE} to {LARGEST_SCALE}")
        if sign not in (None, "", "-"):
            raise ValueError(f"sign {sign!r}; allowed is -")
        number = Decimal(f"{digits}E{power}")
        return number.copy_negate() if sign == "-" and number else number

    def _words(self, element: etree._Element, written: str) -> str:
        form = element.get("format")
        if form is None:
            return " ".join(written.split())
        return transform(*self._format(element, form), written)

    def _format(self, element: etree._Element, form: str) -> tuple[str, str]:
        """The registry and the name of a transformation; its prefix is resolved once, from the first that uses it."""
        found = self.formats.get(form)
        if found is None:
            prefix, _, name = form.strip().rpartition(":")
            found = self.formats[form] = (element.nsmap.get(prefix, ""), name)
        return found


def _name(element: etree._Element) -> str:
    name = element.get("name", "").strip()
    if not name:
        raise ValueError("a fact without the name of its concept")
    return name

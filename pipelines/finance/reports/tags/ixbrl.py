"""Inline XBRL (10-K, 10-Q, ESEF and others): every fact that a page carries, with its value, period and place.

One parse and one walk; contexts and units are resolved once. Of passages (notes, policies: escaped markup) only the
opening is kept, unless `whole` asks for all of it.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from lxml import etree

from core.errors import InputError
from data.finance.reports import Check, Fact, Place, Report
from pipelines.finance.reports.markup import parse
from pipelines.finance.reports.tags.contexts import CONTEXT, UNIT, Context, read_contexts, read_units
from pipelines.finance.reports.tags.identity import identity
from pipelines.finance.reports.tags.inline_parts import FRACTION, NUMBER, WORDS, InlineParts, is_inline
from pipelines.finance.reports.tags.readable import LONGEST_NUMBER, readable_check, same_value_check
from pipelines.finance.reports.tags.transforms import plain_number, transform

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
TRUE = ("true", "1")
LARGEST_SCALE = 30
WHOLE_NUMBER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
OPENING = 300  # characters that are kept of a passage
Written = tuple[str, str | None, str | None, str | None]  # text, format, scale, sign


def read_ixbrl(content: bytes, file: str, whole: bool = False) -> Report:
    """All facts of one inline document. Raises InputError for what is not one."""
    return read_trees([parse(content, file)], file, whole)


def read_tree(root: etree._Element, file: str, whole: bool = False) -> Report:
    """The same for a document that is parsed already (by `markup.parse`)."""
    return read_trees([root], file, whole)


def read_trees(roots: Sequence[etree._Element], file: str, whole: bool = False) -> Report:
    """All facts of documents that share their contexts and units, as the parts of one report may."""
    if not any(is_inline(root) for root in roots):
        raise InputError(f"{file}: no inline XBRL facts; give a 10-K, 10-Q or ESEF page", code="NOT_INLINE")
    reader = _Reader(roots)
    facts = tuple(reader.numbers())
    texts = tuple(reader.words(whole))
    reader.note_fractions()
    languages = [root.get(LANGUAGE) or root.get("lang") or "" for root in roots]
    checks: tuple[Check, ...] = (readable_check(reader.faults), same_value_check(facts))
    return identity(file, "ixbrl", facts, texts, reader.units, languages, checks)


class _Reader:
    """Facts of the documents; `faults` collects what could not be read, and why."""

    def __init__(self, roots: Sequence[etree._Element]) -> None:
        self.parts = InlineParts(roots)
        self.contexts = read_contexts(self.parts.of_kind(CONTEXT))
        self.units = read_units(self.parts.of_kind(UNIT))
        self.faults: list[str] = []
        self._formats: dict[str, tuple[str, str]] = {}
        self._amounts: dict[Written, Decimal] = {}

    def numbers(self) -> Iterator[Fact]:
        """Every ix:nonFraction, in the order of the document; a nil one has no value."""
        contexts, units, text_of, amounts = self.contexts, self.units, self.parts.text, self._amounts
        for order, element in enumerate(self.parts.of_kind(NUMBER), 1):
            get = element.get
            name, unit, context = get("name"), units.get(get("unitRef", "")), contexts.get(get("contextRef", ""))
            place = get("id") or f"nonFraction[{order}]"
            text = text_of(element) if len(element) else element.text or ""
            value: Decimal | None
            if not name or unit is None or context is None or context.fault is not None:
                self.faults.append(f"{place}: {_lacking(element, context)}")
                continue
            if not text[-1:].isdigit() and get(NIL) in TRUE:
                value = None
            else:
                written = (text, get("format"), get("scale"), get("sign"))
                value = amounts.get(written)
                if value is None:
                    try:
                        value = amounts[written] = self._amount(element, *written)
                    except ValueError as error:
                        self.faults.append(f"{place}: {error}")
                        continue
            yield Fact(
                name,
                value,
                unit.name,
                get("decimals"),
                context.start,
                context.end,
                context.instant,
                context.dimensions,
                Place(text, None, place),
            )

    def words(self, whole: bool) -> Iterator[Fact]:
        """Every ix:nonNumeric, in the order of the document."""
        for order, element in enumerate(self.parts.of_kind(WORDS), 1):
            place = element.get("id") or f"nonNumeric[{order}]"
            name, context = element.get("name"), self.contexts.get(element.get("contextRef", ""))
            if not name or context is None or context.fault is not None:
                self.faults.append(f"{place}: {_lacking(element, context)}")
                continue
            text, value = self._words(element, whole, place)
            period = (context.start, context.end, context.instant)
            yield Fact(name, value, None, None, *period, context.dimensions, Place(text, None, place))

    def note_fractions(self) -> None:
        """Fractions have no exact decimal; they are left out, and said to be."""
        for element in self.parts.of_kind(FRACTION):
            self.faults.append(f"{element.get('id') or element.get('name')}: an ix:fraction is not read")

    def _amount(
        self, element: etree._Element, text: str, form: str | None, scale: str | None, sign: str | None
    ) -> Decimal:
        if len(text) > LONGEST_NUMBER:
            raise ValueError(f"a number of {len(text)} characters; at most {LONGEST_NUMBER} are read")
        digits = plain_number(text) if form is None else transform(*self._format(element, form), text)
        if scale and not WHOLE_NUMBER.fullmatch(scale.strip()):
            raise ValueError(f"scale {scale[:20]!r}; a whole number is allowed, as 3 for thousands")
        power = int(scale) if scale else 0
        if abs(power) > LARGEST_SCALE:
            raise ValueError(f"scale {power}; allowed are -{LARGEST_SCALE} to {LARGEST_SCALE}")
        if sign not in (None, "", "-"):
            raise ValueError(f"sign {sign!r}; allowed is -")
        number = Decimal(f"{digits}E{power}")
        return number.copy_negate() if sign == "-" and number else number

    def _words(self, element: etree._Element, whole: bool, place: str) -> tuple[str, str | None]:
        """The text as written and the value that it stands for; what no format explains stays as written."""
        if element.get("escape") in TRUE:
            words = self.parts.text(element, spaced=True).strip() if whole else self.parts.opening(element, OPENING)
            return words, words
        text = self.parts.text(element)
        if element.get(NIL) in TRUE:
            return text, None
        form = element.get("format")
        if form is not None:
            try:
                return text, transform(*self._format(element, form), text)
            except ValueError as error:
                self.faults.append(f"{place}: {error}; kept as written")
        return text, " ".join(text.split())

    def _format(self, element: etree._Element, form: str) -> tuple[str, str]:
        """The registry and the name of a transformation; its prefix is resolved once, from the first that uses it."""
        found = self._formats.get(form)
        if found is None:
            prefix, _, name = form.strip().rpartition(":")
            found = self._formats[form] = (element.nsmap.get(prefix, ""), name)
        return found


def _lacking(element: etree._Element, context: Context | None) -> str:
    if not element.get("name"):
        return "a fact without the name of its concept"
    if context is None:
        return f"no context {element.get('contextRef')!r}"
    return context.fault or f"no unit {element.get('unitRef')!r}"

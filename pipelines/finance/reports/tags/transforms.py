"""Inline XBRL's transformations: from the text on the page to the value that it stands for.

Registries 1 to 5 of XBRL International and the SEC's. Names are those of registry 4; `OLDER` maps the rest.
Every function returns the value's text, or raises ValueError with the reason.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping

from pipelines.finance.reports.tags.sec_names import listed_name
from pipelines.finance.reports.tags.written_dates import DATE_FORMATS, quarter_end, written_date
from pipelines.finance.reports.tags.written_numbers import duration, number_in_words, written_duration

SEC = "http://www.sec.gov/inlineXBRL/transformation/"
XBRL_ORG = ("http://www.xbrl.org/inlineXBRL/transformation/", "http://www.xbrl.org/2008/inlineXBRL/transformation")
GROUPS = re.compile(r"[\s'’]+")  # what groups digits besides commas
POINT = re.compile(r"\d+\.?\d*|\.\d+", re.ASCII)
WITH_CENTS = re.compile(r"(\d(?:[\d.,\s'’]*\d)?)\s*[^\d\s.,]\D*(?:(\d\d?)\D*)?", re.ASCII)
DASHES = set("-֊־‐‑‒–—―⁻₋−﹘﹣－")
OLDER: Mapping[str, str] = {
    "numdash": "zerodash",
    "numcomma": "num-comma-decimal",
    "numcommadot": "num-dot-decimal",
    "numdotcomma": "num-comma-decimal",
    "numspacecomma": "num-comma-decimal",
    "numspacedot": "num-dot-decimal",
    "numcommadecimal": "num-comma-decimal",
    "numdotdecimal": "num-dot-decimal",
    "numdotdecimalin": "num-dot-decimal",
    "numunitdecimal": "num-unit-decimal",
    "numunitdecimalin": "num-unit-decimal",
    "num-dot-decimal-in": "num-dot-decimal",
    "num-unit-decimal-in": "num-unit-decimal",
    "num-dot-decimal-apos": "num-dot-decimal",
    "num-comma-decimal-apos": "num-comma-decimal",
    "num-unit-decimal-apos": "num-unit-decimal",
    "booleantrue": "fixed-true",
    "booleanfalse": "fixed-false",
    "nocontent": "fixed-empty",
}


def transform(registry: str, name: str, text: str) -> str:
    """The value of `text` under the transformation `name` of a registry (its namespace).

    >>> transform(XBRL_ORG[0] + "2020-02-12", "num-dot-decimal", "1,234.50")
    '1234.50'
    """
    if registry.startswith(SEC):
        return _known(SEC_FORMATS, name, "SEC's registry")(text)
    if not registry.startswith(XBRL_ORG):
        raise ValueError(f"no known registry of transformations: {registry[:80] or 'none'}")
    name = OLDER.get(name, name)
    if name in DATE_FORMATS:
        return written_date(text, DATE_FORMATS[name])
    return _known(FORMATS, name, "registries 1 to 5")(text)


def plain_number(text: str) -> str:
    """A number without a transformation: as XML Schema writes a decimal."""
    digits = text.strip()
    if POINT.fullmatch(digits.lstrip("+-")) is None or len(digits) - len(digits.lstrip("+-")) > 1:
        raise ValueError(f"no decimal number: {text.strip()[:40]!r}")
    return digits


def _known(formats: Mapping[str, Callable[[str], str]], name: str, registry: str) -> Callable[[str], str]:
    if name not in formats:
        raise ValueError(f"no transformation {name[:40]!r} in the {registry}")
    return formats[name]


def num_dot_decimal(text: str) -> str:
    """The point is decimal; commas, spaces and apostrophes group.

    >>> num_dot_decimal(" 1 234 567.8")
    '1234567.8'
    """
    digits = text.replace(",", "").strip()
    if POINT.fullmatch(digits) is not None:
        return digits
    digits = GROUPS.sub("", _ascii(digits).replace(",", ""))
    if POINT.fullmatch(digits) is None:
        raise ValueError(f"no number with a decimal point: {text.strip()[:40]!r}")
    return digits


def num_comma_decimal(text: str) -> str:
    """The comma is decimal; points, spaces and apostrophes group.

    >>> num_comma_decimal("1.234.567,8")
    '1234567.8'
    """
    return num_dot_decimal(_ascii(text).replace(".", "").replace(",", "."))


def num_unit_decimal(text: str) -> str:
    """Whole and hundredth units named in words or signs.

    >>> num_unit_decimal("1,234 dollars 5 cents")
    '1234.05'
    """
    found = WITH_CENTS.fullmatch(_ascii(text.strip()[:100]))
    if found is None:
        raise ValueError(f"no number with units: {text.strip()[:40]!r}")
    whole = re.sub(r"\D", "", found[1])
    return f"{whole}.{found[2].zfill(2)}" if found[2] else whole


def zero_dash(text: str) -> str:
    """A dash stands for nought."""
    if not set(text.strip()) or not set(text.strip()) <= DASHES:
        raise ValueError(f"no dash: {text.strip()[:40]!r}")
    return "0"


def ballot_box(text: str) -> str:
    """An empty or a ticked box."""
    boxes = {"☐": "false", "☑": "true", "☒": "true", "\uf0a8": "false", "\uf0fe": "true", "\uf0fd": "true"}
    if text.strip() not in boxes:
        raise ValueError(f"no ballot box: {text.strip()[:40]!r}")
    return boxes[text.strip()]


def _ascii(text: str) -> str:
    """Digits of any script and full-width signs as ASCII."""
    return text if text.isascii() else "".join(map(_ascii_character, text))


def _ascii_character(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    return {"，": ",", "．": ".", "٫": ".", "٬": ","}.get(character, character)


FORMATS: Mapping[str, Callable[[str], str]] = {
    "num-dot-decimal": num_dot_decimal,
    "num-comma-decimal": num_comma_decimal,
    "num-unit-decimal": num_unit_decimal,
    "zerodash": zero_dash,
    "fixed-zero": lambda text: "0",
    "fixed-true": lambda text: "true",
    "fixed-false": lambda text: "false",
    "fixed-empty": lambda text: "",
}
SEC_FORMATS: Mapping[str, Callable[[str], str]] = {
    "duryear": lambda text: duration(num_dot_decimal_signed(text), "Y"),
    "durmonth": lambda text: duration(num_dot_decimal_signed(text), "M"),
    "durweek": lambda text: duration(num_dot_decimal_signed(text), "W"),
    "durday": lambda text: duration(num_dot_decimal_signed(text), "D"),
    "durhour": lambda text: duration(num_dot_decimal_signed(text), "H"),
    "durwordsen": written_duration,
    "numwordsen": number_in_words,
    "datequarterend": quarter_end,
    "boolballotbox": ballot_box,
    "exchnameen": lambda text: listed_name("exchange", text),
    "stateprovnameen": lambda text: listed_name("state", text),
    "countrynameen": lambda text: listed_name("country", text),
    "edgarprovcountryen": lambda text: listed_name("edgar", text),
    "entityfilercategoryen": lambda text: listed_name("filer", text),
}


def num_dot_decimal_signed(text: str) -> str:
    """A number of a duration, which may be negative."""
    stripped = text.strip()
    return "-" + num_dot_decimal(stripped[1:]) if stripped[:1] in ("-", "−") else num_dot_decimal(stripped)

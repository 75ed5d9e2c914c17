"""Numbers as statements print them: grouped, in parentheses, full-width, with a dash for nothing.

>>> read_number("(1,234)"), read_number("－１，２３４．５"), read_number("1,234-"), read_number("—")
(Decimal('-1234'), Decimal('-1234.5'), Decimal('-1234'), Decimal('0'))
>>> read_number("七、1") is None, read_number("12.5%") is None, read_number("12,34") is None
(True, True, True)
"""

import re
from decimal import Decimal

LONGEST = 60  # characters; longer is no number of a statement
_WIDE = dict(zip("０１２３４５６７８９，﹐．﹒（）＄％＋￥’", "0123456789,,..()$%+¥'", strict=True))
_MINUS = dict.fromkeys("−–—―－﹣‐‑‒─━ー", "-")
_BLANK = dict.fromkeys("\xa0\u2009\u202f\u3000\t\r\n", " ") | dict.fromkeys("\u200b\ufeff\u2060", "")
_PLAIN = str.maketrans(_WIDE | _MINUS | _BLANK)
_CURRENCY = r"(?:US\$|HK\$|C\$|A\$|R\$|RMB|CNY|USD|EUR|HKD|GBP|人民币|[$¥€£₩₹])"
_FOOTNOTE = re.compile(r"(?<=[\d)])\s*(?:\((?:[a-z]|\d{1,2})\)|\[(?:[a-z]|\d{1,2})\]|[*†‡#§]+|元)$")
_DIGITS = re.compile(
    r"(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})*,\d{3}|\d{1,3}(?:[ ']\d{3})+|\d+)(?:\.\d*)?|\.\d+"  # 1,234.5 and 1 234.5
)
_CONTINENTAL = re.compile(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}|\d{1,3}(?: \d{3})+,\d+")  # 1.234.567,89
_DASHES = re.compile(r"[-\s]*-[-\s]*|\(\s*-+\s*\)")
_DRESS = re.compile(rf"^\s*{_CURRENCY}?\s*|\s*{_CURRENCY}?\s*$")
_AMOUNT = r"(?:\d{1,3}(?:,\d{3}){1,9}|\d{1,15})(?:\.\d{1,9})?"
_USUAL = re.compile(rf"\((?P<loss>{_AMOUNT})\)|(?P<gain>{_AMOUNT})", re.ASCII)  # most numbers of most statements
_MARKS = re.compile(r"[\d\-−–—―－﹣‐‑‒─━ー]")
_BROKEN = re.compile(r"\s+(?=[\d,.])|(?<=[,.])\s+")


def read_number(text: str) -> Decimal | None:
    """The number, or None where the text is none: words, a percentage, several numbers, badly grouped digits.

    A dash alone is the accountant's zero. Parentheses, a minus before or after, and △ make it negative.
    """
    usual = _USUAL.fullmatch(text)
    if usual is not None:
        return _value((usual["loss"] or usual["gain"]).replace(",", ""), usual["loss"] is not None)
    if len(text) > LONGEST or not _MARKS.search(text):
        return None
    text = text.translate(_PLAIN).strip()
    if _DASHES.fullmatch(_DRESS.sub("", text)):
        return Decimal(0)
    text = _FOOTNOTE.sub("", text)
    text, negative = _without_sign(text)
    digits = _digits(text)
    return None if digits is None else _value(digits, negative)


def _value(digits: str, negative: bool) -> Decimal:
    """Exact however long, and never minus zero."""
    value = Decimal(digits)
    return value.copy_negate() if negative and value else value


def _without_sign(text: str) -> tuple[str, bool]:
    """The text without currency, parentheses and minus, and whether it was negative."""
    negative = False
    for _ in range(3):  # $(1), ($1), -$1, (-1)
        text = _DRESS.sub("", text)
        if text.startswith("(") and (text.endswith(")") or ")" not in text):
            text, negative = text[1:].removesuffix(")"), True
        elif text.startswith(("-", "△", "▲")):
            text, negative = text[1:], True
        elif text.startswith("+"):
            text = text[1:]
    if text.endswith("-"):
        text, negative = text[:-1], True
    return text.strip(), negative


def _digits(text: str) -> str | None:
    """The digits with a decimal point, as `Decimal` reads them."""
    if _DIGITS.fullmatch(text):
        return re.sub(r"[, ']", "", text)
    joined = _BROKEN.sub("", text)
    if "," in joined and _DIGITS.fullmatch(joined):  # a line break or a stray space within well grouped digits
        return joined.replace(",", "")
    if _CONTINENTAL.fullmatch(text):
        return re.sub(r"[. ]", "", text).replace(",", ".")
    return None

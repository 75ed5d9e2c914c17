"""Amounts of money in running text, in whole units of their currency."""

import re

_WORDS = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "mn": 1e6, "bn": 1e9, "m": 1e6}
_YUAN = {"元": 1.0, "千元": 1e3, "万元": 1e4, "百万元": 1e6, "亿元": 1e8}
_EN = re.compile(
    r"(?:US\$|HK\$|\$|€|£|¥|\b(?:USD|EUR|GBP|RMB|CNY|HKD))\s?(\d[\d,]{0,20}(?:\.\d{1,6})?)\s*"
    r"(thousand|million|billion|trillion|mn|bn|m)?\b",
    re.IGNORECASE,
)
_ZH = re.compile(r"(\d[\d,]{0,20}(?:\.\d{1,6})?)\s*(百万元|千元|万元|亿元|元)(?!/)")
_COLUMN = re.compile(r"金额\s*[(（]\s*(?:人民币)?(百万元|千元|万元|亿元|元)\s*[)）]")
_CELL = re.compile(r"^[ \t]*(\d[\d,]{0,20}(?:\.\d{1,6})?)[ \t]*$", re.MULTILINE)


def largest_amount(text: str, language: str) -> float | None:
    """The largest amount named; of a Chinese table, of the cells under a heading like 涉案金额（万元）.

    >>> largest_amount("They claim $1.5 million and costs of $20,000.", "en")
    1500000.0
    >>> largest_amount("涉案金额为3,200万元。", "zh")
    32000000.0
    """
    if language == "en":
        amounts = [_number(digits) * _WORDS.get(word.lower(), 1.0) for digits, word in _EN.findall(text)]
    else:
        amounts = [_number(digits) * _YUAN[unit] for digits, unit in _ZH.findall(text)]
        column = _COLUMN.search(text)
        if column:
            cells = _CELL.findall(text, column.end())
            amounts += [_number(digits) * _YUAN[column[1]] for digits in cells if len(digits) > 1]
    return max(amounts, default=None)


def _number(digits: str) -> float:
    return float(digits.replace(",", ""))

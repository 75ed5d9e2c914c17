"""The headings of report sections, read from `section_titles.csv`: which words stand over which section.

A row's `titles` is a regular expression in which a space is any white space and an apostrophe may be missing; a row
without a name is a heading that only ends the section before it.
"""

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Family = Literal["10-K", "10-Q", "20-F", "heading", "note_en", "note_zh", "zh_chapter", "zh_heading"]
TABLE = Path(__file__).with_name("section_titles.csv")
# one character for one character, so that places in the plain text are places in the text itself
_PLAIN = {0xFF01 + i: 0x21 + i for i in range(94)} | {
    ord(odd): ord(usual)
    for odd, usual in zip("\u00a0\u2007\u2009\u202f\u3000\r\u000b\u000c\u2028\u2029", " " * 6 + "\n" * 4, strict=True)
}
_PLAIN |= {ord(odd): ord("'") for odd in "\u2018\u2019\u02bc\u0060\u00b4"} | {ord(odd): ord('"') for odd in "“”„«»"}
_PLAIN |= {ord(odd): ord("-") for odd in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"} | {0x200B: 0x20, 0xFEFF: 0x20}


@dataclass(frozen=True, slots=True)
class Title:
    """One section and the words that head it."""

    number: str
    name: str
    pattern: re.Pattern[str]


def plain_text(text: str) -> str:
    """The text with usual spaces, quotes, dashes and half-width forms; every character keeps its place.

    >>> plain_text("Ｉｔｅｍ\\xa01Ａ．")
    'Item 1A.'
    """
    return text.translate(_PLAIN)


@cache
def titles(family: Family) -> tuple[Title, ...]:
    """The rows of one family, in the order of the form."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["family"] == family]
    return tuple(Title(row["number"], row["name"], re.compile(_spaced(row["titles"]), re.IGNORECASE)) for row in rows)


@cache
def any_title(family: Family) -> re.Pattern[str]:
    """All titles of a family in one pattern; `group_name` says which row matched."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["family"] == family]
    parts = (f"(?P<t{index}>{_spaced(row['titles'])})" for index, row in enumerate(rows))
    return re.compile("|".join(parts), re.IGNORECASE)


def title_of(family: Family, found: re.Match[str]) -> Title:
    """The row that a match of `any_title` belongs to."""
    if found.lastgroup is None:
        raise AssertionError("any_title has a group for every row")
    return titles(family)[int(found.lastgroup[1:])]


def _spaced(words: str) -> str:
    return f"(?:{words.replace(' ', chr(92) + 's+')})".replace("'", "'?")

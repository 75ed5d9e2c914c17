"""Letters of a page -> lines of words, and words -> pieces: numbers, dashes, texts. Pure: knows no PDF library."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

from pipelines.finance.reports.pdf.glyphs import Glyph

Kind = Literal["number", "dash", "text"]
BASELINE_TOLERANCE = 0.3  # of the font's size
WORD_GAP = 0.25
PIECE_GAP = 1.0
HEADING_GAP = 0.5
_CJK = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f\u2018-\u201d]")
_NUMBER = re.compile(
    r"[(（\[]?[-－−–+]?(?:[$¥￥€£]|US\$|HK\$|NT\$|C\$|A\$|R\$|RMB)?[(（]?[-－−–]?"
    r"(?:\d(?:[\d,，.．'’]*\d)?|[.．]\d+)[)）\]]?[%％]?[)）]?-?"
)
_DASH = re.compile(r"[(（]?[$¥￥€£]?[-–—―－−─]{1,3}[)）]?[%％]?|[nN]/[aAmM]|不适用")
_CURRENCY = re.compile(r"[$¥￥€£]|US\$|HK\$|NT\$|C\$|A\$|R\$|RMB|EUR|USD|CNY|GBP|CHF|[$¥￥€£][(（]|[(（][$¥￥€£]?")
_CLOSING = re.compile(r"[)）\]][%％]?|[%％][)）]?")
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)[a-z]*\.?"
_DATE = re.compile(
    rf"\d{{1,2}}(?:st|nd|rd|th)? {_MONTH},? (?:19|20)\d\d|{_MONTH} \d{{1,2}}, (?:19|20)\d\d", re.IGNORECASE
)
DATE_GAP = 0.6
_THOUSANDS = re.compile(r"\d{3}[)）]?")
_OPEN_THOUSANDS = re.compile(r"[(（]?[-－−–]?\d{1,3}(?: \d{3})*")


@dataclass(frozen=True, slots=True)
class Word:
    """Letters without a gap."""

    text: str
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Line:
    """Words on one baseline, from left to right."""

    words: tuple[Word, ...]
    y: float
    size: float
    bold: bool

    @property
    def text(self) -> str:
        """As it reads; a wide gap is a space in Chinese too."""
        text = self.words[0].text
        for before, word in pairwise(self.words):
            wide = word.left - before.right > PIECE_GAP * self.size
            text = f"{text} {word.text}" if wide else join_words((text, word.text))
        return text

    @property
    def left(self) -> float:
        """Where its first letter begins."""
        return self.words[0].left

    @property
    def right(self) -> float:
        """Where its last letter ends."""
        return self.words[-1].right


@dataclass(frozen=True, slots=True)
class Piece:
    """What a wide gap or a number's end sets apart. `core` is where the digits begin: behind a currency sign."""

    text: str
    kind: Kind
    left: float
    right: float
    core: float


def lines_of(glyphs: Iterable[Glyph]) -> tuple[Line, ...]:
    """Lines from top to bottom. Small raised letters stay in the line that they stand on."""
    rows: list[list[Glyph]] = []
    for glyph in sorted(glyphs, key=lambda one: (one.y, one.left)):
        if rows and _is_level(rows[-1], glyph):
            rows[-1].append(glyph)
        else:
            rows.append([glyph])
    return tuple(_line(row) for row in _with_raised(rows))


def _is_level(row: Sequence[Glyph], glyph: Glyph) -> bool:
    return glyph.y - row[0].y <= BASELINE_TOLERANCE * max(glyph.size, row[0].size)


def _with_raised(rows: list[list[Glyph]]) -> list[list[Glyph]]:
    """Rows, with a row of a few small letters put into the line right below or above that it touches."""
    kept: list[list[Glyph]] = []
    waiting: list[Glyph] = []
    for place, row in enumerate(rows):
        below = rows[place + 1] if place + 1 < len(rows) else None
        if below and _is_raised(row, below):
            waiting += row
            continue
        kept.append([*row, *waiting])
        waiting = []
    return kept


def _is_raised(small: Sequence[Glyph], large: Sequence[Glyph]) -> bool:
    size, other = median(one.size for one in small), median(one.size for one in large)
    return len(small) <= 6 and size < 0.8 * other and large[0].y - small[0].y < 0.6 * other


def _line(row: list[Glyph]) -> Line:
    row = sorted(row, key=lambda one: one.left)
    words: list[list[Glyph]] = [[row[0]]]
    for before, glyph in pairwise(row):
        gap = glyph.left - before.right
        if gap > WORD_GAP * glyph.size or (glyph.spaced and gap > -0.1 * glyph.size):
            words.append([glyph])
        else:
            words[-1].append(glyph)
    return Line(
        words=tuple(Word("".join(one.text for one in word), word[0].left, word[-1].right) for word in words),
        y=max(row, key=lambda one: one.size).y,
        size=median(one.size for one in row),
        bold=sum(one.bold for one in row) * 2 > len(row),
    )


def join_words(words: Iterable[str]) -> str:
    """With spaces, but none between Chinese letters.

    >>> join_words(["Total", "assets"]), join_words(["购建固定资产、", "无形资产"])
    ('Total assets', '购建固定资产、无形资产')
    """
    text = ""
    for word in words:
        if text and word and not (_CJK.match(word[0]) and _CJK.match(text[-1])):
            text += " "
        text += word
    return text


def pieces_of(words: Sequence[Word], size: float, headings_from: float = float("inf")) -> tuple[Piece, ...]:
    """Numbers (with their currency sign, parentheses and per cent), dashes, and texts between wide gaps.

    A number right behind words is a piece of its own: whether it is one of a column shows elsewhere. Right of
    `headings_from` texts are headings of columns, which may stand close together.
    """
    pieces: list[Piece] = []
    for word in _joined_dates(_joined_numbers(words, size), size):
        kind = kind_of(word.text)
        core = word.left
        gap = HEADING_GAP if word.left >= headings_from else PIECE_GAP
        if kind == "text" and pieces and pieces[-1].kind == "text" and _is_near(pieces[-1], word, gap * size):
            last = pieces[-1]
            pieces[-1] = Piece(join_words((last.text, word.text)), "text", last.left, word.right, last.core)
        else:
            pieces.append(Piece(word.text, kind, word.left, word.right, core))
    return tuple(pieces)


def kind_of(text: str) -> Kind:
    """What one word is.

    >>> [kind_of(text) for text in ("(1,234)", "$(0.15)", "—", "Note", "１２．５")]
    ['number', 'number', 'dash', 'text', 'number']
    """
    bare = text.replace(" ", "")
    if _NUMBER.fullmatch(bare):
        return "number"
    return "dash" if _DASH.fullmatch(bare) else "text"


def _is_near(piece: Piece, word: Word, gap: float) -> bool:
    lone = len(piece.text) == 1 and len(word.text) == 1 and _CJK.match(piece.text + word.text)  # 项　　目
    return word.left - piece.right <= gap or bool(lone and _CJK.match(word.text))


def _joined_numbers(words: Sequence[Word], size: float) -> list[Word]:
    """Words, with what belongs to a number put together: $ 1,234 and ( 5 ) and 1 234."""
    done: list[Word] = []
    for word in words:
        last = done[-1] if done else None
        if last is not None and _belongs(last, word, size):
            apart = " " if _THOUSANDS.fullmatch(word.text) and last.text[-1].isdigit() else ""
            done[-1] = Word(last.text + apart + word.text, _core(last, word), word.right)
        else:
            done.append(word)
    return done


def _joined_dates(words: Sequence[Word], size: float) -> list[Word]:
    """Words, with a date's three put together where they stand as words of one text do: its numbers are no amounts."""
    done: list[Word] = []
    for word in words:
        done.append(word)
        last = done[-3:]
        close = all(after.left - before.right < DATE_GAP * size for before, after in pairwise(last))
        if len(last) == 3 and close and _DATE.fullmatch(text := " ".join(one.text for one in last)):
            done[-3:] = [Word(text, last[0].left, word.right)]
    return done


def _core(last: Word, word: Word) -> float:
    """A currency sign stands at the column's far side: a number begins where its digits do."""
    return word.left if _CURRENCY.fullmatch(last.text) else last.left


def _belongs(last: Word, word: Word, size: float) -> bool:
    gap = word.left - last.right
    if _CURRENCY.fullmatch(last.text):
        bracket = last.text[-1] in "(（"
        return (not bracket or gap < 2 * size) and (
            kind_of(word.text) != "text" or (bool(_CURRENCY.fullmatch(word.text)) and word.text[0] in "(（")
        )
    if kind_of(last.text.replace(" ", "")) == "text" and not re.fullmatch(r"[$¥￥€£]?[(（][\d,.]+", last.text):
        return False
    if _CLOSING.fullmatch(word.text):
        return gap < 1.2 * size
    return bool(gap < 0.45 * size and _THOUSANDS.fullmatch(word.text) and _OPEN_THOUSANDS.fullmatch(last.text))

"""The letters and ruled lines of one PDF page, upright, x to the right and y downwards, in points.

Runs only in the limited child process: it drives pdfium.
"""

import ctypes
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

MAX_OBJECTS = 60_000  # of one page, looked at for ruled lines
MAX_FORM_DEPTH = 6
THIN_PT = 2.5  # a filled box thinner than this is a line
_SPACES = frozenset(" \t\u00a0\u2002\u2003\u2009\u200a\u3000")
_BOLD_WEIGHT = 600
_ANGLE_SAMPLES = 400
Matrix = tuple[float, float, float, float, float, float]
_SAME: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Glyph:
    """One letter with its advance box; `y` is its baseline."""

    text: str
    left: float
    right: float
    y: float
    size: float
    spaced: bool  # a space stands before it
    bold: bool


@dataclass(frozen=True, slots=True)
class Ruling:
    """A ruled line: across the page where `top` == `bottom`, else down the page."""

    left: float
    right: float
    top: float
    bottom: float

    @property
    def is_level(self) -> bool:
        """Whether it runs across the page."""
        return self.top == self.bottom


@dataclass(frozen=True, slots=True)
class Marks:
    """All that is drawn on a page, as far as tables need it."""

    glyphs: tuple[Glyph, ...]
    rulings: tuple[Ruling, ...]


def read_marks(page: Any, text_page: Any, max_chars: int) -> Marks:
    """Letters of the page's main reading direction (stamps across the page are left out), and its ruled lines."""
    count = min(pdfium.FPDFText_CountChars(text_page), max_chars)
    turn = _reading_turn(text_page, count)
    rulings = [_turned_ruling(ruling, turn) for ruling in _page_rulings(page)]
    return Marks(tuple(_glyphs(text_page, count, turn)), tuple(rulings))


def _glyphs(text_page: Any, count: int, turn: int) -> Iterator[Glyph]:
    box = pdfium.FS_RECTF()
    x, y = ctypes.c_double(), ctypes.c_double()
    spaced, before = False, None
    for place in range(count):
        text = _character(text_page, place)
        if text in _SPACES:
            spaced = True
            continue
        if not text.strip() or not text.isprintable() or _turn(text_page, place) != turn:
            continue
        if not pdfium.FPDFText_GetLooseCharBox(text_page, place, box):
            continue
        pdfium.FPDFText_GetCharOrigin(text_page, place, x, y)
        left, _, right, _ = _upright(box.left, box.top, box.right, box.bottom, turn)
        baseline = _upright(x.value, y.value, x.value, y.value, turn)[1]
        size = _size(text_page, place, box, turn)
        glyph = Glyph(
            text=text,
            left=left,
            right=right,
            y=baseline,
            size=size,
            spaced=spaced,
            bold=pdfium.FPDFText_GetFontWeight(text_page, place) >= _BOLD_WEIGHT,
        )
        spaced = False
        if before is None or not _struck_twice(before, glyph):
            yield glyph
        before = glyph


def _character(text_page: Any, place: int) -> str:
    code = pdfium.FPDFText_GetUnicode(text_page, place)
    if 0xD800 <= code < 0xDC00:  # a pair of UTF-16 units: pdfium counts both
        low = pdfium.FPDFText_GetUnicode(text_page, place + 1)
        if 0xDC00 <= low < 0xE000:
            return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00))
    if code == 2:  # pdfium's mark of a hyphen at the end of a line
        return "-"
    return "" if 0xD800 <= code < 0xE000 else chr(code)


def _size(text_page: Any, place: int, box: Any, turn: int) -> float:
    """Of the font as drawn: the height of the box where the font's own number is scaled by a matrix."""
    height = abs(box.top - box.bottom) if turn % 2 == 0 else abs(box.right - box.left)
    size = float(pdfium.FPDFText_GetFontSize(text_page, place))
    return size if 0.5 * height <= size <= 2 * height else max(height / 1.2, 1.0)


def _struck_twice(one: Glyph, other: Glyph) -> bool:
    """Bold letters are sometimes made by drawing them twice, a little apart."""
    near = 0.15 * one.size
    return one.text == other.text and abs(one.left - other.left) < near and abs(one.y - other.y) < near


def _reading_turn(text_page: Any, count: int) -> int:
    """Quarter turns, against the clock, of most of the letters."""
    step = max(1, count // _ANGLE_SAMPLES)
    turns = Counter(
        _turn(text_page, place) for place in range(0, count, step) if not pdfium.FPDFText_IsGenerated(text_page, place)
    )
    straight = Counter({turn: number for turn, number in turns.items() if turn >= 0})
    return straight.most_common(1)[0][0] if straight else 0


def _turn(text_page: Any, place: int) -> int:
    """0 to 3 quarter turns; -1 for letters that stand askew."""
    angle = pdfium.FPDFText_GetCharAngle(text_page, place)
    quarters = angle / (math.pi / 2)
    return -1 if abs(quarters - round(quarters)) > 0.05 else round(quarters) % 4


def _upright(left: float, top: float, right: float, bottom: float, turn: int) -> tuple[float, float, float, float]:
    """The box (left, top, right, bottom) after turning, y downwards."""
    points = [_point(x, y, turn) for x, y in ((left, top), (right, bottom))]
    (x0, y0), (x1, y1) = points
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _point(x: float, y: float, turn: int) -> tuple[float, float]:
    """pdfium counts y upwards, and the angle of letters with the clock.

    Letters turned by a quarter run down the page, and their lines follow each other to the left.
    """
    return ((x, -y), (-y, -x), (-x, y), (y, x))[turn]


def _turned_ruling(ruling: Ruling, turn: int) -> Ruling:
    return Ruling(*_order(_upright(ruling.left, ruling.top, ruling.right, ruling.bottom, turn)))


def _order(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return left, right, top, bottom


def _page_rulings(page: Any) -> Iterator[Ruling]:
    """In the page's own coordinates (y upwards: `top` is the larger)."""
    seen = 0
    stack = [(pdfium.FPDFPage_GetObject(page, i), _SAME, 0) for i in range(pdfium.FPDFPage_CountObjects(page))][::-1]
    while stack and seen < MAX_OBJECTS:
        item, matrix, depth = stack.pop()
        seen += 1
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind == pdfium.FPDF_PAGEOBJ_PATH:
            yield from _path_rulings(item, matrix)
        elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < MAX_FORM_DEPTH:
            inner = _times(_matrix(item), matrix)
            count = pdfium.FPDFFormObj_CountObjects(item)
            stack += [(pdfium.FPDFFormObj_GetObject(item, i), inner, depth + 1) for i in range(count)][::-1]


def _path_rulings(path: Any, matrix: Matrix) -> Iterator[Ruling]:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFPageObj_GetBounds(path, left, bottom, right, top):
        return
    (x0, y0), (x1, y1) = _moved(left.value, bottom.value, matrix), _moved(right.value, top.value, matrix)
    x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    if y1 - y0 <= THIN_PT or x1 - x0 <= THIN_PT:
        yield from _thin_box(x0, x1, y0, y1)
        return
    yield from _segments(path, _times(_matrix(path), matrix))


def _thin_box(x0: float, x1: float, y0: float, y1: float) -> Iterator[Ruling]:
    if x1 - x0 >= y1 - y0:
        middle = (y0 + y1) / 2
        yield Ruling(x0, x1, middle, middle)
    else:
        middle = (x0 + x1) / 2
        yield Ruling(middle, middle, y1, y0)


def _segments(path: Any, matrix: Matrix) -> Iterator[Ruling]:
    """Straight pieces of a stroked path that run across or down the page."""
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    if not pdfium.FPDFPath_GetDrawMode(path, fill, stroke) or not stroke.value:
        return
    x, y = ctypes.c_float(), ctypes.c_float()
    start = last = (0.0, 0.0)
    for place in range(min(pdfium.FPDFPath_CountSegments(path), MAX_OBJECTS)):
        segment = pdfium.FPDFPath_GetPathSegment(path, place)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        here = _moved(x.value, y.value, matrix)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = here
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield from _straight(last, here)
            if pdfium.FPDFPathSegment_GetClose(segment):
                yield from _straight(here, start)
        last = here


def _straight(one: tuple[float, float], other: tuple[float, float]) -> Iterator[Ruling]:
    (x0, y0), (x1, y1) = sorted((one, other))
    if abs(y1 - y0) <= 0.5 < x1 - x0:
        yield Ruling(x0, x1, y0, y0)
    elif abs(x1 - x0) <= 0.5 < abs(y1 - y0):
        yield Ruling(x0, x0, max(y0, y1), min(y0, y1))


def _matrix(item: Any) -> Matrix:
    found = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(item, found):
        return _SAME
    return found.a, found.b, found.c, found.d, found.e, found.f


def _times(one: Matrix, other: Matrix) -> Matrix:
    """First `one`, then `other`."""
    a, b, c, d, e, f = one
    x, y = _moved(e, f, other)
    return (
        a * other[0] + b * other[2],
        a * other[1] + b * other[3],
        c * other[0] + d * other[2],
        c * other[1] + d * other[3],
        x,
        y,
    )


def _moved(x: float, y: float, matrix: Matrix) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f

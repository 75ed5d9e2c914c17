"""Lines cut at columns -> rows of a table: a label that runs over several lines becomes one row with its numbers.

Whether a line goes on in the next shows in the width that was left (the next word would not have fitted), in the
distance of the lines, in small letters and in open brackets. Pure: knows no PDF library.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pipelines.finance.reports.pdf.columns import Column, CutLine, cut_line, extent_of, find_columns
from pipelines.finance.reports.pdf.lines import Line, join_words, pieces_of
from pipelines.finance.reports.pdf.titles import title_of
from pipelines.finance.reports.tables.numbers import read_number

Extent = tuple[float, float]
_NUMBERED = re.compile(
    r"\s*([一二三四五六七八九十]+[、.．]|[(（][一二三四五六七八九十\d]+[)）]|\d+[、.．](?!\d)|[加减][:：]|其中[:：]|[☆△▲#*])"
)
_GOES_ON = re.compile(
    r"(,|、|—|-|\b(and|or|of|the|to|in|for|from|by|on|at|with|net|a|an|per|as|than|used|provided|before|after|including))$",
    re.IGNORECASE,
)
_PAGE_NUMBER = re.compile(r"\W*(page|第)?\s*([A-Z]{1,2}-)?\d{1,4}(\s*(/|of|／)\s*\d{1,4})?\s*页?\W*", re.IGNORECASE)
_HAN = re.compile(r"[\u4e00-\u9fff]")
_YEAR = re.compile(r"(19|20)\d\d")
_NOTE = re.compile(r"notes?\b|附注|注释", re.IGNORECASE)
MAX_REST_LINES = 20
MAX_LINES_ABOVE_REST = 4  # running heads
TIGHT = 0.9  # of the distance of rows


@dataclass(frozen=True, slots=True)
class Row:
    """A table's row or, with `in_table` false, a line of text in a single cell."""

    cells: tuple[str, ...]
    extents: tuple[Extent, ...]
    y: float
    in_table: bool


@dataclass(frozen=True, slots=True)
class Habits:
    """How a table writes labels that need several lines."""

    limit: float  # where labels end at the most
    pitch: float  # between two rows with numbers; 0 where no two follow each other
    tight: bool  # lines of one label stand nearer to each other than rows do
    numbers_first: bool  # numbers stand beside the first line of the label, not the last


def rows_of(lines: Sequence[Line], known: Sequence[Column] = ()) -> tuple[tuple[Row, ...], tuple[Column, ...]]:
    """Rows of the table that the lines hold, between the lines of text above and below it, and its columns.

    `known`: the columns of the page before, for a table of which only a row or two stand on this page.
    """
    body = [line for line in lines if not _is_page_number(line)]
    columns = find_columns(body)
    borrowed = not columns
    if borrowed and len(body) <= MAX_REST_LINES:
        columns = tuple(known)
    if not columns:
        return tuple(text_row(line) for line in lines), ()
    cut = [cut_line(line, columns) for line in lines]
    data = [place for place, one in enumerate(cut) if one.values and lines[place] in body]
    if not data or (borrowed and data[0] > MAX_LINES_ABOVE_REST):
        return tuple(text_row(line) for line in lines), ()
    first, last = _with_headings(cut, data[0], columns), _with_label(cut, data[-1], columns)
    rows = (
        *(text_row(one.line) for one in cut[:first]),
        *_table_rows(cut[first : last + 1], columns),
        *(text_row(one.line) for one in cut[last + 1 :]),
    )
    return rows, columns


def _is_page_number(line: Line) -> bool:
    """Narrow: numbers and dashes in several columns are a row."""
    return line.right - line.left < 12 * line.size and _PAGE_NUMBER.fullmatch(line.text) is not None


def text_row(line: Line) -> Row:
    """A line that belongs to no table."""
    return Row((line.text,), ((line.left, line.right),), line.y, in_table=False)


def rows_within(lines: Sequence[Line], columns: Sequence[Column]) -> tuple[Row, ...]:
    """Rows of lines that are known to be a table's, with known columns."""
    return _table_rows([cut_line(line, columns) for line in lines], columns)


def _with_headings(cut: Sequence[CutLine], first: int, columns: Sequence[Column]) -> int:
    """The first line of the headings that stand right above the columns."""
    start = place = first
    while place > 0 and cut[place].line.y - cut[place - 1].line.y < 4.5 * cut[place].line.size:
        place -= 1
        if title_of(cut[place].line.text):
            break
        over_columns = bool(cut[place].cells) or cut[place].line.left > columns[0].left - 6 * cut[place].line.size
        if over_columns and _is_heading(cut[place], columns):
            start = place
        elif first - place > 8:
            break
    return start


def _is_heading(one: CutLine, columns: Sequence[Column]) -> bool:
    """Not a title: that is centred on the page, from far left of the columns."""
    if one.cells:
        return True
    return (one.line.left + one.line.right) / 2 > columns[0].left - one.line.size


def _with_label(cut: Sequence[CutLine], last: int, columns: Sequence[Column]) -> int:
    """The last line of the label that the last number belongs to."""
    habits = _habits_of(cut[: last + 1])
    while last + 1 < len(cut) and not cut[last + 1].cells and cut[last + 1].line.right < columns[0].left:
        labelled = next((one for one in reversed(cut[: last + 1]) if one.label), None)
        if labelled is None or not _goes_on(labelled, cut[last + 1], habits):
            break
        last += 1
    return last


def _table_rows(cut: Sequence[CutLine], columns: Sequence[Column]) -> tuple[Row, ...]:
    habits = _habits_of(cut)
    groups: list[list[CutLine]] = []
    labelled = [one for one in cut if one.label]
    for place, one in enumerate(labelled):
        ahead = labelled[place + 1].line.y - one.line.y if place + 1 < len(labelled) else float("inf")
        if groups and _goes_on(groups[-1][-1], one, habits, ahead) and not (_valued(groups[-1]) and one.values):
            groups[-1].append(one)
        else:
            groups.append([one])
    for one in (one for one in cut if not one.label):
        home = next((group for group in groups if _surrounds(group, one)), None)
        if home is None:
            groups.append([one])
        else:
            home.append(one)
    rows = [_row(sorted(group, key=lambda one: one.line.y), columns) for group in groups]
    return tuple(sorted(rows, key=lambda row: row.y))


def _habits_of(cut: Sequence[CutLine]) -> Habits:
    labelled = [one for one in cut if one.label]
    first = next((place for place, one in enumerate(labelled) if one.values), 0)
    steps = [other.line.y - one.line.y for one, other in pairwise(cut) if one.values and other.values]
    pitch = median(steps) if steps else 0.0
    tight = [one for one, other in pairwise(labelled) if other.line.y - one.line.y < TIGHT * pitch]
    votes = 0
    for one, other in pairwise(labelled):
        broken = _open_brackets(one.label) > 0 and _open_brackets(other.label) < 0
        if one.values != other.values and (broken or other.label[0].islower()):
            votes += 1 if one.values else -1
    return Habits(
        limit=max((one.label_right for one in labelled[first:]), default=0.0),  # headings reach further
        pitch=pitch,
        tight=bool(tight),
        numbers_first=votes > 0,
    )


def _valued(group: Sequence[CutLine]) -> bool:
    return any(one.values for one in group)


def _surrounds(group: Sequence[CutLine], one: CutLine) -> bool:
    """Whether a line of numbers alone stands between the lines of this label (or a little off its only line)."""
    if _valued(group) or any(other.cells for other in group):
        return False
    slack = 0.75 * one.line.size
    return len(group) > 1 and group[0].line.y - slack < one.line.y < group[-1].line.y + slack


def _goes_on(one: CutLine, other: CutLine, habits: Habits, ahead: float = float("inf")) -> bool:
    """Whether the label of `one` goes on in `other`. `ahead`: how far from `other` the next line is."""
    upper, lower, size = one.label.rstrip(), other.label.lstrip(), one.line.size
    step = other.line.y - one.line.y
    if upper.endswith((":", "：")) or step > 1.9 * size or (one.values and other.values):
        return False
    if _open_brackets(upper) > 0 and _open_brackets(lower) < 0:
        return True
    if _NUMBERED.match(lower) or one.line.bold != other.line.bold:
        return False
    if one.label_right + _first_width(other) < habits.limit - 0.3 * size:
        return False  # the next word would have fitted
    if habits.tight:
        nearer = not one.values or habits.numbers_first or step < TIGHT * ahead
        return step < TIGHT * habits.pitch and nearer
    if one.values and not habits.numbers_first:
        return False
    return bool(_HAN.search(upper) or lower[0].islower() or lower[0] in "$(0123456789" or _GOES_ON.search(upper))


def _first_width(other: CutLine) -> float:
    """The width of the next word, or letter where words are not parted."""
    word = other.line.words[0]
    width = word.right - word.left
    return width / len(word.text) if _HAN.match(word.text) else width + 0.25 * other.line.size


def _open_brackets(text: str) -> int:
    return sum(text.count(mark) for mark in "(（") - sum(text.count(mark) for mark in ")）")


def _row(group: Sequence[CutLine], columns: Sequence[Column]) -> Row:
    label = join_words(one.label for one in group if one.label)
    lefts = [one.line.left for one in group if one.label] or [min(0.0, columns[0].left)]
    rights = [one.label_right for one in group if one.label] or [min(one.left for one in columns)]
    cells: dict[Extent, str] = {}
    for one in group:
        for piece in one.cells:
            extent = extent_of(piece, columns)
            cells[extent] = f"{cells[extent]} {piece.text}" if extent in cells else piece.text
    heads = not any(read_number(text) is not None and not _YEAR.fullmatch(text) for text in cells.values())
    placed = _spread(cells, columns) if heads else sorted(cells.items())
    valued = next((one for one in group if one.values), group[0])
    return Row(
        cells=(label, *(text for _, text in placed)),
        extents=((min(lefts), max(rights)), *(extent for extent, _ in placed)),
        y=valued.line.y,
        in_table=True,
    )


def _spread(cells: dict[Extent, str], columns: Sequence[Column]) -> list[tuple[Extent, str]]:
    """Headings, with one that stands over several columns reaching over all of them.

    Each column belongs to the heading nearest to its middle.
    """
    placed = sorted(cells.items())
    if not 0 < len(placed) <= len(columns) or any(_NOTE.match(text) for _, text in placed):
        return placed
    reach = [extent for extent, _ in placed]
    for column in columns:
        middle = (column.left + column.right) / 2
        near = min(range(len(placed)), key=lambda i: abs(sum(placed[i][0]) / 2 - middle))
        reach[near] = min(reach[near][0], column.left), max(reach[near][1], column.right)
    return [(extent, text) for extent, (_, text) in zip(reach, placed, strict=True)]


def is_number_line(line: Line) -> bool:
    """Whether the line holds numbers and dashes only."""
    return all(piece.kind != "text" for piece in pieces_of(line.words, line.size))

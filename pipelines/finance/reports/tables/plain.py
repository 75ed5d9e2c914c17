"""Plain text: its tables found by their columns, which stand apart by runs of spaces, tabs, bars or dotted leaders.

Also text of one JSON object a line, {"page": 1, "allrow": 7, "type": "text", "inside": "..."}, where a table's row is
written as a list, "['货币资金', '73,992,141.96', '']", and running heads have a type of their own.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from itertools import accumulate

from core.errors import InputError
from pipelines.finance.reports.tables.plain_rows import GAP, LONGEST_LINE, SENTENCE_END, is_numeric, to_rows
from pipelines.finance.reports.tables.rows import Document, Table, TextRow

LONGEST_LABEL = 70  # characters of a line that may stand within a table without a number
LONGEST_HEADING = 160  # of one that ends with a colon: "Adjustments to reconcile net income to net cash ...:"
FEWEST_ROWS = 3  # with numbers, for lines of text to be a table
MOST_LINES_BETWEEN = 40  # lines without numbers between two rows of one table
MOST_LINES_ABOVE = 8  # that may be its title and column headings
LONGEST_LIST = 20_000  # characters of a row written as a list
_SENTENCE_WITHIN = re.compile(r"[。；;]|[a-z]{3}\. [A-Z]")
RUNNING_HEADS = frozenset(("页眉", "页脚"))


def read_text(text: str) -> Document:
    """The document of a plain text or of JSON lines."""
    first = text.lstrip()[:400]
    if first.startswith("{") and '"inside"' in first:
        return _read_json_lines(text)
    return to_document(text, [])


def to_document(text: str, tables: Iterable[tuple[TextRow, ...]]) -> Document:
    """The tables, those that stand in the text between them too, each with the lines before it."""
    found: list[Table] = []
    before: list[TextRow] = []
    page, end = 1 if "\f" in text else None, 0
    for rows in [*tables, ()]:
        gap_end = rows[0].start if rows else len(text)
        for lines, numeric in _runs(_lines(text, end, gap_end, page)):
            if numeric:
                found.append(Table(before=tuple(before), rows=to_rows(lines)))
                before = []
            else:
                before += lines
        if page is not None:
            page += text.count("\f", end, gap_end)
        if rows:
            found.append(Table(before=tuple(before), rows=rows))
            before, end = [], rows[-1].end
    if before:
        found.append(Table(before=tuple(before), rows=()))
    return Document(text=text, tables=tuple(found))


def _lines(text: str, start: int, end: int, page: int | None) -> Iterator[TextRow]:
    """The lines that hold anything, each one cell, indentation kept."""
    for line in re.finditer(r"[^\n\r\f]+|\f", text[start:end]):
        if line[0] == "\f":
            page = (page or 1) + 1
        elif line[0].strip():
            yield TextRow(cells=(line[0],), page=page, start=start + line.start(), end=start + line.end())


def _runs(lines: Iterable[TextRow]) -> Iterator[tuple[list[TextRow], bool]]:
    """The lines in runs, each with whether it is a table: rows with numbers, short lines between and above them."""
    prose: list[TextRow] = []
    run: list[TextRow] = []
    waiting: list[TextRow] = []  # short lines after the run's last row with numbers
    numeric = 0
    for line in lines:
        words = line.cells[0]
        if is_numeric(words):
            run += [*waiting, line]
            waiting, numeric = [], numeric + 1
        elif _is_short(words) and len(waiting) < MOST_LINES_BETWEEN:
            waiting.append(line)
        else:
            yield from _parted(prose, run, numeric)
            prose, run, waiting, numeric = [*waiting, line], [], [], 0
        if not run and len(waiting) > MOST_LINES_ABOVE:
            prose, waiting = prose + waiting[:-MOST_LINES_ABOVE], waiting[-MOST_LINES_ABOVE:]
    yield from _parted(prose, run, numeric)
    if waiting:
        yield waiting, False


def _parted(prose: list[TextRow], run: list[TextRow], numeric: int) -> Iterator[tuple[list[TextRow], bool]]:
    is_table = numeric >= FEWEST_ROWS
    lines = prose if is_table else prose + run
    if lines:
        yield lines, False
    if is_table:
        yield run, True


def _is_short(line: str) -> bool:
    """Whether the line may be a heading, a label or a row of column headings."""
    words = line.strip()
    if len(words) <= LONGEST_LABEL:
        return not SENTENCE_END.search(words)
    if len(words) <= LONGEST_HEADING and words.endswith((":", "：")):
        return not _SENTENCE_WITHIN.search(words)
    return len(words) <= LONGEST_LINE and len([part for part in GAP.split(words) if part.strip()]) > 1


def _read_json_lines(text: str) -> Document:
    """The text is the insides of the lines, running heads left out; rows that follow each other are a table."""
    parts: list[str] = []
    tables: list[Table] = []
    before: list[TextRow] = []
    rows: list[TextRow] = []
    length = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        entry = _entry(line, number)
        inside, page = str(entry.get("inside", "")), entry.get("page")
        if entry.get("type") in RUNNING_HEADS or not inside.strip():
            continue
        cells = _listed(inside) if inside.startswith("[") else None
        row = _placed(cells or (inside,), page if isinstance(page, int) else None, length)
        parts.append("\t".join(row.cells))
        length = row.end + 1
        if rows and (cells is None or _shifts(rows[-1], row)):
            tables.append(Table(before=tuple(before), rows=tuple(rows)))
            before, rows = [], []
        (before if cells is None else rows).append(row)
    if before or rows:
        tables.append(Table(before=tuple(before), rows=tuple(rows)))
    return Document(text="\n".join(parts), tables=tuple(tables))


def _shifts(last: TextRow, row: TextRow) -> bool:
    """Whether the columns of a new page are not those of the last."""
    return last.page != row.page and len(last.cells) != len(row.cells)


def _entry(line: str, number: int) -> dict[str, object]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"line {number}: expected one JSON object a line, as the first line holds, got {line[:60]!r}; "
            "give the whole file, or plain text"
        ) from error
    if not isinstance(entry, dict):
        raise InputError(f"line {number}: expected a JSON object with inside, got {line[:60]!r}; give the whole file")
    return entry


def _listed(inside: str) -> tuple[str, ...] | None:
    """The cells of a row written as a list, or None where it is words that begin with a bracket."""
    try:
        cells = ast.literal_eval(inside) if len(inside) <= LONGEST_LIST else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(cells, list):
        return None
    return tuple("" if cell is None else " ".join(str(cell).split()) for cell in cells)


def _placed(cells: tuple[str, ...], page: int | None, start: int) -> TextRow:
    """The row where its cells follow each other, parted by one character."""
    ends = list(accumulate((len(cell) + 1 for cell in cells), initial=start))
    spans = tuple((first, first + len(cell)) for first, cell in zip(ends, cells, strict=False))
    return TextRow(cells=cells, page=page, start=start, end=ends[-1] - 1, spans=spans)

"""PDF reports -> text of all pages and tables of the pages that hold the three statements.

A PDF is read in a child process with limits of memory, time, pages and output; this process never loads a PDF
library. The child's answer is JSON.
"""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import AssayError, InputError
from pipelines.finance.reports.pdf.titles import titles_among
from pipelines.finance.reports.tables.paged import PagedDocument, language_of
from pipelines.finance.reports.tables.rows import Table, TextRow

MAX_FILE_BYTES = 256 << 20
MAX_COMPLAINT_BYTES = 1 << 20
SAME_COLUMN_PT = 15.0
_CHILD = "pipelines.finance.reports.pdf.child"
_HOME = Path(__file__).resolve().parents[4]
_HEAD_BYTES = 1024  # a PDF may begin with other bytes, but not more than these
_OUT_OF_TIME = (signal.SIGXCPU, signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class PdfLimits:
    """What one PDF may cost."""

    seconds: float = 60.0  # by the clock
    cpu_seconds: int = 60
    memory_bytes: int = 1 << 30  # address space of the child
    pages: int = 3000
    text_chars: int = 30_000_000
    output_bytes: int = 256 << 20
    statement_pages: int = 80  # of which tables are cut

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value <= 0:
                raise InputError(f"{name} must be above 0, got {value}")


def read_pdf(content: bytes, file: str, limits: PdfLimits | None = None) -> PagedDocument:
    """Text by pages and tables of the statements.

    Raises InputError: WRONG_FORMAT, FILE_TOO_LARGE, ENCRYPTED, DAMAGED_FILE, NO_PAGES, TOO_MANY_PAGES,
    PAGE_TOO_LARGE, NO_TEXT, TOO_MUCH_TEXT, TOO_SLOW, TOO_MUCH_MEMORY.
    """
    limits = limits or PdfLimits()
    if b"%PDF-" not in content[:_HEAD_BYTES]:
        raise InputError(f"{file}: this is no PDF (%PDF- is missing at its beginning); give a PDF", code="WRONG_FORMAT")
    if len(content) > MAX_FILE_BYTES:
        raise InputError(
            f"{file}: the PDF has {len(content)} bytes; allowed are {MAX_FILE_BYTES}; split it", code="FILE_TOO_LARGE"
        )
    answer = _ask_child(content, file, limits)
    if error := answer.get("error"):
        if error["code"] == "TOO_MUCH_MEMORY":
            raise _too_much_memory(file, limits)
        raise InputError(f"{file}: {error['message']}", code=error["code"])
    return _document(answer)


def _ask_child(content: bytes, file: str, limits: PdfLimits) -> dict[str, Any]:
    """The child's answer. The child is ended when its time is over, and whatever ends this call."""
    with (
        tempfile.TemporaryFile() as question,
        tempfile.TemporaryFile() as answer,
        tempfile.TemporaryFile() as complaint,
    ):
        question.write(content)
        question.seek(0)
        command = [sys.executable, "-m", _CHILD, json.dumps(asdict(limits))]
        child = subprocess.Popen(command, stdin=question, stdout=answer, stderr=complaint, cwd=_HOME)
        try:
            code = child.wait(limits.seconds)
        except subprocess.TimeoutExpired:
            raise _too_slow(file, limits) from None
        finally:
            child.kill()
            child.wait()
        if code > 0:  # an error of the reader itself
            complaint.seek(0)
            lines = complaint.read(MAX_COMPLAINT_BYTES).decode("utf-8", "replace").strip().splitlines()
            raise AssayError(f"{file}: the PDF reader failed: {lines[-1] if lines else code}; please report this")
        if code < 0:
            raise _failure(-code, file, limits)
        answer.seek(0)
        found: dict[str, Any] = json.loads(answer.read())
        return found


def _failure(number: int, file: str, limits: PdfLimits) -> InputError:
    """What the signal that ended the child means: a limit, or a file that breaks the reader."""
    if number == signal.SIGXFSZ:
        return InputError(
            f"{file}: the PDF unpacks to more than {limits.output_bytes} bytes of text; split it", code="TOO_MUCH_TEXT"
        )
    if number in _OUT_OF_TIME:
        return _too_slow(file, limits)
    if number in (signal.SIGABRT, signal.SIGTRAP, signal.SIGILL):  # how pdfium ends when it gets no memory
        return _too_much_memory(file, limits)
    return InputError(
        f"{file}: the PDF broke its reader (signal {number}); it is damaged or made to do so; print it to a new PDF",
        code="DAMAGED_FILE",
    )


def _too_slow(file: str, limits: PdfLimits) -> InputError:
    return InputError(
        f"{file}: the PDF was not read within {limits.seconds:g} s; keep the pages that hold the statements, or print "
        "it to a new PDF",
        code="TOO_SLOW",
    )


def _too_much_memory(file: str, limits: PdfLimits) -> InputError:
    return InputError(
        f"{file}: reading the PDF needs more than {limits.memory_bytes >> 20} MiB; keep the pages that hold the "
        "statements, or print it to a new PDF",
        code="TOO_MUCH_MEMORY",
    )


def _document(answer: dict[str, Any]) -> PagedDocument:
    parts: list[str] = []
    starts: list[int] = []
    lines: list[tuple[bool, TextRow]] = []
    at = 0
    for place, text in enumerate(answer["pages"]):
        starts.append(at)
        rows = answer["rows"].get(str(place))
        found = list(_plain_lines(text) if rows is None else rows)
        for in_table, cells, extents in found:
            row = _row(cells, extents, place + 1, at)
            lines.append((in_table, row))
            parts.append("\t".join(cells))
            at = row.end + 1
    whole = "\n".join(parts)
    return PagedDocument(whole, tuple(_tables(lines)), tuple(starts), language_of(whole))


def _plain_lines(text: str) -> Iterator[tuple[bool, list[str], list[tuple[float, float]]]]:
    return ((False, [line.rstrip()], []) for line in text.split("\n"))


def _row(cells: list[str], extents: list[list[float]], page: int, at: int) -> TextRow:
    spans: list[tuple[int, int]] = []
    end = at
    for cell in cells:
        spans.append((end, end + len(cell)))
        end += len(cell) + 1
    return TextRow(
        cells=tuple(cells),
        page=page,
        start=at,
        end=end - 1,
        spans=tuple(spans),
        extents=tuple((left, right) for left, right in extents),
    )


def _tables(lines: list[tuple[bool, TextRow]]) -> Iterator[Table]:
    """Rows that follow each other; over a page's end too, where the columns stay and no title stands between."""
    before: list[TextRow] = []
    rows: list[TextRow] = []
    between: list[TextRow] = []
    for in_table, row in lines:
        if not in_table:
            between.append(row)
            continue
        if rows and between and not _continues(rows, between, row):
            yield Table(tuple(before), tuple(rows))
            before, rows = between, []
        elif not rows:
            before = between
        between = []
        if rows and rows[-1].page != row.page and _rest_of_label(rows[-1], row):
            rows[-1] = _with_rest(rows[-1], row)
        else:
            rows.append(row)
    if rows:
        yield Table(tuple(before), tuple(rows))
    if between:
        yield Table(tuple(between), ())


def _continues(rows: list[TextRow], between: list[TextRow], row: TextRow) -> bool:
    last = rows[-1]
    if last.page is None or row.page != last.page + 1 or titles_among([one.text for one in between]):
        return False
    widest = max(rows[-12:], key=lambda one: len(one.cells))
    if len(row.cells) == 1 or len(widest.cells) == 1:
        return len(row.cells) == 1 and row.extent(0)[1] <= widest.extent(len(widest.cells) - 1)[1] + SAME_COLUMN_PT
    ends = [extent[1] for extent in widest.extents]
    return all(min(abs(extent[1] - end) for end in ends) <= SAME_COLUMN_PT for extent in row.extents[1:])


def _rest_of_label(last: TextRow, row: TextRow) -> bool:
    """A row that a page's end cuts in two leaves a bracket open."""
    opened = sum(last.cells[0].count(mark) for mark in "(（") - sum(last.cells[0].count(mark) for mark in ")）")
    closed = sum(row.cells[0].count(mark) for mark in ")）") - sum(row.cells[0].count(mark) for mark in "(（")
    return opened > 0 and closed > 0 and not any(row.cells[1:])


def _with_rest(last: TextRow, row: TextRow) -> TextRow:
    return TextRow(
        cells=(last.cells[0] + row.cells[0], *last.cells[1:]),
        page=last.page,
        start=last.start,
        end=last.end,
        spans=last.spans,
        extents=last.extents,
    )

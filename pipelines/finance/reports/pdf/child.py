"""The limited child process that reads one PDF: `python -m pipelines.finance.reports.pdf.child LIMITS < PDF > JSON`.

It takes limits of memory, processor time and output upon itself before it looks at the file. The answer is one JSON
object: `pages` (the text of each, null where rows were cut), `rows` (page -> [in table, cells, extents]), or `error`.
"""

import json
import resource
import signal
import sys
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from core.errors import InputError
from pipelines.finance.reports.pdf.columns import Column
from pipelines.finance.reports.pdf.glyphs import read_marks
from pipelines.finance.reports.pdf.layout import lay_out
from pipelines.finance.reports.pdf.pages import statement_pages

MAX_PAGE_CHARS = 400_000
MAX_SIDE_PT = 14_400.0  # 200 inches: the format's own limit
MIN_CHARS_A_PAGE = 12
_PASSWORD_NEEDED = 4  # pdfium's FPDF_ERR_PASSWORD
_UNKNOWN_SECURITY = 5
_CONTROLS = {code: None for code in range(32) if code not in (9, 10)} | {0x7F: None, 0xFFFE: "-", 2: "-"}


def main(arguments: list[str]) -> int:
    """Read the PDF on the standard input and answer on the standard output."""
    limits = json.loads(arguments[0])
    _limit(resource.RLIMIT_AS, limits["memory_bytes"])
    _limit(resource.RLIMIT_CPU, limits["cpu_seconds"])
    _limit(resource.RLIMIT_FSIZE, limits["output_bytes"])
    _limit(resource.RLIMIT_CORE, 0)
    try:
        answer = read(sys.stdin.buffer.read(), limits)
    except InputError as error:
        answer = {"error": {"code": error.code, "message": str(error)}}
    except MemoryError:
        answer = {"error": {"code": "TOO_MUCH_MEMORY", "message": ""}}
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it: the answer would be cut short unnoticed
    with open(1, "wb", closefd=False) as out:  # not sys.stdout.buffer: without its buffer it writes but a part
        out.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))
    return 0


def _limit(kind: int, most: int) -> None:
    """Lower a limit of this process; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def read(content: bytes, limits: dict[str, Any]) -> dict[str, Any]:
    """Texts of all pages and rows of those that hold statements. InputErrors name no file: the parent does."""
    document = _open(content)
    try:
        count = len(document)
        if count == 0:
            raise InputError("the PDF has no pages; export it again", code="NO_PAGES")
        if count > limits["pages"]:
            raise InputError(
                f"the PDF has {count} pages; up to {limits['pages']} are read; split it and keep the part that "
                "holds the financial statements",
                code="TOO_MANY_PAGES",
            )
        texts = _texts(document, limits["text_chars"])
        _check_text(texts)
        chosen = statement_pages(texts, limits["statement_pages"])
        rows = _rows(document, chosen)
    finally:
        document.close()
    return {"pages": [None if str(place) in rows else text for place, text in enumerate(texts)], "rows": rows}


def _open(content: bytes) -> Any:
    try:
        return pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        code = pdfium.FPDF_GetLastError() if error.err_code is None else error.err_code
        if code == _PASSWORD_NEEDED:
            raise InputError(
                "the PDF is encrypted and opens with a password only; save it without a password", code="ENCRYPTED"
            ) from None
        if code == _UNKNOWN_SECURITY:
            raise InputError(
                "the PDF is encrypted in a way that is not supported; print it to a new PDF", code="ENCRYPTED"
            ) from None
        raise InputError(
            "the PDF is damaged or has no page: it cannot be opened; copy it again or print it to a new PDF",
            code="DAMAGED_FILE",
        ) from None


def _page(document: Any, place: int) -> Any:
    try:
        page = document[place]
    except pypdfium2.PdfiumError:
        raise InputError(
            f"the PDF is damaged: page {place + 1} cannot be loaded; copy it again or print it to a new PDF",
            code="DAMAGED_FILE",
        ) from None
    width, height = page.get_size()
    if not (0 < width <= MAX_SIDE_PT and 0 < height <= MAX_SIDE_PT):
        raise InputError(
            f"page {place + 1} of the PDF measures {width:.0f} x {height:.0f} points; allowed are up to "
            f"{MAX_SIDE_PT:.0f} (200 inches) a side; print it to a new PDF",
            code="PAGE_TOO_LARGE",
        )
    return page


def _texts(document: Any, most: int) -> list[str]:
    texts: list[str] = []
    total = 0
    for place in range(len(document)):
        page = _page(document, place)
        text_page = page.get_textpage()
        count = text_page.count_chars()
        total += count
        if count > MAX_PAGE_CHARS or total > most:
            raise InputError(
                f"the PDF holds too much text: {count} characters on page {place + 1}, {total} up to there; allowed "
                f"are {MAX_PAGE_CHARS} on a page and {most} in all; split it",
                code="TOO_MUCH_TEXT",
            )
        text = text_page.get_text_range() if count else ""
        texts.append(text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS))
        text_page.close()
        page.close()
    return texts


def _check_text(texts: list[str]) -> None:
    """Refuse pictures of pages, and text whose letters cannot be told."""
    letters = sum(not letter.isspace() for text in texts for letter in text)
    if letters < MIN_CHARS_A_PAGE * len(texts):
        raise InputError(
            f"the PDF holds {letters} letters on {len(texts)} page(s): its pages are pictures (a scan); run it through "
            "text recognition (OCR) first",
            code="NO_TEXT",
        )
    unknown = sum(letter == "\ufffd" or "\ue000" <= letter <= "\uf8ff" for text in texts for letter in text)
    if unknown > 0.5 * letters:
        raise InputError(
            f"{unknown} of {letters} letters of the PDF have no meaning: its fonts name no characters; print it to a "
            "new PDF or run it through text recognition (OCR)",
            code="NO_TEXT",
        )


def _rows(document: Any, chosen: tuple[int, ...]) -> dict[str, list[Any]]:
    """Rows by page (as text: JSON's keys)."""
    rows: dict[str, list[Any]] = {}
    known: tuple[Column, ...] = ()
    for place in chosen:
        page = _page(document, place)
        text_page = page.get_textpage()
        laid = lay_out(read_marks(page.raw, text_page.raw, MAX_PAGE_CHARS), known if str(place - 1) in rows else ())
        known = laid.columns
        rows[str(place)] = [[row.in_table, row.cells, row.extents] for row in laid.rows]
        text_page.close()
        page.close()
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

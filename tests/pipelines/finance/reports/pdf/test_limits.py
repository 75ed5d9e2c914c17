"""PDF files that are broken, closed or made to do harm: each a clear error within bounded time and memory."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from pipelines.finance.reports.pdf.reader import PdfLimits, read_pdf
from tests.pipelines.finance.reports.pdf import bad_pdfs

BAD = {
    "no PDF": (b"Dear reader, this is a letter.", "WRONG_FORMAT", "%PDF-"),
    "nothing": (b"", "WRONG_FORMAT", "%PDF-"),
    "only a head": (b"%PDF-1.7\n", "DAMAGED_FILE", "cannot be opened"),
    "noise": (b"%PDF-1.7\n" + b"\0\xff\x80obj" * 4000, "DAMAGED_FILE", "cannot be opened"),
    "cut short": (bad_pdfs.of_words()[:400], "DAMAGED_FILE", "copy it again"),
    "no pages": (bad_pdfs.without_pages(), "DAMAGED_FILE", "no page"),
    "ten thousand pages": (bad_pdfs.many_pages(10_000), "TOO_MANY_PAGES", "10000 pages; up to 3000"),
    "a tree that holds itself": (bad_pdfs.looping_tree(), "DAMAGED_FILE", "page 1 cannot be loaded"),
    "a page of 300 metres": (bad_pdfs.huge_page(), "PAGE_TOO_LARGE", "900000 x 900000 points"),
    "a scan": (bad_pdfs.scanned(), "NO_TEXT", "OCR"),
    "a password": (bad_pdfs.encrypted("secret"), "ENCRYPTED", "password"),
    "a bomb of text": (bad_pdfs.flate_bomb(300), "TOO_MUCH_MEMORY", "more than 1024 MiB"),
    "a bomb of drawings": (bad_pdfs.nested_forms(12, 10), "TOO_MUCH_MEMORY", "more than 1024 MiB"),
}
HARMLESS = {
    "a page": bad_pdfs.plain(),
    "forbidden to copy, but no password": bad_pdfs.encrypted(""),
    "claims a hundred million pages": bad_pdfs.lying_count(),
    "a table of objects before itself": bad_pdfs.looping_xref(),
    "claims two thousand million objects": bad_pdfs.xref_bomb(),
    "other bytes before": b"\n\n  " + bad_pdfs.plain(),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_pdf_is_an_error_that_says_what_to_do(case: str) -> None:
    content, code, words = BAD[case]
    with pytest.raises(InputError, match=words) as caught:
        read_pdf(content, "report.pdf")
    assert caught.value.code == code
    assert str(caught.value).startswith("report.pdf: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", HARMLESS)
def test_an_odd_pdf_that_holds_its_text_is_read(case: str) -> None:
    document = read_pdf(HARMLESS[case], "report.pdf")
    assert document.text == "A page with enough words to be read as text."
    assert document.page_starts == (0,)


def test_an_endless_pdf_ends_when_its_time_is_over() -> None:
    endless = bad_pdfs.nested_forms(40, 40, last=b"q Q")
    start = time.monotonic()
    with pytest.raises(InputError, match=r"within 1\.5 s") as caught:
        read_pdf(endless, "report.pdf", PdfLimits(seconds=1.5))
    assert caught.value.code == "TOO_SLOW"
    assert time.monotonic() - start < 30


def test_an_endless_pdf_ends_when_its_processor_time_is_used() -> None:
    endless = bad_pdfs.nested_forms(40, 40, last=b"q Q")
    with pytest.raises(InputError) as caught:
        read_pdf(endless, "report.pdf", PdfLimits(cpu_seconds=1))
    assert caught.value.code == "TOO_SLOW"


def test_limits_of_text_and_output_hold() -> None:
    pages = bad_pdfs.many_pages(500)
    with pytest.raises(InputError) as caught:
        read_pdf(pages, "report.pdf", PdfLimits(text_chars=10_000))
    assert caught.value.code == "TOO_MUCH_TEXT"
    with pytest.raises(InputError) as caught:
        read_pdf(pages, "report.pdf", PdfLimits(output_bytes=2_000))
    assert caught.value.code == "TOO_MUCH_TEXT"


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="pages must be above 0, got 0"):
        PdfLimits(pages=0)


def test_the_parent_never_loads_a_pdf_library() -> None:
    script = (
        "import sys; from pipelines.finance.reports.pdf.reader import read_pdf; "
        f"read_pdf({bad_pdfs.plain()!r}, 'a.pdf'); "
        "print([name for name in ('pypdfium2', 'pdfplumber', 'torch', 'pandas') if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[5]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(9, 1_300), st.binary(min_size=1, max_size=12)), min_size=1, max_size=6))
def test_a_pdf_with_changed_bytes_is_read_or_refused(changes: list[tuple[int, bytes]]) -> None:
    content = bytearray(bad_pdfs.of_words())
    for place, noise in changes:
        content[place : place + len(noise)] = noise
    with contextlib.suppress(InputError):
        document = read_pdf(bytes(content), "report.pdf", PdfLimits(seconds=20))
        assert document.page_starts

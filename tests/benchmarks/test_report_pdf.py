"""PDF reports: seconds and memory to read them, beside pypdf where it is there. Prints a table; fails on nothing."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pypdfium2
import pytest

from pipelines.finance.reports.pdf.reader import read_pdf
from pipelines.finance.reports.tables.recognise import recognise

pytestmark = [pytest.mark.bench, pytest.mark.realdata]
FILES = ("pdf/lyft_2021_10k.pdf", "zh_annual/600201_2020.pdf")
PYPDF = "import sys, pypdf; [page.extract_text() for page in pypdf.PdfReader(sys.argv[1]).pages]"
PLUMBER = "import sys, pdfplumber; [page.extract_tables() for page in pdfplumber.open(sys.argv[1]).pages[:10]]"


def least(work: Callable[[], object], repeats: int = 3) -> float:
    """Seconds by the clock of the fastest of several runs."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def bare_text(path: Path) -> None:
    """The floor: pdfium's text of all pages, in this process."""
    document = pypdfium2.PdfDocument(path)
    for page in document:
        page.get_textpage().get_text_range()
    document.close()


def in_child(script: str, path: Path) -> None:
    subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True)


def has(package: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import {package}"], capture_output=True, check=False).returncode == 0


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FILES)
def test_pdf_reports_beside_others(realdata: Path, name: str) -> None:
    path = realdata / "data/finance/reports" / name
    content = path.read_bytes()
    document = read_pdf(content, path.name)
    ours = least(lambda: read_pdf(content, path.name))
    lines = least(lambda: recognise(document, document.language))
    floor = least(lambda: bare_text(path))
    found = recognise(document, document.language)
    print(f"\n{path.name}: {len(document.page_starts)} pages, {len(content) / 2**20:.1f} MB")
    print(f"  read_pdf, text and tables, in its limited child  {ours:6.2f} s")
    print(f"  recognise                                        {lines:6.2f} s")
    print(f"  pdfium, text only (the floor)                    {floor:6.2f} s, we: {ours / floor:.1f} times")
    if has("pypdf"):
        other = least(lambda: in_child(PYPDF, path), repeats=1)
        print(
            f"  pypdf, text only                                 {other:6.2f} s, we are {other / ours:.1f} times faster"
        )
    else:
        print("  pypdf is not installed")
    if has("pdfplumber"):
        other = least(lambda: in_child(PLUMBER, path), repeats=1)
        print(f"  pdfplumber, tables of the first ten pages only   {other:6.2f} s")
    print(f"  lines found: { {name: len(found_lines) for name, found_lines in found.items()} }")
    print(f"  most memory of a child: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MiB")

"""What kind of file it is, by its content; the name decides only between a table and a text of bare characters."""

import re

from core.errors import InputError
from data.finance.reports import Kind
from pipelines.finance.reports.archive import names_in
from pipelines.finance.reports.markup import first_tag

PDF_WITHIN = 1024  # bytes before %PDF that readers allow
HEAD = 4096
WORKBOOKS = ("xl/workbook.xml", "xl/workbook.bin")
OTHERS = (  # how files begin that hold no report that can be read
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"{\\rtf", "a rich-text file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"PAR1", "a Parquet table"),
    (b"SQLite format", "a database"),
)
ALLOWED = "reports are HTML, XBRL, PDF, XLSX, CSV, JSON or text"
TABLES = (".csv", ".tsv")
_JSON_OBJECT = re.compile(rb'\s*\{\s*"')
_LINES = re.compile(rb'\{"[^\n]*"inside"')


def kind_of(content: bytes, file: str) -> Kind:
    """The reader's kind of unpacked bytes. An XHTML page is `ixbrl`; its reader may find nothing tagged in it."""
    head = content[:HEAD].removeprefix(b"\xef\xbb\xbf")
    if not head.strip(b"\0 \t\r\n"):
        raise InputError(f"{file}: an empty file; give a report", code="EMPTY_FILE")
    if b"%PDF-" in content[:PDF_WITHIN]:
        return "pdf"
    if content.startswith(b"PK"):
        return _kind_of_zip(content, file)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        return "sheet"  # whose reader says how to save it
    for start, what in OTHERS:
        if content.startswith(start):
            raise InputError(
                f"{file}: {what}; reports are HTML, XBRL, PDF, XLSX, CSV, JSON or text", code="WRONG_FORMAT"
            )
    if _JSON_OBJECT.match(head) and not _LINES.match(head):
        return "companyfacts"
    tag = first_tag(content)
    if tag == "xbrl":
        return "xbrl"
    if tag or head.lstrip(b"\xff\xfe\0 \t\r\n").startswith(b"<"):  # whose parser says what is wrong with it
        return "ixbrl"
    name = file.lower().removesuffix(".gz")
    if name.endswith(TABLES):
        return "sheet"
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")) and head.count(b"\0") < len(head) // 3:
        raise InputError(
            f"{file}: no text and no known format; give HTML, XBRL, PDF, XLSX or text", code="WRONG_FORMAT"
        )
    return "text"


def _kind_of_zip(content: bytes, file: str) -> Kind:
    try:
        names = names_in(content, file)
    except InputError:
        return "xbrl"  # whose reader says what is broken
    if any(name in WORKBOOKS for name in names):
        return "sheet"
    if "word/document.xml" in names:
        raise InputError(f"{file}: a Word document; save it as PDF or HTML", code="WRONG_FORMAT")
    return "xbrl"

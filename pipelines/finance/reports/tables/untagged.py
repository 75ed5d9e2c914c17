"""Reports without tags (HTML, text, PDF, sheets) -> a report with its statements, recognised by their words."""

import re
from collections import Counter

from lxml import etree

from data.finance.reports import Kind, Report
from pipelines.finance.reports.items import Language
from pipelines.finance.reports.markup import decode
from pipelines.finance.reports.pdf.reader import read_pdf
from pipelines.finance.reports.tables.calendars import read_calendar
from pipelines.finance.reports.tables.cover import read_cover
from pipelines.finance.reports.tables.html import read_html
from pipelines.finance.reports.tables.paged import language_of
from pipelines.finance.reports.tables.plain import read_text
from pipelines.finance.reports.tables.recognise import recognise
from pipelines.finance.reports.tables.rows import Document
from pipelines.finance.reports.tables.sheets import read_sheet
from pipelines.finance.reports.tables.units import LONGEST, find_currency

# dollars of no country, not HK$ or C$: the American ones, but for companies of another country's register or exchange
_DOLLARS = re.compile(r"(?<![A-Z])\$\s?(?:\d|['’‘]000\b|m\b|mn\b|million|thousand)|\bdollars\b(?= in)", re.IGNORECASE)
_OTHER_DOLLARS = re.compile(r"\bA[BC]N:? \d\d|\b(?:ASX|NZX|SGX|TSX)\b|Stock Exchange of Hong Kong")
_SEC_FORM = re.compile(r"(?:10|20|40)-[KQF]T?(?:/A)?")


def from_html(root: etree._Element, file: str) -> Report:
    """A page without tags that is parsed already."""
    return from_document(read_html(root), file, "html")


def from_text(content: bytes, file: str) -> Report:
    """Plain text, or JSON lines."""
    return from_document(read_text(decode(content, file)), file, "text")


def from_pdf(content: bytes, file: str) -> Report:
    """A PDF, read in a child process."""
    return from_document(read_pdf(content, file), file, "pdf")


def from_sheet(content: bytes, file: str) -> Report:
    """A workbook or a CSV file."""
    return from_document(read_sheet(content, file), file, "sheet")


def from_document(document: Document, file: str, kind: Kind) -> Report:
    """The statements of a document, whatever it was read from."""
    language = language_of(document.text)
    cover = read_cover(document.text, language)
    calendar = read_calendar(document.text, language)
    lines = recognise(document, language, calendar, _currency(document.text, language, cover.form), kind == "sheet")
    every = [line for rows in lines.values() for line in rows]
    return Report(
        file=file,
        kind=kind,
        language=language,
        company=cover.company,
        form=cover.form,
        period_end=calendar.period_end or max((line.period_end for line in every), default=None),
        currency=next((line.currency for line in every if line.currency), None),
        statements=lines,
        text=document.text,
    )


def _currency(text: str, language: Language, form: str | None) -> str | None:
    """The currency that most lines name; a dollar sign alone, or a form of the SEC, names the American one."""
    named = Counter(code for line in text.splitlines() if len(line) <= LONGEST and (code := find_currency(line)))
    is_american = form is not None and _SEC_FORM.fullmatch(form) is not None
    if language == "en" and (is_american or not _OTHER_DOLLARS.search(text)):
        named["USD"] += len(_DOLLARS.findall(text))
    elif not named and "元" in text:
        return "CNY"
    code, times = max(named.items(), key=lambda pair: pair[1], default=(None, 0))
    if times:
        return code
    return "USD" if is_american and form is not None and form.startswith("10") else None

"""A company report in, its facts, statements, sections and checks out: the main path.

The kind is told by the content. Every reader leaves the same `Report`; what is wrong with its figures stands in
`checks`. A file that cannot be read raises one `InputError` that says why.
"""

from dataclasses import replace
from pathlib import Path

from data.finance.reports import Check, Report
from pipelines.finance.reports.archive import read_file
from pipelines.finance.reports.checks import check
from pipelines.finance.reports.company_name import same_company
from pipelines.finance.reports.markup import unpack
from pipelines.finance.reports.page import parse_page
from pipelines.finance.reports.sniff import kind_of
from pipelines.finance.reports.tables.settle import settle
from pipelines.finance.reports.tables.untagged import from_html, from_pdf, from_sheet, from_text
from pipelines.finance.reports.tags.inline_parts import is_inline
from pipelines.finance.reports.tags.tagged import from_company_facts, from_package, from_page
from pipelines.finance.reports.text.sections import find_sections

LOOKED_THROUGH = 20_000  # characters of an untagged report that may name its company


def extract(source: Path, company: str | None = None) -> Report:
    """The report in a file, or in a folder that holds an XBRL package. `company`: whose it is said to be."""
    file = str(source)
    report = from_package(source, file) if source.is_dir() else read(read_file(source, file), file)
    return finish(report, company)


def extract_bytes(content: bytes, file: str, company: str | None = None) -> Report:
    """The same for bytes under a name."""
    return finish(read(content, file), company)


def read(content: bytes, file: str) -> Report:
    """The report with facts, statements and text, whatever its format."""
    content = unpack(content, file)
    kind = kind_of(content, file)
    if kind == "ixbrl":
        root = parse_page(content, file)
        return from_page(root, file) if is_inline(root) else from_html(root, file)
    if kind == "xbrl":
        return from_package(content, file)
    readers = {"companyfacts": from_company_facts, "pdf": from_pdf, "sheet": from_sheet}
    return readers.get(kind, from_text)(content, file)


def finish(report: Report, company: str | None = None) -> Report:
    """The report with its sections and checks, and with lines that mean two items under both."""
    lines = settle(report.statements)
    checks = (*report.checks, *check(lines))
    if company is not None:
        checks = (*checks, company_check(report, company))
    sections = find_sections(report.text, report.language, report.form) if report.text else ()
    return replace(report, statements=lines, sections=sections, checks=checks)


def company_check(report: Report, company: str) -> Check:
    """Whether the report is of the company that it is said to be of."""
    if report.company is not None:
        same = same_company(company, report.company)
        return Check("company_matches", same, f"said to be of {company}; the report names {report.company}")
    found = company in report.text[:LOOKED_THROUGH]
    words = "which its first pages name" if found else "which its first pages do not name"
    return Check("company_matches", found, f"said to be of {company}, {words}")

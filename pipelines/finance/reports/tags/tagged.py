"""Tagged reports (inline XBRL, XBRL packages, company facts) -> a report with its statements."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from lxml import etree

from data.finance.reports import Fact, Report
from pipelines.finance.reports.tables.html import visible_text
from pipelines.finance.reports.tags.companyfacts import read_companyfacts
from pipelines.finance.reports.tags.from_facts import statements
from pipelines.finance.reports.tags.ixbrl import read_tree
from pipelines.finance.reports.tags.linkbases import Linkbases
from pipelines.finance.reports.tags.row_words import row_words
from pipelines.finance.reports.tags.xbrl import read_package

PERIOD_LABELS = ("periodStartLabel", "periodEndLabel")  # "beginning of year": of one place, not of the concept


def from_page(root: etree._Element, file: str) -> Report:
    """A page of inline XBRL that is parsed already."""
    report = read_tree(root, file)
    lines = statements(report.facts, report.currency, words=row_words([root]), language=report.language)
    return replace(report, statements=lines, text=visible_text(root))


def from_package(source: Path | bytes, file: str) -> Report:
    """A package of XBRL, or an instance alone."""
    package = read_package(source, file)
    report, links = package.report, package.links
    roles = {links.roles.get(role) or role: [row.concept for row in rows] for role, rows in links.presentation.items()}
    inline = report.kind == "ixbrl"
    lines = statements(
        report.facts,
        report.currency,
        roles=roles,
        words=_label_words(links),
        in_order=inline,
        language=report.language,
    )
    return replace(report, statements=lines)


def from_company_facts(content: bytes, file: str) -> Report:
    """All periods that a company ever filed; of one period the figure that was filed last."""
    report = read_companyfacts(content, file)
    latest_first = report.facts[::-1]
    return replace(report, statements=statements(latest_first, report.currency, in_order=False))


def _label_words(links: Linkbases) -> Callable[[Fact], str]:
    """What a fact is called in the first tree that shows it, statements before notes."""
    shown: dict[str, str | None] = {}
    for role in sorted(links.presentation, key=lambda role: "statement" not in links.roles.get(role, "").lower()):
        for row in links.presentation[role]:
            if row.label_role not in PERIOD_LABELS:
                shown.setdefault(row.concept, row.label_role)
    labels: Mapping[str, str | None] = {concept: links.label(concept, shown.get(concept)) for concept in links.labels}
    return lambda fact: labels.get(fact.concept) or ""

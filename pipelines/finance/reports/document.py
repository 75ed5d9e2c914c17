"""A report as the JSON document of the contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from data.finance.reports import STATEMENTS, Report, iso

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Features:
    """What features are to be worked out with, besides the report."""

    last_text: str | None = None  # of the same company's report of the year before
    rules: Sequence[Path] = ()  # further tables of rules
    peers: Mapping[str, tuple[float, ...]] | None = None  # see pipelines.finance.rules.evaluate.fit_reference


def to_document(report: Report, features: Features | None = None, facts: bool = True) -> Document:
    """Numbers are decimal strings, dates ISO. `facts` false leaves the facts out, for tables."""
    document: Document = {
        "file": report.file,
        "kind": report.kind,
        "language": report.language,
        "company": report.company,
        "form": report.form,
        "period_end": iso(report.period_end),
        "currency": report.currency,
        "facts": [fact.to_json() for fact in report.facts] if facts else [],
        "statements": {name: [line.to_json() for line in report.statements.get(name, ())] for name in STATEMENTS},
        "sections": [{"name": section.name, "start": section.start, "end": section.end} for section in report.sections],
        "checks": [{"name": one.name, "passed": one.passed, "detail": one.detail} for one in report.checks],
    }
    return document if features is None else document | {"features": features_of(report, features)}


def features_of(report: Report, wish: Features) -> dict[str, dict[str, Any]]:
    """Every feature's value, or the reason why it is missing; without statements those of the wording alone.

    InputError: a table of rules is no good.
    """
    # the rules need numpy, which a report without features does without
    from pipelines.finance.rules.columns import Period, panel_of  # noqa: PLC0415
    from pipelines.finance.rules.evaluate import evaluate  # noqa: PLC0415
    from pipelines.finance.rules.from_report import report_features, wording_of  # noqa: PLC0415
    from pipelines.finance.rules.rulebook import load_rules  # noqa: PLC0415

    book = load_rules(*wish.rules)
    if any(report.statements.values()):
        return report_features(report, last_text=wish.last_text, rules=book, reference=wish.peers)
    wording = wording_of(report, wish.last_text)
    known = {name: value for name, value in wording.values.items() if value is not None}
    own = Period(end=report.period_end or date(1900, 12, 31), values=known)
    return evaluate(panel_of([own], wording.missing), book, reference=wish.peers).to_json(0, report.language)

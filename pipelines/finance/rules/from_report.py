"""The features of one report: its statement lines as periods, its wording, and the rules over both."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from core.errors import InputError
from data.finance.reports import Line, Report, Scope
from pipelines.finance.reports.text.wording import TextMeasures, text_measures
from pipelines.finance.rules.columns import Panel, Period, panel_of
from pipelines.finance.rules.evaluate import Reference, evaluate
from pipelines.finance.rules.rulebook import Rulebook


def report_features(
    report: Report, *, last_text: str | None = None, rules: Rulebook | None = None, reference: Reference | None = None
) -> dict[str, dict[str, Any]]:
    """The contract's features of a report's own period. `last_text`: the same company's report of the year before.

    A report without statements (a research note) has its wording; InputError: it has no text either.
    """
    panel = panel_of_report(report, wording_of(report, last_text))
    return evaluate(panel, rules, reference=reference).to_json(0, report.language)


def wording_of(report: Report, last_text: str | None = None) -> TextMeasures:
    """The measures of the report's wording."""
    return text_measures(report.text, report.sections, report.language, last_text)


def panel_of_report(report: Report, wording: TextMeasures | None = None) -> Panel:
    """The report's periods as a panel, its own period first."""
    periods = periods_of(report) or [Period(end=report.period_end or date.max, values={})]
    if not periods[0].values and not report.text:
        raise InputError(f"{report.file}: there is neither a statement line nor text; no feature can be worked out")
    if wording is None:
        return panel_of(periods)
    known = {name: value for name, value in wording.values.items() if value is not None}
    own = Period(end=periods[0].end, values={**periods[0].values, **known}, months=periods[0].months)
    return panel_of([own, *periods[1:]], wording.missing)


def periods_of(report: Report) -> list[Period]:
    """One period for each date that lines end at, the report's own first, then the latest first.

    Consolidated lines, or the parent company's where there are no others. Of an interim report's columns the one that
    covers most months (the year to date) is taken.
    """
    lines = [line for statement in report.statements.values() for line in statement]
    scope: Scope = "consolidated" if any(line.scope == "consolidated" for line in lines) else "parent"
    chosen: dict[date, dict[str, Line]] = {}
    for line in lines:
        if line.scope != scope or not _in_currency(line, report):
            continue
        known = chosen.setdefault(line.period_end, {}).get(line.item)
        if known is None or (line.months or 0) > (known.months or 0):
            chosen[line.period_end][line.item] = line
    own = _own(report, chosen)
    ends = sorted(chosen, key=lambda end: (end != own, -end.toordinal()))
    return [_period(end, chosen[end]) for end in ends]


def _own(report: Report, chosen: Mapping[date, Mapping[str, Line]]) -> date | None:
    """The report's period; where it is not stated, or no line ends then, that of the most lines, the latest of them."""
    if report.period_end in chosen:
        return report.period_end
    return max(chosen, key=lambda end: (len(chosen[end]), end), default=None)


def _in_currency(line: Line, report: Report) -> bool:
    return None in (line.currency, report.currency) or line.currency == report.currency


def _period(end: date, lines: Mapping[str, Line]) -> Period:
    values: dict[str, Decimal | float | int | None] = {item: line.value for item, line in lines.items()}
    return Period(end=end, values=values, months={item: line.months for item, line in lines.items() if line.months})

"""Whose report it is, of which period, in which currency: from the facts that say so, else from the figures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Literal

from data.finance.reports import Check, Fact, Kind, Report
from pipelines.finance.reports.tags.contexts import Unit

COMPANY = (
    "EntityRegistrantName",  # dei
    "NameOfReportingEntityOrOtherMeansOfIdentification",  # ifrs-full
    "NameOfReportingEntity",  # gsd, Denmark
    "EntityCurrentLegalOrRegisteredName",  # uk-bus
    "NameOfUltimateParentOfGroup",
)
FORM = ("DocumentType",)
PERIOD_END = (
    "DocumentPeriodEndDate",
    "DateOfEndOfReportingPeriod2013",
    "DateOfEndOfReportingPeriod",
    "ReportingPeriodEndDate",
    "EndDateForPeriodCoveredByReport",
    "BalanceSheetDate",
)
WANTED = frozenset((*COMPANY, *FORM, *PERIOD_END))


def identity(
    file: str,
    kind: Kind,
    facts: tuple[Fact, ...],
    texts: tuple[Fact, ...],
    units: Mapping[str, Unit],
    languages: Sequence[str],
    checks: tuple[Check, ...],
) -> Report:
    """A report of these facts, with its company, form, last day and currency."""
    said: dict[str, Fact] = {}
    for fact in texts:
        name = fact.concept.rpartition(":")[2]
        if name in WANTED and fact.value and (name not in said or (said[name].dimensions and not fact.dimensions)):
            said[name] = fact
    currencies = {unit.name for unit in units.values() if unit.currency}
    return Report(
        file=file,
        kind=kind,
        language=_language(languages, texts),
        company=_first(said, COMPANY),
        form=_first(said, FORM),
        period_end=_period_end(said, facts),
        currency=_most_used(fact.unit for fact in facts if fact.unit in currencies and not fact.dimensions),
        facts=facts,
        texts=texts,
        checks=checks,
    )


def _first(said: Mapping[str, Fact], names: Iterable[str]) -> str | None:
    return next((str(said[name].value) for name in names if name in said), None)


def _period_end(said: Mapping[str, Fact], facts: Sequence[Fact]) -> date | None:
    written = _first(said, PERIOD_END)
    if written is not None:
        try:
            return date.fromisoformat(written[:10])
        except ValueError:
            pass  # not a whole date: the periods of the facts say it
    for name in (*FORM, *COMPANY):
        if name in said and said[name].end is not None:
            return said[name].end
    ends = Counter(fact.end or fact.instant for fact in facts if not fact.dimensions)
    often = [day for day, times in ends.items() if day is not None and 2 * times >= max(ends.values())]
    return max(often, default=None)


def _most_used(names: Iterable[str | None]) -> str | None:
    counted = Counter(names).most_common(1)
    return counted[0][0] if counted else None


def _language(languages: Sequence[str], texts: Sequence[Fact]) -> Literal["en", "zh"]:
    said = next((language for language in languages if language), "")
    if said:
        return "zh" if said.lower().startswith("zh") else "en"
    words = "".join(fact.value[:100] for fact in texts[:100] if isinstance(fact.value, str))
    chinese = sum("\u4e00" <= character <= "\u9fff" for character in words)
    return "zh" if 5 * chinese > len(words) else "en"

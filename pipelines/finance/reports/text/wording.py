"""What a report's wording says: length, tone, uncertainty, change against last year, and events it affirms.

`text_measures.csv` describes every measure. A measure that cannot be made is missing, with its reason.
"""

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from math import log, sqrt
from pathlib import Path

from data.finance.reports import Section
from pipelines.finance.reports.text.sections import find_sections
from pipelines.finance.reports.text.wording_amounts import largest_amount
from pipelines.finance.reports.text.wording_events import EVENTS, affirmed, answered
from pipelines.finance.reports.text.wording_opinion import opinion
from pipelines.finance.reports.text.wording_sentences import Profile, Sentence, between, profile, read_sentences

TABLE = Path(__file__).with_name("text_measures.csv")
_SECTIONS = {"mdna": "mdna", "risk": "risk_factors", "business": "business", "legal": "legal_proceedings"}
_SECTIONS |= {"audit": "auditor_report"}
_RATES = (
    *("uncertainty", "litigious", "constraining", "weak_modal", "strong_modal", "covenant", "impairment", "guarantee"),
    *("related_party", "pledge", "liquidity_stress", "concentration", "restructuring"),
)
_EVENT_NAMES = {"going_concern": "going_concern_doubt"}
_LEAST = 200  # words; of less no rate is worth having
_LEAST_IN_SECTION = 30


@dataclass(frozen=True, slots=True)
class TextMeasures:
    """Every measure of `text_measures.csv`: its value, or None and the reason."""

    values: Mapping[str, float | None]
    missing: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Reading:
    """A report's text, read once."""

    text: str
    language: str
    sections: Mapping[str, Section]
    sentences: Sequence[Sentence]
    whole: Profile
    parts: Mapping[str, Profile] = field(default_factory=dict)  # by the short names of _SECTIONS

    def sentences_of(self, part: str) -> Sequence[Sentence]:
        """The sentences of a section."""
        section = self.sections[_SECTIONS[part]]
        return between(self.sentences, section.start, section.end)


@cache
def measure_names() -> tuple[str, ...]:
    """The names of all measures, in the order of the table."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return tuple(row["name"] for row in csv.DictReader(lines))


def text_measures(text: str, sections: Sequence[Section], language: str, last_text: str | None = None) -> TextMeasures:
    """All measures of a report's visible text; `last_text` is the same company's report of the year before."""
    now = _read(text, sections, language)
    values: dict[str, float | None] = {}
    missing: dict[str, str] = {}
    if now.whole.units < _LEAST:
        reason = f"the report has fewer than {_LEAST} words of running text"
        return TextMeasures(dict.fromkeys(measure_names()), dict.fromkeys(measure_names(), reason))
    last = _read(last_text, find_sections(last_text, language), language) if last_text else None
    for measured in (
        _style(now),
        _tone(now),
        _rates(now),
        _changes(now, last),
        _events(now),
        _audit(now),
        _amount(now),
    ):
        for name, value in measured.items():
            values[name] = None if isinstance(value, str) else float(value)
            if isinstance(value, str):
                missing[name] = value
    return TextMeasures({name: values[name] for name in measure_names()}, missing)


def _read(text: str, sections: Sequence[Section], language: str) -> _Reading:
    longest: dict[str, Section] = {}
    for section in sections:
        known = longest.get(section.name)
        if known is None or section.end - section.start > known.end - known.start:
            longest[section.name] = section
    sentences = read_sentences(text, language)
    reading = _Reading(text, language, longest, sentences, profile(sentences, language))
    parts = {part: profile(reading.sentences_of(part), language) for part, name in _SECTIONS.items() if name in longest}
    return _Reading(text, language, longest, sentences, reading.whole, parts)


def _style(now: _Reading) -> dict[str, float | str]:
    whole = now.whole
    sentences = max(whole.sentences, 1)
    words_in_sentence = sum(_words(sentence) for sentence in now.sentences if sentence.closed)
    length = words_in_sentence / sentences
    fog = 0.4 * (length + 100.0 * whole.complex_words / max(words_in_sentence, 1))
    measured: dict[str, float | str] = {
        "text_words": whole.units,
        "text_sentences": whole.sentences,
        "text_sentence_length": length,
        "text_clause_length": words_in_sentence / max(whole.clauses, 1),
        "text_long_sentences": whole.long_sentences / sentences,
        "text_fog": fog if now.language == "en" else "the fog index is defined for English",
        "text_numbers_share": whole.numbers / max(whole.units + whole.numbers, 1),
        "text_different_share": whole.different,
        "text_risk_share": _of(now, "risk", lambda part: part.units / whole.units),
    }
    return measured | {f"text_{part}_words": _of(now, part, lambda part: part.units, least=0) for part in _SECTIONS}


def _tone(now: _Reading) -> dict[str, float | str]:
    in_mdna = _of(now, "mdna", _balance)
    whole = _balance(now.whole)
    return {
        "text_tone": whole,
        "text_positive": now.whole.good / max(now.whole.sentences, 1),
        "text_negative": now.whole.bad / max(now.whole.sentences, 1),
        "text_tone_mdna": in_mdna,
        "text_positive_mdna": _of(now, "mdna", lambda part: part.good / max(part.sentences, 1)),
        "text_negative_mdna": _of(now, "mdna", lambda part: part.bad / max(part.sentences, 1)),
        "text_tone_risk": _of(now, "risk", _balance),
        "text_tone_gap": in_mdna if isinstance(in_mdna, str) else in_mdna - whole,
        "text_forward_share": now.whole.forward / max(now.whole.sentences, 1),
        "text_forward_mdna": _of(now, "mdna", lambda part: part.forward / max(part.sentences, 1)),
    }


def _rates(now: _Reading) -> dict[str, float | str]:
    measured: dict[str, float | str] = {f"text_{name}": now.whole.rate(name) for name in _RATES}
    return measured | {"text_uncertainty_mdna": _of(now, "mdna", lambda part: part.rate("uncertainty"))}


def _changes(now: _Reading, last: _Reading | None) -> dict[str, float | str]:
    names = ("change", "mdna_change", "risk_change", "length_change", "risk_length_change", "tone_change")
    if last is None or last.whole.units < _LEAST:
        reason = (
            "no report of the year before was given" if last is None else "the report of the year before is too short"
        )
        return {f"text_{name}": reason for name in (*names, "uncertainty_change")}
    measured: dict[str, float | str] = {
        "text_change": 1.0 - _likeness(now.sentences, last.sentences),
        "text_length_change": log(now.whole.units / last.whole.units),
        "text_tone_change": _balance(now.whole) - _balance(last.whole),
        "text_uncertainty_change": now.whole.rate("uncertainty") - last.whole.rate("uncertainty"),
    }
    for part in ("mdna", "risk"):
        before = _of(last, part, lambda profile: profile.units)
        here = _of(now, part, lambda profile: profile.units)
        if isinstance(here, str) or isinstance(before, str):
            reason = here if isinstance(here, str) else f"in the report of the year before {before}"
            measured |= {f"text_{part}_change": reason} | (
                {"text_risk_length_change": reason} if part == "risk" else {}
            )
            continue
        measured[f"text_{part}_change"] = 1.0 - _likeness(now.sentences_of(part), last.sentences_of(part))
        if part == "risk":
            measured["text_risk_length_change"] = log(here / before)
    return measured


def _events(now: _Reading) -> dict[str, float | str]:
    risk = now.sections.get("risk_factors")
    said = [s for s in now.sentences if risk is None or not risk.start <= s.start < risk.end]
    measured: dict[str, float | str] = {}
    for event in EVENTS:
        answer = answered(now.text, event) if now.language == "zh" else None
        happened = affirmed(said, event, now.language) > 0 if answer is None else answer
        measured[f"text_{_EVENT_NAMES.get(event, event)}"] = float(happened)
    return measured


def _audit(now: _Reading) -> dict[str, float | str]:
    kinds = ("unqualified", "qualified", "adverse", "disclaimer")
    section = now.sections.get("auditor_report")
    found = opinion(now.text[section.start : section.end], now.language) if section else None
    reason = (
        "the section auditor_report was not found" if section is None else "the auditor's words fit no kind of opinion"
    )
    if found and found.kind == "review":
        reason = "the auditor reviewed the statements and gives no opinion"
    if found is None or found.kind == "review":
        return {f"text_opinion_{kind}": reason for kind in (*kinds, "emphasis")}
    measured: dict[str, float | str] = {f"text_opinion_{kind}": float(found.kind == kind) for kind in kinds}
    return measured | {"text_opinion_emphasis": float(found.emphasis)}


def _amount(now: _Reading) -> dict[str, float | str]:
    section = now.sections.get("legal_proceedings")
    if section is None:
        return {"text_litigation_amount": "the section legal_proceedings was not found"}
    amount = largest_amount(now.text[section.start : section.end], now.language)
    return {"text_litigation_amount": "the section legal_proceedings names no amount" if amount is None else amount}


def _of(now: _Reading, part: str, measure: Callable[[Profile], float], least: int = _LEAST_IN_SECTION) -> float | str:
    """The measure of a section, or why there is none."""
    if part not in now.parts:
        return f"the section {_SECTIONS[part]} was not found"
    if now.parts[part].units < least:
        return f"the section {_SECTIONS[part]} has fewer than {least} words"
    return measure(now.parts[part])


def _balance(part: Profile) -> float:
    return (part.good - part.bad) / max(part.good + part.bad, 1)


def _likeness(one: Sequence[Sentence], other: Sequence[Sentence]) -> float:
    """The cosine of the square roots of how often each pair of neighbouring words stands in both."""
    a, b = _pairs(one), _pairs(other)
    shared = sum(sqrt(count * b[pair]) for pair, count in a.items() if pair in b)
    return shared / max(sqrt(sum(a.values()) * sum(b.values())), 1.0)


def _pairs(sentences: Sequence[Sentence]) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for sentence in sentences:
        words = [token for token in sentence.tokens if token[0].isalpha()]
        counts.update(pairwise(words))
    return counts


def _words(sentence: Sentence) -> int:
    return sum(token[0].isalpha() for token in sentence.tokens)

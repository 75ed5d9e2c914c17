"""The sections of a report's visible text: items of filings, chapters of Chinese reports, headings of the others.

Never the table of contents, running heads or cross references. Sections of numbered headings may lie inside chapters.
"""

from data.finance.reports import Section
from pipelines.finance.reports.text.section_audit import auditor_section
from pipelines.finance.reports.text.section_chinese import chapter_sections, numbered_sections
from pipelines.finance.reports.text.section_headings import heading_sections, is_note
from pipelines.finance.reports.text.section_items import form_of, item_sections
from pipelines.finance.reports.text.section_titles import plain_text

_MAIN = ("business", "risk_factors", "mdna", "legal_proceedings", "market_risk", "controls")
_MOVED = ("business", "risk_factors", "mdna", "market_risk")  # some filers put them elsewhere in the file
_POINTER = 2_500  # characters; a shorter item may only point to a page where the section stands
_HEADED = 400  # characters under a heading without a number that make it a section
_NOTE_PART = 3  # characters; a rating is one word


def find_sections(text: str, language: str, form: str | None = None) -> tuple[Section, ...]:
    """The sections in the order of the text; characters `start` (at the heading) to `end`.

    >>> text = "PART I\\nItem 1. Business\\nWe make pumps.\\nItem 1A. Risk Factors\\nPumps break."
    >>> [(section.name, text[section.start : section.end][-12:]) for section in find_sections(text, "en", "10-K")]
    [('business', ' make pumps.'), ('risk_factors', 'Pumps break.')]
    """
    plain = plain_text(text)
    if is_note(plain, language) and not (form or form_of(plain)):
        found = heading_sections(plain, "note_zh" if language == "zh" else "note_en", _NOTE_PART)
    else:
        found = _chinese(plain) if language == "zh" else _english(plain, form)
    auditor = auditor_section(plain, language)
    if auditor:
        found = [*(section for section in found if section.name != "auditor_report"), auditor]
    return tuple(sorted(found, key=lambda section: (section.start, -section.end)))


def _english(text: str, form: str | None) -> list[Section]:
    items = {section.name: section for section in item_sections(text, form)}
    if not items:
        return heading_sections(text, "heading", _HEADED)
    wanting = [name for name in _MAIN if name not in items or items[name].end - items[name].start < _POINTER]
    if "mdna" in wanting or "risk_factors" in wanting or "business" in wanting:
        for section in heading_sections(text, "heading", _POINTER):
            known = items.get(section.name)
            if section.name in wanting and (known is None or (section.name in _MOVED and _far_longer(section, known))):
                items[section.name] = section
    return list(items.values())


def _far_longer(section: Section, pointer: Section) -> bool:
    return section.end - section.start > 5 * (pointer.end - pointer.start)


def _chinese(text: str) -> list[Section]:
    chapters = chapter_sections(text)
    known = {section.name for section in chapters}
    inside = numbered_sections(text, [section.start for section in chapters])
    return chapters + [section for section in inside if section.name not in known]

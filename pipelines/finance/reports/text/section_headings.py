"""Sections by their headings alone: annual reports and statements without items, research notes.

A heading is a line of its own; in a note it may also open its paragraph, with a colon. Of several places with the same
heading the one with the most text is the section; entries of the contents have next to none.
"""

import re

from data.finance.reports import Section
from pipelines.finance.reports.text.section_items import trimmed_end
from pipelines.finance.reports.text.section_titles import Family, any_title, title_of

_LINE = re.compile(r"[^\n]+")
_NUMBERING = re.compile(
    r"[\s>|•·*#_■◆●▪【\[]*(?:(?:\d{1,2}(?:\.\d{1,2})*[.)、:]?|[IVX]{1,4}[.)]|[A-H][.)]|\([a-z0-9]{1,3}\)"
    r"|[一二三四五六七八九十]{1,3}[、.]|\([一二三四五六七八九十]{1,3}\))\s*(?=[^\d\W]))?"
)
_AFTER_HEADING = re.compile(r"[\s.:：】\]*_|]*(?:\((?:continued|unaudited|cont'd|mda?&?a?)\)[\s.:]*)?$", re.IGNORECASE)
_RUN_IN = re.compile(r"\s*[】\]]?\s*[:：]|\s*[】\]]|\s+-\s")
_ENTRY = re.compile(r"\s*\d{1,3}\s*\n[^\n]{1,80}\n\s*\d{1,3}\s*(?:\n|$)")  # of the contents: page, next title, its page
_HEADING_WIDTH = 140
_NOTE_MARKS = {
    "en": re.compile(
        r"\b(?:price target|target price|outperform|underperform|overweight|underweight|buy rating"
        r"|(?:rating|recommendation)\s*:|reiterate|initiat(?:e|ing) coverage|equity research|price objective)\b",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        r"投资评级|盈利预测|风险提示|目标价|投资要点|投资建议|(?:维持|给予|首次覆盖|上调|下调).{0,8}评级|证券分析师"
        r"|证券研究报告|研报|分析师声明"
    ),
}
_UMBRELLA = "management_report"  # it holds the other parts of management's account
_PARTS = frozenset(
    {_UMBRELLA, "mdna", "business", "risk_factors", "outlook", "highlights", "subsequent_events", "legal_proceedings"}
    | {"market_risk", "sustainability", "company_information"}
)
_MOST = 5_000  # headings; a report has some dozens
_NOTE_WORDS = 120_000  # characters; a note is shorter than a report


def is_note(text: str, language: str) -> bool:
    """Whether the text is a research note: short, with at least two marks of one."""
    if len(text) > _NOTE_WORDS:
        return False
    marks = {found.group().lower().replace(" ", "") for found in _NOTE_MARKS[language].finditer(text[:60_000])}
    return len(marks) >= 2


def heading_sections(text: str, family: Family, shortest: int) -> list[Section]:
    """The longest stretch under each heading, in the order of the text; of at least `shortest` characters."""
    places = _places(text, family)
    longest: dict[str, Section] = {}
    for index, (name, start, title_end) in enumerate(places):
        parts = _PARTS if name == _UMBRELLA else frozenset()
        following = (place[1] for place in places[index + 1 :] if place[0] not in parts)
        end = trimmed_end(text, start, next(following, len(text)))
        known = longest.get(name)
        if name and end - title_end >= shortest and (known is None or end - start > known.end - known.start):
            longest[name] = Section(name, start, end)
    umbrella = longest.pop(_UMBRELLA, None)
    if umbrella:
        longest["mdna"] = Section("mdna", umbrella.start, umbrella.end)
    return sorted(longest.values(), key=lambda section: section.start)


def _places(text: str, family: Family) -> list[tuple[str, int, int]]:
    """Name, start and end of the words of every heading; running heads of the same section once."""
    pattern, run_in = any_title(family), family.startswith("note")
    places: list[tuple[str, int, int]] = []
    for line in _LINE.finditer(text):
        if len(line.group()) > _HEADING_WIDTH and not run_in:
            continue
        words_start = _NUMBERING.match(text, line.start(), line.end())
        begin = words_start.end() if words_start else line.start()
        found = pattern.match(text, begin, line.end())
        if not found or text[begin].islower() or not _stands_alone(text, found.end(), line.end(), run_in):
            continue
        name = title_of(family, found).name
        if not places or places[-1][0] != name or not name:
            places.append((name, line.start(), found.end()))
        if len(places) == _MOST:
            break
    return places


def _stands_alone(text: str, end: int, line_end: int, run_in: bool) -> bool:
    if _AFTER_HEADING.match(text, end, line_end):
        return run_in or not _ENTRY.match(text, line_end + 1, line_end + 120)
    return run_in and _RUN_IN.match(text, end, line_end) is not None

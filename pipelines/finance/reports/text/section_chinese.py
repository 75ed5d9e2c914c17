"""Chapters (第一节 ...) and numbered headings of Chinese reports.

A numbered heading ends where its numbering goes on (（四） after （三）) or a heading of a higher kind comes; lists
inside it begin again at one and do not end it.
"""

import re
from dataclasses import dataclass
from itertools import islice

from data.finance.reports import Section
from pipelines.finance.reports.text.section_chain import Candidate, choose, is_index
from pipelines.finance.reports.text.section_items import trimmed_end
from pipelines.finance.reports.text.section_titles import any_title, title_of, titles

_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")}
_CHAPTER = re.compile(
    r"^[ \t#*]*第[ \t]*([一二三四五六七八九十]{1,3}|\d{1,2})[ \t]*[节章][ \t、.:]*([^\n]{0,40})$", re.MULTILINE
)
_LEADER = re.compile(r"[.。…·\-_]{3,}|\s\d{1,3}[ \t]*$")
_IN_SENTENCE = re.compile(r"""["《》。;]|^[之中的"'(]|[,。]$|详见|参见|所述""")
_NUMBERED = re.compile(
    r"^[ \t#*]*(?:(?P<l1>[一二三四五六七八九十]{1,3})[ \t]*[、.]|\((?P<l2>[一二三四五六七八九十]{1,3})\)、?"
    r"|(?P<l3>\d{1,2})[ \t]*(?:、|\.(?!\d))|\((?P<l4>\d{1,2})\)、?)[ \t]*(?P<words>[^\n]{1,60})$",
    re.MULTILINE,
)
_BARE = re.compile(r"^[ \t#*]*(?P<words>[\u4e00-\u9fff][^\n]{3,29})$", re.MULTILINE)
_LEVELS = ("l1", "l2", "l3", "l4")
_HEADING_TAIL = re.compile(r"[ \t.:]*(?:[(][^()\n]{0,30}[)])?[ \t.:]*(?:[□√☑✓]\s*(?:不?适用|是|否).{0,20})?$")
_MOST = 1_000  # headings of known sections; a report has some dozens
_SKIP = 3  # numbers that may be missing where a heading was not read
_SHORTEST = 12  # characters under a heading; "□适用 √不适用" is an answer


@dataclass(frozen=True, slots=True)
class _Heading:
    level: int  # 1 to 4 by its numbering; 5: none
    number: int
    start: int
    words_end: int
    name: str


def chinese_number(digits: str) -> int:
    """The value of a number below one hundred.

    >>> chinese_number("十二"), chinese_number("二十"), chinese_number("7")
    (12, 20, 7)
    """
    if digits.isdigit():
        return int(digits)
    tens, ten, ones = digits.rpartition("十")
    if not ten:
        return _DIGITS.get(ones, 0)
    return _DIGITS.get(tens, 1) * 10 + _DIGITS.get(ones, 0)


def chapter_sections(text: str) -> list[Section]:
    """The chapters whose titles are known; the others only end the ones before them."""
    chain = choose(_chapter_candidates(text), text)
    if not chain or is_index(chain, len(text)):
        return []
    ends = [following.start for following in chain[1:]] + [len(text)]
    return [
        Section(name, chapter.start, trimmed_end(text, chapter.start, end))
        for chapter, end in zip(chain, ends, strict=True)
        for name in chapter.names
    ]


def numbered_sections(text: str, chapter_starts: list[int]) -> list[Section]:
    """The longest stretch under each known heading inside the chapters, or in a text without chapters."""
    headings = _headings(text)
    longest: dict[str, Section] = {}
    named = [index for index, heading in enumerate(headings) if heading.name]
    for index in named[:_MOST]:
        heading = headings[index]
        later = islice(headings, index + 1, None)
        following = [next((other.start for other in later if _ends(heading, other)), len(text))]
        ends = [*following, *(start for start in chapter_starts if start > heading.start), len(text)]
        end = trimmed_end(text, heading.start, min(ends))
        known = longest.get(heading.name)
        if end - heading.words_end >= _SHORTEST and (known is None or end - heading.start > known.end - known.start):
            longest[heading.name] = Section(heading.name, heading.start, end)
    return sorted(longest.values(), key=lambda section: section.start)


def _chapter_candidates(text: str) -> list[Candidate]:
    found = []
    for match in _CHAPTER.finditer(text):
        words = match[2].strip()
        title_end = match.end()
        if not words:
            following = re.compile(r"\s*([^\n]{2,40})").match(text, match.end())
            words, title_end = (following[1].strip(), following.end()) if following else ("", match.end())
        if _LEADER.search(match[2]) or _IN_SENTENCE.search(words):
            continue
        names = tuple(title.name for title in titles("zh_chapter") if title.pattern.search(words))[:1]
        found.append(Candidate(chinese_number(match[1]), names, match.start(), title_end, certain=bool(names)))
    return found


def _headings(text: str) -> list[_Heading]:
    known = any_title("zh_heading")
    found = []
    for match in _NUMBERED.finditer(text):
        level = next(index for index, name in enumerate(_LEVELS, 1) if match[name])
        number = chinese_number(match[_LEVELS[level - 1]])
        name, words_end = _name_of(text, match.start("words"), match.end(), known)
        if name is not None and not _LEADER.search(match["words"]):
            found.append(_Heading(level, number, match.start(), words_end, name))
    for match in _BARE.finditer(text):
        name, words_end = _name_of(text, match.start("words"), match.end(), known)
        if name and words_end == match.end():
            found.append(_Heading(5, 1, match.start(), words_end, name))
    return sorted(found, key=lambda heading: heading.start)


def _name_of(text: str, start: int, end: int, known: re.Pattern[str]) -> tuple[str | None, int]:
    """The section's name, "" for another heading, None for a sentence that only begins with a number."""
    found = known.match(text, start, end)
    if found and _HEADING_TAIL.match(text, found.end(), end):
        return title_of("zh_heading", found).name, end
    return (None, end) if text[start:end].rstrip().endswith(("。", ";", ",", "，", "；")) else ("", end)


def _ends(heading: _Heading, later: _Heading) -> bool:
    if later.level == heading.level:
        return 0 < later.number - heading.number <= _SKIP if heading.level < 5 else later.name != heading.name
    if heading.level == 5:
        return later.level <= 2 and later.number != 1
    return later.level < heading.level and later.number != 1

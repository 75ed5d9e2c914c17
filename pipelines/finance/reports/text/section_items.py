"""Items of 10-K, 10-Q and 20-F filings, by their numbers and titles."""

import re

from data.finance.reports import Section
from pipelines.finance.reports.text.section_chain import Candidate, choose, is_index
from pipelines.finance.reports.text.section_titles import Family, Title, titles

_ITEM = re.compile(
    r"^[ \t>|•·*#_]*(?:part[ \t]+[iv]+[ \t,.:;-]*)?i ?tems?\s*(\d{1,2})[ \t]*(\(?[a-c]\)?(?![a-z])(?:\(t\))?)?"
    r"((?:\s*(?:and|&|,|/|to|through)\s*(?:items?\s*)?\d{1,2}[a-c]?\b){0,6})[\s.:|)-]*",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER = re.compile(r"\d{1,2}[a-c]?", re.IGNORECASE)
# what follows a title inside a sentence: the words point to a section, they do not open one
_GOES_ON = re.compile(
    r"""\s*(?:["'\])]|[,;]|(?:of|in|on|to|for|is|are|was|as|or|under|above|below|herein|which|that|section|contained"""
    r"""|included|set|may|should|has|have|from|with|beginning|appearing|and)\b)"""
)
_POINTS = re.compile(r"""(?:\b(?:see|in|and|or|under|of|to|with|by|both|refer|the|our|from|entitled)|[,("])\s*$""")
_NO_TITLE = re.compile(
    r"[ \t.\[(]*(?:removed and )?(?:reserved|omitted|not applicable|none)?[ \t.\])]*$", re.IGNORECASE
)
_TRAILER = re.compile(
    r"(?:\s*(?:^[ \t]*(?:part[ \t]+[iv]+\b[^\n]{0,60}|table of contents|\d{1,4}|[ivx]{1,5}|f-\d+|- ?\d+ ?-)"
    r"[ \t.]*$))+\s*\Z",
    re.IGNORECASE | re.MULTILINE,
)
_SIGNATURES = re.compile(r"^[ \t]*signatures?[ \t]*:?[ \t]*$", re.IGNORECASE | re.MULTILINE)
_FORM = re.compile(r"form\s*(10-?\s?k|10-?\s?q|20-?\s?f)|(annual|quarterly)\s+report\s+pursuant\s+to\s+section", re.I)


def form_of(text: str) -> Family | None:
    """The form that the first page names."""
    found = _FORM.search(text, 0, 8_000)
    if not found:
        return None
    if found[1]:
        return _family(found[1])
    return "10-K" if found[2].lower() == "annual" else "10-Q"


def item_sections(text: str, form: str | None) -> list[Section]:
    """The items as sections of the plain text; empty where the form has no items or only an index of them."""
    family = _family(form) if form else form_of(text)
    if family is None:
        return []
    chain = choose(_candidates(text, family), text)
    if not chain or is_index(chain, len(text)):
        return []
    ends = [following.start for following in chain[1:]] + [_end_of_items(text, chain[-1])]
    return [
        Section(name, heading.start, trimmed_end(text, heading.start, end))
        for heading, end in zip(chain, ends, strict=True)
        for name in heading.names
    ]


def trimmed_end(text: str, start: int, end: int) -> int:
    """Where the section's words end, without white space, page numbers and the head of the next part."""
    trailer = _TRAILER.search(text, max(start, end - 400), end)
    body_end = trailer.start() if trailer else end
    return start + len(text[start:body_end].rstrip())


def _family(form: str) -> Family | None:
    plain = re.sub(r"[^0-9A-Z]", "", form.upper())
    for name in ("10-K", "10-Q", "20-F"):
        if plain.startswith(name.replace("-", "")):
            return name
    return None


def _candidates(text: str, family: Family) -> list[Candidate]:
    by_number: dict[str, list[tuple[int, Title]]] = {}
    for rank, title in enumerate(titles(family)):
        by_number.setdefault(title.number.rpartition(".")[2], []).append((rank, title))
    found = []
    for match in _ITEM.finditer(text):
        if not _POINTS.search(text, max(0, match.start() - 40), match.start()):
            candidate = _candidate(text, match, by_number)
            if candidate:
                found.append(candidate)
    return found


def _candidate(text: str, match: re.Match[str], by_number: dict[str, list[tuple[int, Title]]]) -> Candidate | None:
    letter = re.sub(r"[^A-C]", "", (match[2] or "").upper()[:3])
    numbers = [match[1].lstrip("0") + letter] + [more.upper() for more in _NUMBER.findall(match[3] or "")]
    rows = [row for number in numbers for row in by_number.get(number, [])]
    for rank, title in rows:
        words = title.pattern.match(text, match.end())
        if words and not text[words.end() : words.end() + 1].isalnum():
            if _GOES_ON.match(text, words.end(), words.end() + 20):
                return None
            names = (title.name, *(row.name for _, row in rows if row is not title)) if match[3] else (title.name,)
            return Candidate(rank, names, match.start(), words.end(), certain=True)
    if len(rows) != 1 or match[3]:
        return None
    line_end = text.find("\n", match.start())
    rest = text[match.end() : max(line_end, match.end())]
    known = _NO_TITLE.fullmatch(rest) or (len(rest) < 80 and rest[:1].isupper() and not _GOES_ON.match(rest))
    if not known or rest.rstrip().endswith((",", ";")):
        return None
    return Candidate(rows[0][0], (rows[0][1].name,), match.start(), max(line_end, match.end()), certain=False)


def _end_of_items(text: str, last: Candidate) -> int:
    found = _SIGNATURES.search(text, last.title_end)
    return found.start() if found else len(text)

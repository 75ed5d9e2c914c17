"""The sentences of a report's text with the listed words in them, and what a stretch of them amounts to."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.finance.reports.text.wording_tone import tone_of
from pipelines.finance.reports.text.wording_words import Hit, lexicon

# a line that goes on in the next one: long, without a closing mark, and the next begins like a continuation
_WRAPS = {
    "en": re.compile(
        r"(?:(?<=[^\n]{60})(?<![.!?:;|\t])\n(?=[a-z0-9(A-Z\"“])|(?<=[^\n]{30})(?<![.!?:;|\t])\n(?=[a-z(]))"
    ),
    "zh": re.compile(r"(?<=[^\n]{22})(?<![。;:；：！？|\t])\n(?=[\u4e00-\u9fff\d，、（(《“%])"),
}
_BREAKS = {
    "en": re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9])|\n+"),
    "zh": re.compile(r"(?<=[。！？；!?])[”』」\"]*|\n+"),
}
_ABBREVIATION = re.compile(r"(?:\b(?:inc|corp|co|ltd|no|mr|ms|mrs|dr|vs|approx|st|jr|sr|nos|e\.g|i\.e|[a-z]))\.$", re.I)
_SHORTEST = {"en": 4, "zh": 6}  # words or characters; shorter ones are headings and cells
_LONG = {"en": 30, "zh": 60}
_LONGEST = 4_000  # characters; what goes on without an end is cut there, so that time stays bounded
_SYLLABLES = re.compile(r"[aeiouy]+")
_DISTINCT_OF = 10_000  # units; the share of different words falls with length
_CLAUSE = frozenset(",;:，；：、")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Tokens of one sentence, the listed words among them, and whether it closes like one."""

    start: int  # character of the text
    tokens: Sequence[str]
    hits: Sequence[Hit]
    closed: bool

    def has(self, category: str) -> bool:
        """Whether a word of the category stands in it."""
        return any(category in hit.categories for hit in self.hits)


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts over a stretch of sentences. A unit is an English word or a Chinese character."""

    units: int
    sentences: int
    long_sentences: int
    clauses: int
    numbers: int
    different: float  # share of different units among the first ten thousand
    complex_words: int  # English words of three syllables or more
    good: int  # sentences of good tone
    bad: int
    forward: int  # sentences about what is to come
    words: Counter[str]  # of each category

    def rate(self, category: str) -> float:
        """Listed words of a category in a thousand units."""
        return 1000.0 * self.words[category] / max(self.units, 1)


def read_sentences(text: str, language: str) -> list[Sentence]:
    """All sentences, in order; lines that a page broke are joined."""
    words = lexicon(language)
    joined = _WRAPS[language].sub(" ", text)
    sentences: list[Sentence] = []
    for start, end in _spans(joined, language):
        tokens = words.tokens(joined[start:end])
        if len(tokens) >= _SHORTEST[language]:
            closed = joined[start:end].rstrip(" \"'”’)）」").endswith((".", "!", "?", "。", "！", "？", "；", ";"))
            sentences.append(Sentence(start, tokens, words.hits(tokens), closed))
    return sentences


def between(sentences: Sequence[Sentence], start: int, end: int) -> Sequence[Sentence]:
    """The sentences that begin in characters `start` to `end`."""
    first = bisect_left(sentences, start, key=lambda sentence: sentence.start)
    return sentences[first : bisect_left(sentences, end, key=lambda sentence: sentence.start)]


def profile(sentences: Sequence[Sentence], language: str) -> Profile:
    """The counts over the sentences; those without a closing mark count by their words only."""
    words: Counter[str] = Counter()
    units = numbers = clauses = long_ones = complex_words = good = bad = forward = whole = 0
    distinct: list[str] = []
    for sentence in sentences:
        alone = [token for token in sentence.tokens if token[0].isalpha()]
        units += len(alone)
        numbers += sum(token[-1] in "0123456789%" for token in sentence.tokens)
        distinct += alone if len(distinct) < _DISTINCT_OF else ()
        for hit in sentence.hits:
            words.update(hit.categories)
        if not sentence.closed:
            continue
        whole += 1
        clauses += 1 + sum(token in _CLAUSE for token in sentence.tokens)
        long_ones += len(alone) > _LONG[language]
        complex_words += _complex(alone) if language == "en" else 0
        sign = tone_of(sentence.tokens, sentence.hits, language)
        good, bad = good + (sign > 0), bad + (sign < 0)
        forward += sentence.has("forward")
    first = distinct[:_DISTINCT_OF]
    share = len(set(first)) / max(len(first), 1)
    return Profile(units, whole, long_ones, clauses, numbers, share, complex_words, good, bad, forward, words)


def _spans(text: str, language: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    start = 0
    for found in _BREAKS[language].finditer(text):
        if language == "en" and _ABBREVIATION.search(text, max(start, found.start() - 8), found.start()):
            continue
        if found.start() > start:
            spans.append((start, found.start()))
        start = found.end()
    spans += [(start, len(text))] if start < len(text) else []
    return [(part, min(part + _LONGEST, end)) for start, end in spans for part in range(start, end, _LONGEST)]


def _complex(words: Sequence[str]) -> int:
    return sum(
        len(word) > 6 and len(_SYLLABLES.findall(word.removesuffix("es").removesuffix("ed"))) > 2 for word in words
    )

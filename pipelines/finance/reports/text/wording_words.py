"""Word lists and where their words stand in a sentence.

The lists are the files of `words/`: one row a word or phrase, with its category and its language. English words match
in all their regular forms; Chinese words by the longest match. To extend them, add rows or files.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("words")
_TOKEN = {
    "en": re.compile(r"[a-z]+(?:'[a-z]+)?|(?<![\w.])-?\d[\d,]*(?:\.\d+)?%?|\d[\d,]*(?:\.\d+)?%?|[.!?;:,()\"]"),
    "zh": re.compile(r"[a-z*]+|\d[\d,]*(?:\.\d+)?%?|[^\s\w]|[\u4e00-\u9fff]|[^\W\d_]"),
}
_MAY = re.compile(r"\bMay(?=\s+\d)|(?:(?<=\bin )|(?<=\bof )|(?<=\bon ))May\b")  # the month, not the verb
_HYPHEN = re.compile(r"(?<=[a-z\d])-(?=[a-z])|(?<=[a-z])-(?=\d)|(?<=\s)-(?=\s)")
_VOWEL = re.compile(r"[aeiouy]")


@dataclass(frozen=True, slots=True)
class Hit:
    """A word of the lists: tokens `at` to `end` of a sentence."""

    at: int
    end: int
    categories: frozenset[str]


class Lexicon:
    """The lists of one language, ready for the longest match."""

    def __init__(self, language: str, rows: Iterable[tuple[str, str]]) -> None:
        self.language = language
        self._stems: dict[str, str] = {}
        categories: dict[tuple[str, ...], set[str]] = {}
        for word, category in rows:
            tokens = tuple(self.stemmed(self.tokens(word)))
            if tokens:
                categories.setdefault(tokens, set()).add(category)
        self._entries: dict[str, list[tuple[tuple[str, ...], frozenset[str]]]] = {}
        for tokens in sorted(categories, key=len, reverse=True):
            self._entries.setdefault(tokens[0], []).append((tokens, frozenset(categories[tokens])))

    def tokens(self, sentence: str) -> list[str]:
        """Words, numbers and marks of a sentence; of Chinese every character."""
        lowered = sentence.lower()
        if self.language == "en":
            lowered = _HYPHEN.sub(" ", _MAY.sub("month", sentence).lower().replace("’", "'"))
        return _TOKEN[self.language].findall(lowered)

    def stemmed(self, tokens: Sequence[str]) -> Sequence[str]:
        """English words without their endings."""
        if self.language != "en":
            return tokens
        known = self._stems
        return [known[token] if token in known else known.setdefault(token, stem(token)) for token in tokens]

    def hits(self, tokens: Sequence[str]) -> list[Hit]:
        """The words of the lists among the tokens, the longest first match, none inside another."""
        stems, entries = self.stemmed(tokens), self._entries
        found: list[Hit] = []
        free = 0
        for at, token in enumerate(stems):
            candidates = entries.get(token)
            if candidates is None or at < free:
                continue
            for words, categories in candidates:
                if len(words) == 1 or tuple(stems[at : at + len(words)]) == words:
                    free = at + len(words)
                    found.append(Hit(at, free, categories))
                    break
        return found


@cache
def lexicon(language: str, kind: str = "") -> Lexicon:
    """The lists of a language in all files whose names begin with `kind`."""
    rows: list[tuple[str, str]] = []
    for path in sorted(FOLDER.glob(f"{kind}*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            rows += [(row["word"], row["category"]) for row in csv.DictReader(lines) if row["language"] == language]
    return Lexicon(language, rows)


def stem(word: str) -> str:
    """The word without plural, tense and adverb endings; irregular forms stand in the lists.

    >>> [stem(word) for word in ("increases", "increasing", "increased", "stopped", "losses", "companies", "sharply")]
    ['increas', 'increas', 'increas', 'stop', 'loss', 'company', 'sharp']
    """
    if len(word) < 4 or not word[0].isalpha():
        return word
    word = word.removesuffix("'s")
    if word.endswith(("ies", "ied")) and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-2] if word.endswith(("sses", "shes", "ches", "xes")) else word[:-1]
    for ending in ("ing", "ed", "ly"):
        root = word.removesuffix(ending)
        if root is not word and len(root) > 2 and _VOWEL.search(root):
            word = root
            break
    word = word.removesuffix("e") if len(word) > 3 else word
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] != "s" else word

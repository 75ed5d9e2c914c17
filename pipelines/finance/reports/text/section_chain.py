"""Which of many places that look like numbered headings are the headings: not the contents, not running heads.

A form's sections stand in a known order. Entries of a table of contents have nothing between them; running heads say
again what was said; what is left is the rising sequence with the most text under its headings.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from math import log

THIN = 40  # letters between two headings; a section has more, or says that there is nothing
ENTRY = 3_000  # characters of one entry of a table of contents, its sub-entries with it
CONTENTS_RUN = 4  # so many thin entries in a row are a table of contents
_LETTERS = re.compile(r"[^\W\d_]")
_FURNITURE = re.compile(r"\bpart\s+[iv]+\b|\bpage\b|table of contents|index", re.IGNORECASE)
_NOTHING = re.compile(
    r"\bnone\b|not (?:applicable|required)|\bomitted\b|incorporated|reference|不适用|\bn/?a\b|无", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that may be a heading: `rank` in the order of the form, the names it opens, the words it ends at."""

    rank: int
    names: tuple[str, ...]
    start: int
    title_end: int
    certain: bool  # the title is the form's own


def choose(found: list[Candidate], text: str) -> list[Candidate]:
    """The headings among the candidates, which stand in the order of the text."""
    return _best_chain(_without_running_heads(_without_contents(found, text)), len(text))


def is_index(chain: list[Candidate], end: int) -> bool:
    """Whether the chain lists sections that stand elsewhere: half of them have no text."""
    if len(chain) < CONTENTS_RUN:
        return False
    gaps = sorted(b.start - a.title_end for a, b in pairwise(chain))
    return gaps[len(gaps) // 2] < 2 * THIN and gaps[-1] < max(5_000, (end - chain[0].start) // 10)


def _without_contents(found: list[Candidate], text: str) -> list[Candidate]:
    thin = [_is_thin(text[a.title_end : b.start]) for a, b in pairwise(found)]
    last_at = {candidate.rank: index for index, candidate in enumerate(found)}
    kept: list[Candidate] = []
    at = 0
    while at < len(found):
        end = at
        while end < len(thin) and thin[end] and found[end].rank < found[end + 1].rank:
            end += 1
        comes_again = last_at[found[end].rank] > end
        if end - at < CONTENTS_RUN or not (comes_again or end - at > CONTENTS_RUN):
            kept.extend(found[at : end + 1])
            at = end + 1
            continue
        _drop_entries_before(kept, found[at], {rank for rank, index in last_at.items() if index > end})
        if not comes_again:  # the last heading after thin ones: a section of its own
            kept.append(found[end])
        at = end + 1
    return kept


def _drop_entries_before(kept: list[Candidate], first: Candidate, later: set[int]) -> None:
    """Take back entries of the same contents that had sub-entries under them."""
    while kept and kept[-1].rank < first.rank and kept[-1].rank in later and first.start - kept[-1].start < ENTRY:
        first = kept.pop()


def _is_thin(between: str) -> bool:
    if len(between) > 400 or _NOTHING.search(between):
        return False
    return len(_LETTERS.findall(_FURNITURE.sub("", between))) < THIN


def _without_running_heads(found: list[Candidate]) -> list[Candidate]:
    kept: list[Candidate] = []
    for candidate in found:
        if not kept or candidate.rank != kept[-1].rank:
            kept.append(candidate)
        elif candidate.certain and not kept[-1].certain:
            kept[-1] = candidate
    return kept


def _best_chain(found: list[Candidate], end: int) -> list[Candidate]:
    """The rising subsequence with the greatest sum of log(characters until the next candidate)."""
    best: list[tuple[float, int]] = []  # of the chain that ends here, and its last but one
    best_of: dict[int, tuple[float, int]] = {}  # by the rank that a chain ends with
    for index, candidate in enumerate(found):
        following = found[index + 1].start if index + 1 < len(found) else end
        own = log(2.0 + following - candidate.start) * (1.0 if candidate.certain else 0.4)
        weight, previous = max((best_of[rank] for rank in best_of if rank < candidate.rank), default=(0.0, -1))
        best.append((weight + own, previous))
        best_of[candidate.rank] = max(best_of.get(candidate.rank, (0.0, -1)), (weight + own, index))
    chain: list[Candidate] = []
    at = max(range(len(best)), key=lambda index: best[index][0], default=-1)
    while at >= 0:
        chain.append(found[at])
        at = best[at][1]
    return chain[::-1]

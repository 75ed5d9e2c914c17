"""The tone of a sentence: words of praise and blame, what rose or fell, and numbers against last year's.

A rise of what is wanted (profit) is good, of what is not (costs) bad, a fall the other way; a denied good word is bad
and a denied bad word nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.finance.reports.text.wording_words import Hit, lexicon

_STOPS = frozenset('.!?;:,()"，。；：！？（）')
_CLAUSE_ENDS = {"en": frozenset('.!?;:"'), "zh": frozenset("。；：！？，")}
_REACH = {"en": 5, "zh": 14}  # tokens that a negator governs
_NEAR_REACH = 4  # characters after 不, 未, 非
_NOUN_REACH = {"en": 12, "zh": 16}  # tokens between what moved and where to
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?%?")
_OLD = frozenset({"from", "compared", "versus", "against", "vs", "than"})


@dataclass(frozen=True, kw_only=True)
class ToneWeights:
    """How much each sign counts: four numbers, chosen on the training part of Financial PhraseBank."""

    word: float = 1.0  # of praise or blame
    denied_good: float = 1.0
    moved: float = 1.5  # a known thing rose or fell
    compared: float = 1.0  # a number against an earlier one
    threshold: float = 0.5  # a sentence has a tone from here on


WEIGHTS = ToneWeights()


def tone(tokens: Sequence[str], language: str, weights: ToneWeights = WEIGHTS) -> int:
    """1 good, -1 bad, 0 neither.

    >>> from pipelines.finance.reports.text.wording_words import lexicon
    >>> said = ("Costs rose sharply.", "Costs fell.", "There was no improvement.")
    >>> [tone(lexicon("en").tokens(sentence), "en") for sentence in said]
    [-1, 1, -1]
    """
    return tone_of(tokens, lexicon(language).hits(tokens), language, weights)


def tone_of(tokens: Sequence[str], hits: Sequence[Hit], language: str, weights: ToneWeights = WEIGHTS) -> int:
    """The same, of a sentence whose words were looked up before."""
    score = tone_score(tokens, hits, language, weights)
    return (score >= weights.threshold) - (score <= -weights.threshold)


def tone_score(tokens: Sequence[str], hits: Sequence[Hit], language: str, weights: ToneWeights = WEIGHTS) -> float:
    """The sum of the signs."""
    compared = _compared(tokens, hits) if language == "en" else 0
    score = weights.compared * compared
    moved: set[int] = set()  # nouns that a rise or fall has used
    for index, hit in enumerate(hits):
        sign = (("positive" in hit.categories) - ("negative" in hit.categories)) * weights.word
        if {"up", "down"} & hit.categories:
            noun = _what_moved(tokens, hits, index, language, moved)
            if noun is not None:
                moved.add(noun)
                wanted = 1 if "good" in hits[noun].categories else -1
                sign = weights.moved * wanted * (("up" in hit.categories) - ("down" in hit.categories))
        if compared and {"negative", "bad"} <= hit.categories:  # a loss that grew or shrank
            continue
        if sign and denied(tokens, hits, index, language):
            sign = -weights.denied_good if sign > 0 else 0.0
        score += sign
    return score


def denied(tokens: Sequence[str], hits: Sequence[Hit], index: int, language: str) -> bool:
    """Whether a negator governs the hit: in its clause, a few words before it."""
    at = hits[index].at
    for before in range(index - 1, -1, -1):
        hit = hits[before]
        gap = at - hit.end
        if gap > _REACH[language] or "break" in hit.categories:
            return False
        reach = _NEAR_REACH if "negator_near" in hit.categories else _REACH[language]
        if {"negator", "negator_near"} & hit.categories and gap <= reach:
            return not any(token in _CLAUSE_ENDS[language] for token in tokens[hit.end : at])
    return False


def _what_moved(tokens: Sequence[str], hits: Sequence[Hit], index: int, language: str, moved: set[int]) -> int | None:
    """The nearest noun with a side before the movement in its clause, else after it."""
    here = hits[index]
    for order in (range(index - 1, -1, -1), range(index + 1, len(hits))):
        for other in order:
            hit = hits[other]
            first, last = (hit.end, here.at) if other < index else (here.end, hit.at)
            if last - first > _NOUN_REACH[language]:
                break
            if {"good", "bad"} & hit.categories and other not in moved:
                between = tokens[first:last]
                if not any(token in _CLAUSE_ENDS[language] for token in between):
                    return other
                break
    return None


def _compared(tokens: Sequence[str], hits: Sequence[Hit]) -> int:
    """1 if a figure of profit or sales is above the earlier one in the sentence, -1 if below, else 0."""
    split = next((at for at, token in enumerate(tokens) if at and (token in _OLD or _in_brackets(tokens, at))), None)
    nouns = [hit for hit in hits if {"good", "bad"} & hit.categories]
    if split is None or not nouns:
        return 0
    new, old = _amount(tokens, 0, split), _amount(tokens, split + 1, len(tokens))
    if tokens[split] == "from" and "to" in tokens[split : split + 8]:  # from 8 to 13
        turn = tokens.index("to", split)
        old, new = _amount(tokens, split + 1, turn), _amount(tokens, turn + 1, len(tokens))
    if new is None or old is None or new[1] != old[1]:
        return 0
    losses = [bool({"loss", "losses"} & set(tokens[:split])), bool({"loss", "losses"} & set(tokens[split:]))]
    profits = [bool({"profit", "profits"} & set(tokens[:split])), bool({"profit", "profits"} & set(tokens[split:]))]
    wanted = 1 if "good" in nouns[0].categories or any(losses) else -1
    values = [-new[0] if losses[0] else new[0], -old[0] if losses[1] or (losses[0] and not profits[1]) else old[0]]
    return wanted * ((values[0] > values[1]) - (values[0] < values[1]))


def _in_brackets(tokens: Sequence[str], at: int) -> bool:
    """Whether an amount stands in brackets after another: EUR 13.1 mn (8.7)."""
    inside = tokens[at + 1 : at + 4]
    return tokens[at] == "(" and ")" in tokens[at + 2 : at + 6] and any(_NUMBER.fullmatch(token) for token in inside)


def _amount(tokens: Sequence[str], start: int, end: int) -> tuple[float, bool] | None:
    """The first number that is not a year, and whether it is a percentage."""
    for at in range(start, end):
        token = tokens[at]
        if token[-1] in "0123456789%" and _NUMBER.fullmatch(token):
            value = float(token.rstrip("%").replace(",", ""))
            percent = token.endswith("%") or (at + 1 < len(tokens) and tokens[at + 1] in ("percent", "pct", "pc"))
            if not (1900 <= value <= 2100 and value == int(value) and "," not in token):
                return value, percent
    return None

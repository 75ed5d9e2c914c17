"""Events that a report affirms: not what it denies, and not what only might happen.

Every event is a category of the word lists. A sentence affirms it when no negator governs the words and nothing before
them makes them a condition, a definition or a duty; the words of the list
`certain` settle it, those of `relieved` say that it is over.
"""

import re
from collections.abc import Iterable

from pipelines.finance.reports.text.wording_sentences import Sentence

EVENTS = (
    *("going_concern", "auditor_change", "restatement", "covenant_breach", "covenant_waiver", "material_weakness"),
    *("default", "delisting", "bankruptcy", "investigation"),
)
_REACH = {"en": 14, "zh": 40}  # tokens before the event
_NEAR = 4
_ENDS = {"en": frozenset(".!?;"), "zh": frozenset("。；！？")}
_FORGET = 60  # tokens; a condition so far before does not govern the event
# the questions of the Chinese report forms, which boxes answer
_ASKED = {
    "auditor_change": ("是否改聘", "改聘会计师事务所的情况"),
    "restatement": ("差错更正需追溯重述", "公司对重大会计差错更正原因", "会计差错更正的情况", "重要前期差错更正"),
    "material_weakness": ("内部控制重大缺陷的具体情况", "内部控制存在重大缺陷"),
    "delisting": ("面临暂停上市", "面临退市", "面临终止上市", "导致退市风险警示", "导致暂停上市的原因"),
    "bankruptcy": ("破产重整相关事项",),
    "investigation": ("处罚及整改情况",),
}
_ANSWER = 90  # characters after the question
_BOX = re.compile(r"([□☐○√☑✓✔■])\s*([是否]|不?适用)")
_TICKED = frozenset("√☑✓✔■")


def affirmed(sentences: Iterable[Sentence], event: str, language: str) -> int:
    """The number of sentences that say the event is so."""
    return sum(_affirms(sentence, event, language) for sentence in sentences if sentence.has(event))


def answered(text: str, event: str) -> bool | None:
    """What the boxes of a Chinese report form say of the event; None where they do not ask."""
    answers = [
        ticked(text[found.end() : found.end() + _ANSWER].partition("。")[0])
        for question in _ASKED.get(event, ())
        for found in re.finditer(question, text)
    ]
    given = [answer for answer in answers if answer is not None]
    return any(given) if given else None


def ticked(words: str) -> bool | None:
    """The answer of the first pair of boxes (□是 √否, √适用 □不适用); None where there is none.

    >>> ticked("□ 是 √ 否"), ticked("√适用 □不适用"), ticked("没有")
    (False, True, None)
    """
    for box, label in _BOX.findall(words):
        if box in _TICKED:
            return label in ("是", "适用")
    return None


def _affirms(sentence: Sentence, event: str, language: str) -> bool:
    if not sentence.closed:
        return False
    if language == "zh" and ("0.00" in sentence.tokens or sentence.has("condition")):  # 影响0.00元: nothing
        return False
    if any(
        "relieved" in hit.categories and not _denied(sentence, at, language) for at, hit in enumerate(sentence.hits)
    ):
        return False
    settled = sentence.has("certain")
    for index, hit in enumerate(sentence.hits):
        if event not in hit.categories or _denied(sentence, index, language):
            continue
        if settled and not _conditional(sentence, index, language, "condition"):
            return True
        if not settled and not _conditional(sentence, index, language, "hypothetical"):
            return True
    return False


def _denied(sentence: Sentence, index: int, language: str) -> bool:
    at = sentence.hits[index].at
    for hit in sentence.hits[:index][::-1]:
        if "break" in hit.categories and language == "en":
            return False
        gap = at - hit.end
        if {"negator", "negator_near"} & hit.categories:
            reach = _REACH[language] if "negator" in hit.categories else _NEAR
            if gap <= reach and not any(token in _ENDS[language] for token in sentence.tokens[hit.end : at]):
                return True
    return False


def _conditional(sentence: Sentence, index: int, language: str, category: str) -> bool:
    at = sentence.hits[index].at
    if language == "zh":  # nouns govern from behind: 违约的情况说明
        return sentence.has(category)
    return any(category in hit.categories and at - hit.end < _FORGET for hit in sentence.hits[:index] if hit.end <= at)

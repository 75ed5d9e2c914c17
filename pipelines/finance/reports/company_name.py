"""Whether two names mean the same company: legal forms, case and punctuation do not count; short names may."""

import re
import unicodedata

_FORMS = """inc incorporated corp corporation co company companies ltd limited llc lp plc ag sa nv se spa ab as asa gmbh
holdings holding group the and of de new"""
_LEGAL = frozenset(_FORMS.split())
_ZH_LEGAL = re.compile(r"(股份)?有限(责任)?公司|集团|公司|控股|\(.*?\)|（.*?）")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_STATE = re.compile(r"/[A-Z]{2,3}/?\s*$")  # WELLS FARGO & COMPANY/MN
SHORTEST = 2  # characters of a Chinese short name


def same_company(one: str, other: str) -> bool:
    """Whether the names may be of one company.

    >>> same_company("Apple", "APPLE INC."), same_company("Walmart Inc.", "Amazon.com, Inc.")
    (True, False)
    >>> same_company("安靠智电", "江苏安靠智能输电工程科技股份有限公司")
    True
    """
    if _HAN.search(one) or _HAN.search(other):
        short, long = sorted((_chinese(one), _chinese(other)), key=len)
        return len(short) >= SHORTEST and _within(short, long)
    words, others = _words(one), _words(other)
    if not words or not others:
        return False
    return words <= others or others <= words or "".join(sorted(words)) == "".join(sorted(others))


def _chinese(name: str) -> str:
    text = _ZH_LEGAL.sub("", unicodedata.normalize("NFKC", name))
    return "".join(mark for mark in text if mark.isalnum()).lower()


def _within(short: str, long: str) -> bool:
    """Whether the characters of the short name stand in the long one in their order."""
    rest = iter(long)
    return all(mark in rest for mark in short)


def _words(name: str) -> frozenset[str]:
    text = _STATE.sub("", unicodedata.normalize("NFKC", name)).lower().replace("'", "").replace("’", "")
    words = re.findall(r"[^\W_]+", text)
    return frozenset(word for word in words if word not in _LEGAL) or frozenset(words)

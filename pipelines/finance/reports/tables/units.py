"""The unit that a page names: how many whole units of which currency one printed unit is, shares apart.

>>> find_unit("单位：万元 币种：人民币")
Unit(scale=10000, currency='CNY', shares=10000)
>>> find_unit("(In millions, except number of shares, which are reflected in thousands)")
Unit(scale=1000000, currency=None, shares=1000)
>>> find_unit("in thousands of the best") is None
True
"""

import re
from dataclasses import dataclass, replace

ZH_SCALES = {"元": 1, "千元": 10**3, "仟元": 10**3, "万元": 10**4, "十万元": 10**5, "百万元": 10**6, "佰万元": 10**6}
ZH_SCALES |= {"千万元": 10**7, "亿元": 10**8, "百万": 10**6, "万": 10**4, "亿": 10**8, "千": 10**3}
EN_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "000": 10**3, "mn": 10**6, "bn": 10**9, "k": 10**3}
LONGEST = 400  # characters of a line that may name a unit
LONGEST_PROSE = 150
# words of a currency, the first that a line holds counts; a bare dollar names no country
CURRENCIES = (
    ("HKD", r"港元|港币|HK\$|HKD|Hong Kong dollars?"),
    ("USD", r"美元|US\$|U\.S\. ?\$|USD|U\.S\. dollars?|US dollars?|United States dollars?"),
    ("EUR", r"欧元|€|EUR\b|euros?\b"),
    ("GBP", r"英镑|£|GBP|pounds sterling"),
    ("JPY", r"日元|日圆|JPY|(?:Japanese )?\byen\b"),
    ("CAD", r"C\$|CAD\b|Canadian dollars?"),
    ("AUD", r"A\$|AUD\b|Australian dollars?"),
    ("CHF", r"CHF\b|Swiss francs?"),
    ("DKK", r"DKK\b|Danish kroner"),
    ("CNY", r"人民币|RMB|CNY|renminbi"),
)
_CURRENCY = tuple((code, re.compile(words, re.IGNORECASE)) for code, words in CURRENCIES)
_MONEY = r"(?:人民币|港币|港元|美元|美金|欧元|日元|英镑|RMB|CNY)?"
_ZH_SCALE = r"(?P<scale>(?:十|百|佰|千|仟)?(?:万|亿)?元|百万|千万元)"
_ZH_UNIT = re.compile(rf"(?:单\s*位|金额\s*单位|货币\s*单位)[^：:]{{0,8}}[：:为是]\s*{_MONEY}\s*{_ZH_SCALE}")
_ZH_FOREIGN = re.compile(
    r"(?:单\s*位|金额单位)[^：:]{0,8}[：:]\s*(?P<scale>千|百万|万|亿)?\s*(?P<currency>美元|港元|港币|欧元|日元)"
)
_ZH_LOOSE = re.compile(
    rf"(?:^|[（(，,；;\s])(?:除[^，,]{{1,20}}外[，,]?)?(?:均?以|金额(?:均?以|为)|表示为)?\s*"
    rf"人民币\s*{_ZH_SCALE}(?:$|[）)，,；;\s列表计])"
)
_EN_SCALE = r"(?P<scale>thousands?|millions?|billions?)"
_OF_MONEY = (
    r"(?!\s+of\b(?!\s+(?:[A-Z]\w+\s+)?(?:U\.?S\.?|RMB|CNY|euros?|dollars?|yen|yuan|renminbi|DKK|EUR|USD|pounds)))"
)
_EN_UNIT = re.compile(rf"\bin\s+(?:[\w.$€£¥]+\s+){{0,2}}?{_EN_SCALE}\b{_OF_MONEY}", re.IGNORECASE)
_EN_BARE = re.compile(
    r"^\W*\$?\s*(?P<scale>thousands|millions|billions)(?:,| of (?:U\.?S\.? )?dollars|\W*$)", re.IGNORECASE
)
_EN_SHORT = re.compile(
    r"(?:RMB|US\$|HK\$|USD|CNY|EUR|DKK|\$|€|£)\s?['’‘]?(?P<scale>000|million|billion|thousand|mn|bn)s?\b"
    r"|(?P<omitted>000)['’]?s omitted",
    re.IGNORECASE,
)
_PARENTHESES = re.compile(r"\([^()]*\)")
_SHARES_APART = re.compile(
    r"except\b[^()]*?(?:number of shares|share (?:amounts|data|and per)|shares?,|shares? and|shares\b)"
    r"|除[^，,]*股(?:数|份)",
    re.IGNORECASE,
)
_SHARES_SCALE = re.compile(
    rf"shares?(?: amounts?)?,? (?:which are |are )?(?:reflected |stated |presented |shown )?in {_EN_SCALE}",
    re.IGNORECASE,
)
_ONLY_PER_SHARE = re.compile(
    r"except (?:for )?(?:per[- ]share|(?:earnings|loss|income)[^()]{0,40}per|par value)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Unit:
    """One printed unit of money is `scale` of the currency, one printed share `shares`."""

    scale: int = 1
    currency: str | None = None
    shares: int = 1


def find_unit(line: str) -> Unit | None:
    """The unit that the line names, or None. A currency alone is no unit; see `find_currency`."""
    if len(line) > LONGEST:
        return None
    found = _chinese_unit(line) or _english_unit(line)
    return None if found is None else replace(found, currency=find_currency(line))


def find_currency(line: str) -> str | None:
    """The ISO code of the first currency the line names with its country, or None."""
    found = ((words.search(line), code) for code, words in _CURRENCY)
    places = [(match.start(), code) for match, code in found if match is not None]
    return min(places)[1] if places else None


def _chinese_unit(line: str) -> Unit | None:
    found = _ZH_UNIT.search(line) or _ZH_FOREIGN.search(line) or _ZH_LOOSE.search(line)
    if found is None:
        return None
    scale = ZH_SCALES[found["scale"]] if found["scale"] else 1
    return Unit(scale=scale, shares=1 if _SHARES_APART.search(line) else scale)


def _english_unit(line: str) -> Unit | None:
    if len(line) > LONGEST_PROSE:  # a sentence names a unit only within parentheses
        line = " ".join(_PARENTHESES.findall(line))
    found = _EN_UNIT.search(line) or _EN_BARE.search(line) or _EN_SHORT.search(line)
    if found is None:
        return None
    named = found.groupdict()
    scale = EN_SCALES[(named.get("scale") or named.get("omitted") or "").lower().removesuffix("s")]
    shares = scale
    told = _SHARES_SCALE.search(line)
    if told is not None:
        shares = EN_SCALES[told["scale"].lower().removesuffix("s")]
    elif _SHARES_APART.search(line) and not _ONLY_PER_SHARE.search(line):
        shares = 1
    return Unit(scale=scale, shares=shares)

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
from math import prod

ZH_DIGITS = {
    "十": 10,
    "百": 100,
    "佰": 100,
    "千": 10**3,
    "仟": 10**3,
    "万": 10**4,
    "萬": 10**4,
    "亿": 10**8,
    "億": 10**8,
}
EN_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "lakh": 10**5, "lac": 10**5, "crore": 10**7}
EN_SCALES |= {"000": 10**3, "k": 10**3, "t": 10**3, "m": 10**6, "mm": 10**6, "mn": 10**6, "mio": 10**6, "bn": 10**9}
LONGEST = 400  # characters of a line that may name a unit
LONGEST_PROSE = 150
# words of a currency, the first that a line holds counts; a bare dollar names no country
CURRENCIES = (
    ("HKD", r"港元|港[币幣]|HK\$|HKD|Hong Kong dollars?"),
    ("USD", r"美元|US\$|U\.S\. ?\$|USD|U\.S\. dollars?|US dollars?|United States dollars?"),
    ("EUR", r"[欧歐]元|€|EUR\b|euros?\b"),
    ("GBP", r"英[镑鎊]|£|GBP|pounds sterling"),
    ("JPY", r"日元|日[圆圓]|JPY|(?:Japanese )?\byen\b"),
    ("CAD", r"C\$|CAD\b|Canadian dollars?"),
    ("AUD", r"A\$|AUD\b|Australian dollars?"),
    ("CHF", r"CHF\b|Swiss francs?"),
    ("DKK", r"DKK\b|Danish kroner"),
    ("SEK", r"\bSEK\b|Swedish kron[oa]r?"),
    ("NOK", r"\bNOK\b|Norwegian kroner"),
    ("SGD", r"(?<![A-Z])S\$|\bSGD\b|Singapore dollars?"),
    ("NZD", r"NZ\$|\bNZD\b|New Zealand dollars?"),
    ("TWD", r"NT\$|新[台臺][币幣]|\bTWD\b"),
    ("INR", r"₹|(?-i:\bRs\b)|\bINR\b|Indian rupees?"),
    ("KRW", r"₩|\bKRW\b|Korean won"),
    ("CNY", r"人民[币幣]|RMB|CNY|renminbi"),
)
_CURRENCY = tuple((code, re.compile(words, re.IGNORECASE)) for code, words in CURRENCIES)
_MONEY = r"(?:人民[币幣]|港[币幣元]|美[元金]|[欧歐]元|日[元圆圓]|英[镑鎊]|新[台臺][币幣]|RMB|CNY)"
_ZH_SCALE = (
    rf"{_MONEY}?\s*(?:(?P<scale>[十百佰千仟]?[万萬亿億]|[十百佰千仟]|)(?:{_MONEY}|元{_MONEY}?)"
    r"|(?P<only>[百佰千]?[万萬]))"
)
_ZH_UNIT = re.compile(
    rf"(?:[单單]\s*位|金[额額]\s*[单單]位|[货貨][币幣]\s*[单單]位)[^：:]{{0,8}}[：:为是]\s*{_ZH_SCALE}"
)
_ZH_LOOSE = re.compile(
    rf"(?:^|[（(，,；;\s])(?:除[^，,]{{1,20}}外[，,]?)?(?:均?以|金额(?:均?以|为)|表示为)?\s*"
    rf"(?=人民币){_ZH_SCALE}(?:$|[）)，,；;\s列表计])"
)
_ZH_BRACKETED = re.compile(rf"[（(]\s*(?=[^（()）]*[元币幣]){_ZH_SCALE}\s*[)）]")  # 2023年度（万元）
_ZH_ALONE = re.compile(rf"(?:(?:19|20)\d\d年[度\d月日]*)?(?=.*[元币幣]){_ZH_SCALE}")  # a cell: 万元, 2023年千港元
_ZH_PER = re.compile(r"每股|[单單][价價]|[/／]")
_EN_SCALE = r"(?P<scale>thousands?|millions?|billions?|crores?|lakhs?|lacs?)"
_OF_MONEY = (
    r"(?!\s+of\b(?!\s+(?:[A-Z]\w+\s+)?(?:U\.?S\.?|RMB|CNY|euros?|dollars?|yen|yuan|renminbi|DKK|EUR|USD|pounds)))"
)
_EN_UNIT = re.compile(rf"\bin\s+(?:[\w.$€£¥]+\s+){{0,2}}?{_EN_SCALE}\b{_OF_MONEY}", re.IGNORECASE)
_EN_BARE = re.compile(
    r"^\W*\$?\s*(?P<scale>thousands|millions|billions)(?:,| of (?:U\.?S\.? )?dollars|\W*$)", re.IGNORECASE
)
_CODE = (
    r"(?:(?:(?:US|U\.S\.|HK|CA?|AU?|S|NZ|NT) ?)?\$|[€£¥₹₩]|Rs\b\.?"
    r"|RMB|CNY|USD|HKD|EUR|GBP|JPY|CHF|CAD|AUD|DKK|SEK|NOK|INR|SGD|NZD|KRW)"
)
_SHORT_SCALE = r"000|thousands?|millions?|billions?|crores?|lakhs?|lacs?|mio|mn|mm|bn|m|k"
_NO_AMOUNT = r"(?!\s?(?!(?:19|20)\d\d\b)\d)"  # a year may follow, and go before
_EN_SHORT = re.compile(  # £m, US$ million, RMB'000, Rs. in crore; TEUR, k€, mn EUR
    rf"(?<![A-Za-z]){_CODE}\s?(?:in\s)?['’‘]?(?P<scale>{_SHORT_SCALE})(?:['’]?s)?(?!\w)"
    rf"|(?<![\w.,])(?:(?<!\d )|(?<=(?:19|20)\d\d ))(?P<before>{_SHORT_SCALE}|t)\.?\s?{_CODE}(?![A-Za-z]){_NO_AMOUNT}"
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
    found = _ZH_UNIT.search(line) or _ZH_LOOSE.search(line) or _bare_chinese(line)
    if found is None:
        return None
    scale = prod(ZH_DIGITS[digit] for digit in found["scale"] or found["only"] or "")
    return Unit(scale=scale, shares=1 if _SHARES_APART.search(line) else scale)


def _bare_chinese(line: str) -> re.Match[str] | None:
    """A unit that nothing announces: in brackets, or in every cell of the line."""
    if len(line) > LONGEST_PROSE or _ZH_PER.search(line):
        return None
    cells = [cell.strip("（()）") for cell in line.split()]
    alone = [found for cell in cells if cell and (found := _ZH_ALONE.fullmatch(cell)) is not None]
    return alone[0] if alone and len(alone) == len(cells) else _ZH_BRACKETED.search(line)


def _english_unit(line: str) -> Unit | None:
    if len(line) > LONGEST_PROSE:  # a sentence names a unit only within parentheses
        line = " ".join(_PARENTHESES.findall(line))
    found = _EN_UNIT.search(line) or _EN_BARE.search(line) or _EN_SHORT.search(line)
    if found is None:
        return None
    named = found.groupdict()
    words = next(word for name in ("scale", "before", "omitted") if (word := named.get(name)))
    scale = EN_SCALES[words.lower().removesuffix("s")]
    shares = scale
    told = _SHARES_SCALE.search(line)
    if told is not None:
        shares = EN_SCALES[told["scale"].lower().removesuffix("s")]
    elif _SHARES_APART.search(line) and not _ONLY_PER_SHARE.search(line):
        shares = 1
    return Unit(scale=scale, shares=shares)

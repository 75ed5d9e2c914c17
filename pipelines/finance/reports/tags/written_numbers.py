"""Numbers and durations written in English words."""

import re
from decimal import ROUND_HALF_UP, Decimal

BELOW_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
SMALL = {name: number for number, name in enumerate(BELOW_TWENTY.split())}
SMALL |= {name: 10 * place for place, name in enumerate(TENS.split(), 2)} | {"fourty": 40, "a": 1, "an": 1}
LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "quadrillion": 10**15}
NOTHING = {"no", "none", "nil", "zero", "not any", "neither", "not"}
FIGURE = re.compile(r"\d+(?:\.\d+)?|\.\d+", re.ASCII)
WORD = re.compile(r"[a-z]+|[\d.]+", re.ASCII)
SPAN = re.compile(r"(.*?)\b(year|month|week|day|hour)s?\b", re.DOTALL)
LONGEST = 300  # characters of a number in words
MONTHS_A_YEAR, DAYS_A_MONTH, HOURS_A_DAY = Decimal(12), Decimal("30.4375"), Decimal(24)


def number_in_words(text: str) -> str:
    """An English number; "no" and "none" are nought.

    >>> number_in_words("One hundred and twenty-three thousand, four hundred five")
    '123405'
    """
    words = text.strip().lower()
    if words in NOTHING:
        return "0"
    if len(words) > LONGEST:
        raise ValueError(f"a number in words of {len(words)} characters; at most {LONGEST} are read")
    number = _amount(words, text)
    return format(number.normalize() if number % 1 else number.quantize(Decimal(1)), "f")


def written_duration(text: str) -> str:
    """A length of time in English as ISO 8601 writes it.

    >>> written_duration("two years and six months")
    'P2Y6M'
    """
    words = text.strip().lower()
    if words in NOTHING:
        return "P0D"
    if len(words) > LONGEST:
        raise ValueError(f"a duration in words of {len(words)} characters; at most {LONGEST} are read")
    parts: dict[str, str] = {}
    end = 0
    for span in SPAN.finditer(words):
        parts[span[2]] = number_in_words(re.sub(r"^[\s,]*(?:and\b)?|[\s\-–]+$", "", span[1]))
        end = span.end()
    if not parts or words[end:].strip(" .’'"):
        raise ValueError(f"no duration in words: {text.strip()[:40]!r}")
    if set(parts) == {"week"}:
        return f"P{parts['week']}W" if "." not in parts["week"] else duration(parts["week"], "W")
    if any("." in number for number in parts.values()) and len(parts) == 1:
        ((unit, number),) = parts.items()
        return duration(number, unit[0].upper())
    days = int(parts.get("day", "0")) + 7 * int(parts.get("week", "0"))
    written = "".join(f"{parts[unit]}{unit[0].upper()}" for unit in ("year", "month") if unit in parts)
    written += f"{days}D" if "day" in parts or "week" in parts else ""
    return "P" + written + (f"T{parts['hour']}H" if "hour" in parts else "")


def duration(number: str, unit: str) -> str:
    """A number of years, months, weeks, days or hours (Y M W D H) as ISO 8601; fractions run down to smaller units.

    >>> duration("2.5", "Y"), duration("18", "M"), duration("1.5", "D")
    ('P2Y6M', 'P18M', 'P1DT12H')
    """
    sign, amount = ("-" if number.startswith("-") else ""), Decimal(number.lstrip("-"))
    if amount >= 10**9:
        raise ValueError(f"a duration too long to be meant: {number[:40]}")
    whole, rest = int(amount), amount % 1
    if not rest:
        return f"{sign}PT{whole}H" if unit == "H" else f"{sign}P{whole}{unit}"
    if unit == "Y":
        months = rest * MONTHS_A_YEAR
        days = _rounded(months % 1 * DAYS_A_MONTH)
        return f"{sign}P{whole}Y{int(months)}M" + (f"{days}D" if days else "")
    if unit == "M":
        return f"{sign}P{whole}M{_rounded(rest * DAYS_A_MONTH)}D"
    if unit == "W":
        return f"{sign}P{_rounded(amount * 7)}D"
    if unit == "D":
        return f"{sign}P{whole}DT{_rounded(rest * HOURS_A_DAY)}H"
    return f"{sign}PT{whole}H{_rounded(rest * 60)}M"


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def _amount(words: str, text: str) -> Decimal:
    total, current, seen = Decimal(0), Decimal(0), False
    for word in WORD.findall(words.replace(",", "")):
        if word == "and" and seen:
            continue
        if word in SMALL:
            current += SMALL[word]
        elif FIGURE.fullmatch(word) is not None and not current and len(word) <= 20:
            current = Decimal(word)
        elif word == "hundred":
            current = (current or Decimal(1)) * 100
        elif word in LARGE:
            total += (current or Decimal(1)) * LARGE[word]
            current = Decimal(0)
        else:
            raise ValueError(f"no number in words: {text.strip()[:40]!r}")
        seen = True
    if not seen or re.search(r"[^a-z\d.,\s\-‐‑–]", words):
        raise ValueError(f"no number in words: {text.strip()[:40]!r}")
    return total + current

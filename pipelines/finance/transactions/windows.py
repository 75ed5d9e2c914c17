"""Windows over the past of a key: a span of time (`1h`, `7d`) or the last so many events (`10n`)."""

import re
from dataclasses import dataclass

from core.errors import InputError

SECOND_MS = 1_000
UNITS_MS = {"s": SECOND_MS, "m": 60 * SECOND_MS, "h": 3_600 * SECOND_MS, "d": 86_400 * SECOND_MS}
WORDS = {"s": ("second", "秒"), "m": ("minute", "分钟"), "h": ("hour", "小时"), "d": ("day", "天")}
_FORM = re.compile(r"(\d{1,7})([smhdn])")


@dataclass(frozen=True)
class Window:
    """One window. Exactly one of `span_ms` (> 0) and `events` (> 0) is set."""

    text: str
    span_ms: int = 0
    events: int = 0

    @property
    def words(self) -> tuple[str, str]:
        """In English and Chinese: `7 days`, `7天`."""
        number = int(self.text[:-1])
        if self.events:
            return f"last {number} transactions", f"最近{number}笔"
        english, chinese = WORDS[self.text[-1]]
        return f"last {number} {english}{'s' if number > 1 else ''}", f"近{number}{chinese}"


def parse_window(text: str) -> Window:
    """Read `30m`, `1h`, `7d` or `10n`. InputError: anything else.

    >>> parse_window("7d").span_ms == 7 * 86_400_000, parse_window("10n").events
    (True, 10)
    """
    found = _FORM.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise InputError(f"a window is a number above 0 and s, m, h, d or n (events), such as 7d or 10n; got {text!r}")
    number, unit = int(found[1]), found[2]
    return Window(text, events=number) if unit == "n" else Window(text, span_ms=number * UNITS_MS[unit])


def parse_span(text: str) -> int:
    """Milliseconds of a delay such as `7d`; `0` and `0d` are none. InputError: anything else."""
    if re.fullmatch(r"0+[smhd]?", text):
        return 0
    window = parse_window(text)
    if window.events:
        raise InputError(f"a delay is a span of time such as 7d or 12h, got {text!r}")
    return window.span_ms

"""How a decision looks: a colour that the colour-blind can tell apart, an icon and a sign, never colour alone.

Blue, amber and vermilion after Okabe and Ito (https://jfly.uni-koeln.de/color/), shifted to be read on white and on
near-black; they differ in lightness too, so that a grey print still tells them apart.
"""

from dataclasses import dataclass
from typing import Final, Literal

from dashboards.words import Words

BLUE: Final = "#2F86C8"
AMBER: Final = "#E8A81E"
VERMILION: Final = "#C9481B"
GREY: Final = "#8B93A1"

BadgeColour = Literal["blue", "orange", "red", "gray"]


@dataclass(frozen=True)
class Mark:
    """`colour` for charts, `badge` for Streamlit's badge, `icon` a Material symbol, `sign` for table cells."""

    colour: str
    badge: BadgeColour
    icon: str
    sign: str


_GOOD: Final = Mark(BLUE, "blue", ":material/check_circle:", "✓")
_UNSURE: Final = Mark(AMBER, "orange", ":material/help:", "?")
_BAD: Final = Mark(VERMILION, "red", ":material/cancel:", "✕")
_NONE: Final = Mark(GREY, "gray", ":material/block:", "–")

MARKS: Final[dict[str, Mark]] = {
    "approve": _GOOD,
    "review": _UNSURE,
    "decline": _BAD,
    "failed": _NONE,
    "pass": _GOOD,
    "reject": _BAD,
    "unknown": _NONE,
    "done": _GOOD,
    "running": Mark(BLUE, "blue", ":material/autorenew:", "▶"),
    "queued": Mark(GREY, "gray", ":material/schedule:", "…"),
    "cancelled": _NONE,
    "dead": _BAD,
    "champion": Mark(BLUE, "blue", ":material/star:", "★"),
    "candidate": Mark(GREY, "gray", ":material/science:", "○"),
    "archived": Mark(GREY, "gray", ":material/inventory_2:", "–"),
    "job_failed": _BAD,
}

DECISIONS: Final = ("approve", "review", "decline")
VERDICTS: Final = ("pass", "review", "reject", "unknown")


def signed(state: str, words: Words) -> str:
    """The word of a state with its sign, for a cell of a table: "✓ approve"."""
    return f"{MARKS[state].sign} {words(state)}" if state in MARKS else words.known(state)

"""What a line of a printed statement is: its words, its item, its concept, and the signs of both."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement's form; without an item it is a heading."""

    words: tuple[str, ...]  # any one of these
    item: str = ""
    concept: str = ""
    shown: int = 1  # sign on paper against that of the item
    tagged: int = 1  # sign of the concept against that of the item
    total: bool = False
    kept: bool = False  # stays although it is nothing in all years


def head(*words: str) -> Line:
    """A heading without figures."""
    return Line(words)


def line(item: str, *words: str, concept: str = "", shown: int = 1, tagged: int = 1) -> Line:
    """A line that is left out where it is nothing."""
    return Line(words, item, concept, shown, tagged)


def sums(item: str, *words: str, concept: str = "") -> Line:
    """A subtotal or total."""
    return Line(words, item, concept, total=True, kept=True)

"""How a filing prints its numbers and tables: units, signs, dashes, notes, order of years; drawn from a seed."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

UNITS = {  # name -> what it is in currency, words
    "dollars": (Decimal(1), "(in dollars, except share data)"),
    "thousands": (Decimal(1000), "(In thousands, except per share data)"),
    "thousands_whole_shares": (Decimal(1000), "(In thousands, except share and per share amounts)"),
    "millions": (Decimal(1_000_000), "(In millions, except per share data)"),
    "yuan": (Decimal(1), "单位：元"),
    "yuan_cny": (Decimal(1), "单位：元  币种：人民币"),
    "thousand_yuan": (Decimal(1000), "单位：千元"),
    "ten_thousand_yuan": (Decimal(10_000), "单位：万元"),
    "ten_thousand_yuan_cny": (Decimal(10_000), "单位：人民币万元"),
    "million_yuan": (Decimal(1_000_000), "单位：百万元"),
    "hundred_million_yuan": (Decimal(100_000_000), "单位：亿元"),
}
UNITS_OF_GRAIN = {  # grain in hundredths -> units that show it in four decimals at most
    1: ("yuan", "yuan_cny"),
    100: ("yuan", "yuan_cny"),
    10_000: ("ten_thousand_yuan", "ten_thousand_yuan_cny", "yuan", "thousand_yuan"),
    1_000_000: ("ten_thousand_yuan", "million_yuan", "hundred_million_yuan", "yuan"),
    100_000: ("thousands", "thousands", "thousands_whole_shares", "dollars"),
    100_000_000: ("millions", "millions", "thousands"),
}
FULL_WIDTH = str.maketrans("0123456789,.-", "０１２３４５６７８９，．－")


@dataclass(frozen=True, kw_only=True)
class Style:
    """The habits of one filing."""

    seed: int
    unit: str  # key of UNITS
    decimals: int  # of money
    negative: str  # parentheses, full_parentheses, minus, full_minus
    nothing: str  # what stands where there is no figure
    notes: bool  # a column of note numbers
    newest_first: bool
    dollar_signs: bool  # before the first figure and totals
    split_cells: bool  # "$", the number and ")" in cells of their own
    full_width: bool  # digits
    long_dates: bool
    empty_lines: bool  # lines that are nothing in all years are printed nevertheless
    breaks: bool  # page breaks inside long tables
    wide_margin: bool

    @property
    def scale(self) -> Decimal:
        """What 1 on paper is in currency."""
        return UNITS[self.unit][0]

    @property
    def unit_words(self) -> str:
        """What the page says about it."""
        return UNITS[self.unit][1]

    def pick(self, words: tuple[str, ...], place: int = 0) -> str:
        """One of the words, the same one each time."""
        return words[(self.seed + place) % len(words)]

    def written(self, value: Decimal | None, decimals: int | None = None) -> str:
        """A number as this filing prints it; money without `decimals`."""
        if value is None or value == 0:
            return self.nothing
        digits = self.decimals if decimals is None else decimals
        text = f"{abs(value):,.{digits}f}"
        if value < 0:
            marks = {"parentheses": "()", "full_parentheses": "（）", "minus": "-", "full_minus": "−"}[self.negative]
            text = f"{marks[0]}{text}{marks[1:]}"
        return text.translate(FULL_WIDTH) if self.full_width else text


def draw_style(rng: np.random.Generator, country: str, grain_cents: int) -> Style:
    """Habits that a filing of this country may have."""
    units = UNITS_OF_GRAIN[grain_cents]
    unit = units[int(rng.integers(len(units)))]
    chinese = country == "cn"
    exact = Decimal(grain_cents) / 100 / UNITS[unit][0]  # a grain on paper
    decimals = max(0, -exact.normalize().as_tuple().exponent) if exact < 1 else 0  # type: ignore[operator]
    if chinese and unit.startswith("yuan"):
        decimals = 2
    negatives = (
        ("minus", "minus", "parentheses", "full_parentheses", "full_minus")
        if chinese
        else ("parentheses", "parentheses", "minus")
    )
    chance = rng.random(9)
    return Style(
        seed=int(rng.integers(1_000_000)),
        unit=unit,
        decimals=decimals,
        negative=negatives[int(rng.integers(len(negatives)))],
        nothing=("", "-", "—")[int(rng.integers(3))] if chinese else ("—", "-", "–")[int(rng.integers(3))],
        notes=bool(chance[0] < (0.5 if chinese else 0.25)),
        newest_first=bool(chance[1] < 0.85) or chinese,
        dollar_signs=not chinese and bool(chance[2] < 0.7),
        split_cells=not chinese and bool(chance[3] < 0.6),
        full_width=chinese and bool(chance[4] < 0.12),
        long_dates=bool(chance[5] < 0.6),
        empty_lines=chinese and bool(chance[6] < 0.6),
        breaks=bool(chance[7] < 0.5),
        wide_margin=bool(chance[8] < 0.5),
    )

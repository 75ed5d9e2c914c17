"""Pairs of columns as features: difference and quotient of those that the trees lean on.

Ratios share figures, so two of them hold a third that neither shows: net profit to assets and sales to assets hold the
margin. Trees cut one column at a time and find such things only by many cuts (Zieba, Tomczak and Tomczak 2016, Ensemble
boosted trees with synthetic features generation in application to bankruptcy prediction).

B rows, F columns, P pairs.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from data.columns import LARGEST

Floats = NDArray[np.float64]
OPERATORS: Mapping[str, tuple[str, str]] = {
    "less": ("{} less {}", "{}与{}之差"),
    "per": ("{} per {}", "{}与{}之比"),
}


@dataclass(frozen=True)
class Pair:
    """Two columns and what is made of them."""

    left: str
    operator: str
    right: str

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise InputError(f"a pair is {', '.join(OPERATORS)}, got {self.operator!r}", code="BAD_BUNDLE")

    @property
    def name(self) -> str:
        """Of the column."""
        return f"{self.left} {self.operator} {self.right}"

    def words(self, of: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
        """English and Chinese, from those of the columns."""
        left, right = (of.get(name, (name, name)) for name in (self.left, self.right))
        english, chinese = OPERATORS[self.operator]
        return english.format(left[0], right[0]), chinese.format(left[1], right[1])

    def of(self, left_B: Floats, right_B: Floats) -> Floats:
        """The column (B,), NaN where either is missing, the divisor is zero, or no amount is meant any more."""
        with np.errstate(all="ignore"):
            less = self.operator == "less"
            found_B = left_B - right_B if less else left_B / np.where(right_B == 0, np.nan, right_B)
        return np.where(np.abs(found_B) <= LARGEST, found_B, np.nan)


def make_pairs(names: Sequence[str]) -> tuple[Pair, ...]:
    """All pairs of columns; of two, the one that is named later is divided by the earlier, which is the stronger.

    >>> [pair.name for pair in make_pairs(["a", "b"])]
    ['b less a', 'b per a']
    """
    chosen = itertools.combinations(names, 2)
    return tuple(Pair(right, operator, left) for left, right in chosen for operator in OPERATORS)


def pair_columns(pairs: Sequence[Pair], columns: Mapping[str, Floats]) -> dict[str, Floats]:
    """Name -> column of every pair."""
    return {pair.name: pair.of(columns[pair.left], columns[pair.right]) for pair in pairs}

"""Points and decisions: what a probability of default means to the business. B rows."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InputError

Floats = NDArray[np.float64]
Decision = Literal["approve", "review", "decline"]
DECISIONS: tuple[Decision, ...] = ("approve", "review", "decline")
POINT_DIGITS = 2


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Points: `base_score` at odds good:bad of `base_odds`, doubled odds for every `points_to_double` more."""

    base_score: float = 600.0
    base_odds: float = 50.0
    points_to_double: float = 20.0

    def __post_init__(self) -> None:
        good = self.base_odds > 0 and self.points_to_double > 0 and math.isfinite(self.base_score)
        if not good:
            raise InputError(
                f"base odds and points to double must be above 0, got {self.base_odds:g} and {self.points_to_double:g}"
            )

    def points(self, probability_B: ArrayLike) -> Floats:
        """Points (B,), higher is safer, rounded to two digits.

        >>> Scale().points([1 / 51, 1 / 101])
        array([600., 620.])
        """
        p_B = np.asarray(probability_B, dtype=np.float64)
        doublings_B = np.log2((1 - p_B) / p_B) - math.log2(self.base_odds)
        return np.asarray(np.round(self.base_score + self.points_to_double * doublings_B, POINT_DIGITS))


@dataclass(frozen=True, kw_only=True)
class Zones:
    """Where probabilities of default are approved, reviewed and declined; review is [approve_below, decline_above]."""

    approve_below: float
    decline_above: float
    threshold: float  # the cut that costs least, or declines the wanted share; it lies in the review zone

    def __post_init__(self) -> None:
        if not 0 <= self.approve_below <= self.threshold <= self.decline_above <= 1:
            raise InputError(f"zones must rise from 0 to 1: approve below, threshold, decline above; got {self}")

    def place(self, probability_B: ArrayLike) -> NDArray[np.int64]:
        """Zone numbers (B,), indices into DECISIONS; NaN is sent to review."""
        p_B = np.asarray(probability_B, dtype=np.float64)
        return np.where(p_B < self.approve_below, 0, np.where(p_B > self.decline_above, 2, 1))


@dataclass(frozen=True, kw_only=True)
class Policy:
    """All of a bundle's `decision`: scale, zones and where they came from."""

    scale: Scale
    zones: Zones
    rule: str  # one sentence: how the threshold and the band were found

    def to_json(self) -> dict[str, Any]:
        """For the bundle: flat."""
        return asdict(self.zones) | asdict(self.scale) | {"rule": self.rule}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Policy":
        """From a bundle. InputError: an entry is missing or no number."""
        try:
            zones = Zones(**{name: float(raw[name]) for name in ("approve_below", "decline_above", "threshold")})
            scale = Scale(**{name: float(raw[name]) for name in ("base_score", "base_odds", "points_to_double")})
        except (KeyError, TypeError) as error:
            raise InputError(f"the bundle's decision lacks {error} or holds no number there; retrain") from error
        return cls(scale=scale, zones=zones, rule=cast(str, raw.get("rule", "")))

"""Where to draw the line: from costs or a target rate, on validation pictures.

The line is the one of least cost, missed * escapes + false * overkills. A validation set has few parts, so that line is
uncertain: groups are drawn anew many times and the line of each draw is found. The middle one is drawn half way, in
log-odds, to the line that the costs alone would set on true probabilities, false / (missed + false). Pictures between
the 10 % and 90 % points of the draws go to a person (review).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.metrics.pixels import BINS, LIMIT, Tally, sum_tallies

DRAWS = 400
REVIEW = (0.1, 0.9)  # quantiles of the draws between which a person decides
NO_CHOICE = 0.5  # the line of regions where nothing is located
USUAL_RATE = 0.02  # of good parts flagged, where validation shows good parts only and no rate is asked for
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Zones:
    """Probabilities: at `reject_above` and more the part is rejected, below `review_above` it passes, between them a
    person looks. `threshold` is the single line for metrics that know only yes and no. `why` says how it was found."""

    threshold: float
    review_above: float
    reject_above: float
    why: str

    def __post_init__(self) -> None:
        if not 0 <= self.review_above <= self.threshold <= self.reject_above <= 1:
            raise InputError(
                "zones must hold 0 <= review_above <= threshold <= reject_above <= 1, "
                f"got {self.review_above}, {self.threshold}, {self.reject_above}"
            )

    def verdict(self, probability: float) -> str:
        """`pass`, `review` or `reject`."""
        if probability >= self.reject_above:
            return "reject"
        return "review" if probability >= self.review_above else "pass"

    def to_json(self) -> dict[str, float | str]:
        return {
            "threshold": self.threshold,
            "review_above": self.review_above,
            "reject_above": self.reject_above,
            "why": self.why,
        }

    @classmethod
    def from_json(cls, decision: Mapping[str, Any]) -> "Zones":
        """Read from a bundle's decision."""
        names = ("threshold", "review_above", "reject_above")
        return cls(why=str(decision["why"]), **{name: float(decision[name]) for name in names})


def choose_zones(
    yes_B: NDArray[np.bool_],
    p_B: Floats,
    groups: Sequence[str],
    *,
    missed: float,
    false: float,
    target_rate: float | None,
    seed: int,
) -> Zones:
    """Choose zones. With `target_rate` the line lets at most that share of defect-free pictures be flagged.

    Where validation has no defect-free picture nothing may pass; where it has no other, a rate decides.
    """
    if yes_B.all():
        return Zones(threshold=0.0, review_above=0.0, reject_above=0.0, why="validation shows no defect-free picture")
    if not yes_B.any():
        target_rate = USUAL_RATE if target_rate is None else target_rate
    order = np.argsort(p_B)
    lines = _lines_between(p_B[order])
    names, code_B = np.unique(np.asarray(groups)[order], return_inverse=True)
    rng = np.random.default_rng(seed)
    found = []
    for draw in range(DRAWS):
        weight_B = np.ones(len(order))
        if draw:
            weight_B = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))[code_B].astype(float)
        escapes = np.append(0.0, np.cumsum(weight_B * yes_B[order]))
        overkills = (weight_B * ~yes_B[order]).sum() - np.append(0.0, np.cumsum(weight_B * ~yes_B[order]))
        if target_rate is None:
            found.append(lines[_middle_least(missed * escapes + false * overkills)])
        else:
            found.append(lines[int(np.argmax(overkills <= target_rate * max(overkills[0], 1e-12)))])
    low, middle, high = np.quantile(found, [REVIEW[0], 0.5, REVIEW[1]])
    if target_rate is None:
        middle = _half_way(float(middle), false / (missed + false))
        low, high = min(low, middle), max(high, middle)
    why = f"least cost at {missed:g}:{false:g}" if target_rate is None else f"overkill at most {target_rate:g}"
    return Zones(threshold=float(middle), review_above=float(low), reject_above=float(high), why=why)


def choose_region_threshold(tallies: Sequence[Tally]) -> float:
    """Return the defect probability of best pixel F1 on validation pictures with masks or boxes; 0.5 without any."""
    total = sum_tallies(tallies)
    if not total.defect.any() or not total.clear.any():
        return NO_CHOICE
    hits, flagged = np.cumsum(total.defect), np.cumsum(total.defect + total.clear)
    best = int(np.argmax(2 * hits / (flagged + total.defect.sum())))
    logit = LIMIT - (best + 1) * (2 * LIMIT / BINS)
    return float(np.clip(1 / (1 + np.exp(-logit)), 0.05, 0.95))


def _lines_between(p_B: Floats) -> Floats:
    """Lines below, between and above rising probabilities, (B + 1,): place i has i pictures below it."""
    return np.concatenate([[p_B[0] / 2], (p_B[1:] + p_B[:-1]) / 2, [(1 + p_B[-1]) / 2]])


def _half_way(first: float, second: float) -> float:
    """Return the probability whose log-odds lie in the middle of two."""
    odds = float(np.sqrt(first / (1 - first) * second / (1 - second)))
    return odds / (1 + odds)


def _middle_least(cost: Floats) -> int:
    """Return the middle of all places of least cost: a gap between the kinds is halved, not hugged."""
    least = np.flatnonzero(cost <= cost.min() + 1e-9)
    return int(least[len(least) // 2])

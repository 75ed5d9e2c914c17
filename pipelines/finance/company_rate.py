"""The base rate: calibrated probabilities carried over to rows with another share of bad cases.

Where only the share of bad cases differs between two sets of rows, and not what bad and good cases look like, the
log-odds of every row differ by one constant (Elkan 2001, The foundations of cost-sensitive learning, theorem 2). The
share of rows without labels is found by maximum likelihood (Saerens, Latinne and Decaestecker 2002, Adjusting the
outputs of a classifier to new a priori probabilities: their EM climbs the likelihood solved here, which is concave).

B rows, S stages.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.runtime.calibrate import Calibrator
from core.runtime.cascade import Combination, Stage
from core.runtime.engine import MARGIN, logistic
from pipelines.finance.judging import Judged
from pipelines.finance.scorecard import Policy, Zones
from pipelines.finance.zones import Costs, describe

Floats = NDArray[np.float64]
HALF_WIDTH = 1.9207  # fall of the log-likelihood at the ends of a 95 % interval
STEPS = 200  # bisections: far below the last digit


@dataclass(frozen=True, kw_only=True)
class RateEstimate:
    """Share of bad cases among rows whose labels nobody looked at, with its 95 % interval."""

    rate: float
    low: float
    high: float
    rows: int

    def to_json(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class BaseRate:
    """Which share of bad cases the probabilities assume, and why."""

    assumed: float
    validation: float  # of the rows that calibrated
    source: str  # a sentence

    @property
    def shift(self) -> float:
        """Log-odds that are added to every row."""
        return log_odds(self.assumed) - log_odds(self.validation)

    def to_json(self) -> dict[str, Any]:
        """For the bundle."""
        return asdict(self) | {"shift": self.shift}


def log_odds(rate: float) -> float:
    """Log-odds of a share."""
    return math.log(rate / (1 - rate))


def estimate_rate(log_odds_B: Floats, rate: float) -> RateEstimate:
    """Estimate the share of bad cases from log-odds that are calibrated for the share `rate`.

    >>> round(estimate_rate(np.asarray([-9.0, -9.0, -9.0, 9.0]), 0.5).rate, 3)
    0.25
    """
    odds_B = np.exp(np.clip(log_odds_B - log_odds(rate), -500, 500))  # how much likelier the row is if it is bad
    edge = 1e-6

    def slope(r: float) -> float:
        return float(((odds_B - 1) / (1 - r + r * odds_B)).sum())

    def fall(r: float) -> float:
        return float(np.log1p(best * (odds_B - 1)).sum() - np.log1p(r * (odds_B - 1)).sum()) - HALF_WIDTH

    best = _root(slope, edge, 1 - edge)
    low = _root(lambda r: fall(r), edge, best) if fall(edge) > 0 else 0.0
    high = _root(lambda r: -fall(r), best, 1 - edge) if fall(1 - edge) > 0 else 1.0
    return RateEstimate(rate=round(best, 6), low=round(low, 6), high=round(high, 6), rows=len(log_odds_B))


def before_shift(costs: Costs, shift: float) -> tuple[float, float]:
    """Costs (missed, false) that set the same threshold on log-odds that are not shifted yet."""
    return costs.missed * math.exp(shift), costs.false


def shifted(judged: Judged, shift: float, costs: Costs, target_rate: float | None) -> Judged:
    """Carry what the validation rows found over to the assumed base rate; their metrics stay their own."""
    if shift == 0:
        return judged
    zones = _zones(judged.policy.zones, shift)
    golden = judged.golden
    outputs = {name: np.asarray(value, dtype=np.float64) for name, value in golden.outputs.items()}
    outputs["probability"] = _moved(outputs["probability"], shift)
    if judged.combination is not None:
        outputs[MARGIN] = outputs[MARGIN] + shift
    return replace(
        judged,
        calibration=None if judged.calibration is None else _line(judged.calibration, shift).to_json(),
        combination=None if judged.combination is None else _combination(judged.combination, shift),
        policy=Policy(scale=judged.policy.scale, zones=zones, rule=describe(zones, costs, target_rate)),
        golden=replace(golden, outputs=outputs),
    )


def _root(falling: Any, low: float, high: float) -> float:
    """Where a function that falls from above 0 to below crosses it."""
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return 0.5 * (low + high)


def _moved(probability_B: Floats, shift: float) -> Floats:
    return logistic(np.log(probability_B) - np.log1p(-probability_B) + shift)


def _zones(zones: Zones, shift: float) -> Zones:
    approve, threshold, decline = _moved(
        np.asarray([zones.approve_below, zones.threshold, zones.decline_above]), shift
    ).tolist()
    return Zones(approve_below=approve, decline_above=decline, threshold=threshold)


def _line(raw: Mapping[str, Any], shift: float) -> Calibrator:
    calibrator = Calibrator.from_json(raw)
    return replace(calibrator, values=tuple(value + shift for value in calibrator.values))


def _combination(combination: Combination, shift: float) -> Combination:
    def moved(edge: float | None) -> float | None:
        return None if edge is None else edge + shift

    def stage(one: Stage) -> Stage:
        line = _line(one.calibrator.to_json(), shift)
        return replace(one, calibrator=line, low=moved(one.low), high=moved(one.high))

    return Combination(stages=tuple(map(stage, combination.stages)))

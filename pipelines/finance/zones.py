"""Choosing the zones on validation rows, from costs or from a wanted share of declines.

Threshold. With costs, declining pays where the expected loss of approving, p * missed, exceeds that of declining,
(1 - p) * false: above p = false / (missed + false). With a target rate, the quantile of the validation rows that
declines this share of them.

Review. A case is sent to a person where the data do not tell on which side of the threshold its true rate lies: its
log-odds are within one standard error of the threshold's, so that at least one in six refits on other rows of the same
kind would decide otherwise; beyond, fewer. The variance has two parts: that of the
calibration (inverse information of its fit), and that of the trees, which is the grouped jackknife over the models of
the cross-validation (Efron and Tibshirani 1993, chapter 11), on the validation rows nearest the threshold. Where the
cost of a review is known, cases for which a review is cheaper than the better of the two decisions join (Chow 1970).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.runtime.calibrate import Calibrator
from pipelines.finance.scorecard import Zones

Floats = NDArray[np.float64]
REFITS = 1.0  # standard errors: one in six refits (16 %) lies farther off to one side
NEAREST = 0.1  # share of the validation rows on which the trees' own variance is read
FEWEST_NEAREST = 50


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What a wrong decision costs, in any one unit; `review` is one look by a person, where it is known."""

    missed: float = 5.0  # a bad case approved
    false: float = 1.0  # a good case declined
    review: float | None = None

    def __post_init__(self) -> None:
        if not (0 < self.missed < np.inf and 0 < self.false < np.inf):
            raise InputError(f"costs must be above 0, got {self.missed:g}:{self.false:g}")
        if self.review is not None and not self.review >= 0:
            raise InputError(f"the cost of a review must be 0 or more, got {self.review:g}")

    @property
    def threshold(self) -> float:
        """The probability above which declining costs less."""
        return self.false / (self.missed + self.false)


@dataclass(frozen=True, kw_only=True)
class ValidationRows:
    """Margins of the validation rows (B,), from the model and from the M models of its cross-validation (M, B)."""

    margin_B: Floats
    fold_margin_MB: Floats  # M = 0 where there was none


def choose_zones(calibrator: Calibrator, rows: ValidationRows, costs: Costs, target_rate: float | None = None) -> Zones:
    """Find the zones. `target_rate` is the wanted share of declines, in (0, 1); it overrules the costs' threshold."""
    z_B = calibrator.log_odds(rows.margin_B)
    if target_rate is None:
        z = float(np.log(costs.false / costs.missed))
    elif 0 < target_rate < 1:
        z = float(np.quantile(z_B, 1 - target_rate))
    else:
        raise InputError(f"the target rate is a share of declines between 0 and 1, got {target_rate:g}")
    half = REFITS * _standard_error(calibrator, rows, z_B, z)
    low, middle, high = 1 / (1 + np.exp(-np.asarray([z - half, z, z + half])))
    if costs.review is not None:
        missed = costs.false * (1 - middle) / middle  # what a miss must cost for this threshold to be the best
        if costs.review < missed * middle:
            low, high = min(low, costs.review / missed), max(high, 1 - costs.review / costs.false)
    return Zones(approve_below=float(low), decline_above=float(high), threshold=float(middle))


def describe(zones: Zones, costs: Costs, target_rate: float | None) -> str:
    """The rule in a sentence, for the bundle and its card."""
    if target_rate is None:
        cut = f"decline above {zones.threshold:.4g}, where costs of {costs.missed:g}:{costs.false:g} break even"
    else:
        cut = f"decline the riskiest {target_rate:.4g} of the validation rows, above {zones.threshold:.4g}"
    band = f"review {zones.approve_below:.4g} to {zones.decline_above:.4g}"
    return f"{cut}; {band}, where one in six refits would decide otherwise"


def _standard_error(calibrator: Calibrator, rows: ValidationRows, z_B: Floats, z: float) -> float:
    """Standard error of the log-odds of a case at the threshold."""
    at_margin = calibrator.margin([z])
    calibration = float(calibrator.standard_error(rows.margin_B, at_margin)[0])
    models = len(rows.fold_margin_MB)
    if models < 2:
        return calibration
    near = np.argsort(np.abs(z_B - z), kind="stable")[: max(FEWEST_NEAREST, int(NEAREST * len(z_B)))]
    fold_z_MB = calibrator.log_odds(rows.fold_margin_MB[:, near])
    trees = (models - 1) * fold_z_MB.var(axis=0).mean()
    return float(np.sqrt(calibration**2 + trees))

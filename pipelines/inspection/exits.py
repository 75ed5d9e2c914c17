"""Where easy pictures leave: after stage 0, when what it says is surely clear.

Only pictures that pass leave early: a defect is always looked at by the whole network, which says where and what it is.
Each stage has its own calibration. On validation pictures the line lies as high as it can without a cost: no more
escapes and overkills, weighed, than without an exit.

Legend: B pictures; log-odds are calibrated.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.runtime.calibrate import Calibrator
from core.runtime.cascade import Combination, Stage
from pipelines.inspection.thresholds import Zones

FIRST, SECOND = "network_0", "network_1"
EARLY = 0.5  # weight of stage 0 in the margin of a picture that went through both
AS_IT_IS = Calibrator(knots=(-1.0, 1.0), values=(-1.0, 1.0))  # where validation is too small to calibrate
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Of a defect that passes, and of a good part that is stopped."""

    missed: float
    false: float


def combine(first: Calibrator | None, second: Calibrator | None, operations: tuple[float, float]) -> Combination:
    """Return both stages, with no exit yet. `operations` are multiplications of a picture in each."""
    stages = (
        Stage(
            part=FIRST,
            output="margin_0",
            weights=(1.0,),
            bias=0.0,
            calibrator=first or AS_IT_IS,
            operations=operations[0],
        ),
        Stage(
            part=SECOND,
            output="margin_1",
            weights=(EARLY, 1.0 - EARLY),
            bias=0.0,
            calibrator=second or AS_IT_IS,
            operations=operations[1],
        ),
    )
    return Combination(stages=stages)


def choose_line(
    first_B: Floats, second_B: Floats, yes_B: NDArray[np.bool_], zones: Zones, costs: Costs
) -> float | None:
    """Return the log-odds of stage 0 below which a picture leaves; None where nobody should.

    The line lies below everything that a person or a machine would stop, so that whoever leaves passes.
    """
    if yes_B.all() or not yes_B.any() or not 0 < zones.review_above < 1:
        return None
    stop = float(np.log(zones.threshold / (1 - zones.threshold)))
    highest = float(np.log(zones.review_above / (1 - zones.review_above)))
    flagged_B = second_B >= stop
    price_B = np.where(yes_B, costs.missed * ~flagged_B, costs.false * flagged_B)
    leaves_price_B = np.where(yes_B, costs.missed, 0.0)
    order = np.argsort(first_B, kind="stable")
    change = np.cumsum((leaves_price_B - price_B)[order])
    fine = np.flatnonzero((change <= 0) & (first_B[order] < highest))
    if not len(fine):
        return None
    last = int(fine[-1])
    above = first_B[order][last + 1] if last + 1 < len(order) else highest
    return float(min(highest, (first_B[order][last] + above) / 2))

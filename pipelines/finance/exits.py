"""Early exits of a credit model: a calibration for every stage, and bands that easy rows lie outside of.

A band is set on the validation rows, so that all three hold for the rows that leave early there:

- together they raise the log loss by no more than a tolerance, one standard error added, and a seeming gain counts as
  none: few rows, which cannot show that nothing is lost, let hardly anybody leave;
- none gets another decision than at the last stage;
- none lies in the review zone or near it, nearer than the zone's own edge lies to the threshold.

Every stage's calibration is fitted to all validation rows, not only to those that reach it: so its probabilities hold
for any band, and one pair of decision zones serves all stages.

B rows, S stages.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.metrics.binary import auc, log_loss
from core.runtime.calibrate import Calibrator, fit_calibrator
from core.runtime.cascade import Combination, Left, Stage
from core.runtime.engine import EXIT, Prediction, logistic
from pipelines.finance.scorecard import Zones

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
TOLERANCE = 5e-4  # of log loss
AS_IT_IS = Calibrator(knots=(0.0, 1.0), values=(0.0, 1.0))


@dataclass(frozen=True, kw_only=True)
class StageDraft:
    """A stage before the validation rows have calibrated it; see core.runtime.cascade.Stage."""

    part: str
    output: str = "margin"
    weights: tuple[float, ...]  # of the margins of all stages so far, this one's last
    bias: float = 0.0
    operations: float = 0.0  # that this stage costs a row


@dataclass(frozen=True, kw_only=True)
class ExitRows:
    """Rows that no stage learned from: margins of all stages (S, B), labels (B,) of 0 and 1."""

    margin_SB: Floats
    y_B: Floats


@dataclass(frozen=True, kw_only=True)
class ExitCost:
    """What a tolerance saves and costs; changes are those against every row going to the last stage."""

    tolerance: float  # of log loss; 0 or less: no exits
    leaving: tuple[float, ...]  # share of the rows at every stage
    saved: float  # share of the operations
    log_loss: float  # its change, above 0 for worse
    auc: float  # its change, below 0 for worse
    decisions: float  # share of the rows whose decision changed

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self) | {"leaving": list(self.leaving)}


def calibrate_stages(drafts: Sequence[StageDraft], rows: ExitRows) -> Combination:
    """Calibrate every stage; nobody leaves early yet. InputError: rows of one class."""
    stages = []
    for number, draft in enumerate(drafts):
        fixed = asdict(draft) | {"weights": draft.weights}
        bare = Stage(**fixed, calibrator=AS_IT_IS)
        margin_B = bare.combine(rows.margin_SB[: number + 1])
        stages.append(replace(bare, calibrator=fit_calibrator(margin_B, rows.y_B)))
    return Combination(stages=tuple(stages))


def set_bands(combination: Combination, rows: ExitRows, zones: Zones, tolerance: float = TOLERANCE) -> Combination:
    """Return the combination with bands; a side where no row may leave has none."""
    patient = combination.without_exits()
    if tolerance <= 0:
        return patient
    last = patient.decide(rows.margin_SB)
    stages, here_B = list(patient.stages), np.ones(len(rows.y_B), dtype=np.bool_)
    low_limit, high_limit = _clear_of_review(zones)
    sides, unspent = 2 * (len(stages) - 1), tolerance
    for number, stage in enumerate(stages[:-1]):
        z_B = stage.calibrator.log_odds(stage.combine(rows.margin_SB[: number + 1]))
        loss_B = (_losses(z_B, rows.y_B) - _losses(last.log_odds_B, rows.y_B)) / len(rows.y_B)
        same_B = _zone(zones, z_B) == _zone(zones, last.log_odds_B)
        edges: list[float | None] = []
        for sign, limit in ((1.0, low_limit), (-1.0, -high_limit)):
            edge = _edge(sign * z_B[here_B], loss_B[here_B], same_B[here_B], limit, unspent / sides)
            if edge is not None:
                unspent -= max(0.0, float(loss_B[here_B & (sign * z_B < edge)].sum()))
            edges.append(None if edge is None else sign * edge)
            sides -= 1
        stages[number] = replace(stage, low=edges[0], high=edges[1])
        here_B &= ~stages[number].leaves(z_B)
    return Combination(stages=tuple(stages))


def exit_costs(
    combination: Combination, chosen: ExitRows, judged: ExitRows, zones: Zones, tolerances: Sequence[float]
) -> list[ExitCost]:
    """Set the bands on the rows `chosen` for every tolerance, and say what they save and cost on the rows `judged`."""
    return [
        _cost(set_bands(combination, chosen, zones, tolerance), judged, zones, tolerance) for tolerance in tolerances
    ]


def report(combination: Combination, came: Prediction, last: Prediction, y_B: Floats, zones: Zones) -> dict[str, Any]:
    """What leaving early saved and cost: `came` are the answers with exits, `last` those of the last stage."""
    exit_B = came.outputs[EXIT].astype(np.int64)
    leaving = np.bincount(exit_B, minlength=len(combination.stages))
    spent, whole = combination.operations(exit_B), combination.operations(last.outputs[EXIT].astype(np.int64))
    return {
        "stages": [
            {"part": stage.part, "rows": rows, "share": rows / len(y_B), "operations": stage.operations}
            for stage, rows in zip(combination.stages, leaving.tolist(), strict=True)
        ],
        "operations": {"with_exits": spent, "without": whole, "saved": 1 - spent / whole if whole else 0.0},
        "with_exits": _quality(y_B, came.probability),
        "without": _quality(y_B, last.probability),
        "decisions_changed": int((zones.place(came.probability) != zones.place(last.probability)).sum()),
    }


def _quality(y_B: Floats, p_B: Floats) -> dict[str, float | None]:
    return {"auc": auc(y_B, p_B) if len(np.unique(y_B)) == 2 else None, "log_loss": log_loss(y_B, p_B)}


def _compare(left: Left, last: Left, y_B: Floats, zones: Zones) -> dict[str, float]:
    """Changes by leaving early, against the last stage: log_loss, auc (0 with one class), decisions."""
    both = len(np.unique(y_B)) == 2
    return {
        "log_loss": float((_losses(left.log_odds_B, y_B) - _losses(last.log_odds_B, y_B)).mean()),
        "auc": auc(y_B, left.log_odds_B) - auc(y_B, last.log_odds_B) if both else 0.0,
        "decisions": float((_zone(zones, left.log_odds_B) != _zone(zones, last.log_odds_B)).mean()),
    }


def _cost(combination: Combination, rows: ExitRows, zones: Zones, tolerance: float) -> ExitCost:
    left = combination.decide(rows.margin_SB)
    last = combination.without_exits().decide(rows.margin_SB)
    leaving = np.bincount(left.exit_B, minlength=len(combination.stages)) / len(rows.y_B)
    whole = combination.operations(last.exit_B)
    return ExitCost(
        tolerance=tolerance,
        leaving=tuple(leaving.tolist()),
        saved=1 - combination.operations(left.exit_B) / whole if whole else 0.0,
        **_compare(left, last, rows.y_B, zones),
    )


def _edge(z_N: Floats, loss_N: Floats, same_N: Bools, limit: float, budget: float) -> float | None:
    """The highest log-odds below which rows may leave; None: no row may."""
    order = np.argsort(z_N, kind="stable")
    z_N, loss_N, same_N = z_N[order], loss_N[order], same_N[order]
    next_N = np.append(z_N[1:], np.inf)
    upper_N = np.maximum(np.cumsum(loss_N), 0) + np.sqrt(np.cumsum(loss_N**2))
    good = np.flatnonzero((upper_N <= budget) & np.logical_and.accumulate(same_N) & (z_N < limit) & (next_N > z_N))
    if not len(good):
        return None
    middle = (z_N[good[-1]] + next_N[good[-1]]) / 2
    return float(min(middle, limit))


def _clear_of_review(zones: Zones) -> tuple[float, float]:
    """Log-odds below which, and above which, a row lies well clear of the review zone."""
    edges = np.asarray([zones.approve_below, zones.threshold, zones.decline_above])
    with np.errstate(divide="ignore", invalid="ignore"):  # an edge at 0 or 1 lets nobody leave
        low, middle, high = np.log(edges) - np.log1p(-edges)
        return float(2 * low - middle), float(2 * high - middle)


def _zone(zones: Zones, log_odds_B: Floats) -> NDArray[np.int64]:
    return zones.place(logistic(log_odds_B))


def _losses(z_B: Floats, y_B: Floats) -> Floats:
    """Negative log-likelihood of every row, from log-odds."""
    return np.asarray(np.logaddexp(0, z_B) - y_B * z_B, dtype=np.float64)

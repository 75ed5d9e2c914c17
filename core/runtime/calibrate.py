"""Calibration: a strictly rising map from a model's margin (log-odds) to a probability.

The map is linear between knots, in log-odds, and goes on with its outer slopes: no two cases change places, so AUC and
every other ranking stay as they were. Two knots are Platt's straight line (Platt 1999); more bend it, as isotonic
regression does, but without its flat steps, which would tie cases. The fit is penalised likelihood: slopes are drawn
towards 1 (believe the model) and towards each other, so that 200 rows move the map little and 20,000 as they say.

Shapes: B rows, K knots.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InputError

Floats = NDArray[np.float64]
LEAST_SLOPE = 0.05  # log-odds gained per log-odds of margin; above 0, so that the map is strictly rising
SLOPE_SPREAD = 0.5  # a slope this far from 1 is believed at the cost of one half in log-likelihood
BEND_SPREAD = 0.15  # the same for the difference of neighbouring slopes
ROWS_A_KNOT = 100  # rows of the rarer class for every knot beyond the two of a line
MOST_KNOTS = 12
FOLDS = 5  # for the choice between line and bent line
EDGE = 36.0  # beyond this log-odds 1 - p is no longer below 1 in float64


@dataclass(frozen=True, kw_only=True)
class Calibrator:
    """`knots` are margins, `values` the log-odds there; both strictly rising, at least two."""

    knots: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        rises = all(np.all(np.diff(np.asarray(row, dtype=np.float64)) > 0) for row in (self.knots, self.values))
        finite = np.isfinite([*self.knots, *self.values]).all()
        if len(self.knots) < 2 or len(self.knots) != len(self.values) or not rises or not finite:
            raise InputError(
                f"a calibration needs two or more rising knots and values, got {self.knots}, {self.values}"
            )

    def __call__(self, margin_B: ArrayLike) -> Floats:
        """Return probabilities (B,), strictly inside (0, 1)."""
        z_B = np.clip(self.log_odds(margin_B), -EDGE, EDGE)
        return np.asarray(1.0 / (1.0 + np.exp(-z_B)), dtype=np.float64)

    def log_odds(self, margin_B: ArrayLike) -> Floats:
        """Return calibrated log-odds (B,), without bound."""
        return _broken_line(np.asarray(margin_B, dtype=np.float64), self.knots, self.values)

    def margin(self, log_odds_B: ArrayLike) -> Floats:
        """The inverse: which margins have these calibrated log-odds."""
        return _broken_line(np.asarray(log_odds_B, dtype=np.float64), self.values, self.knots)

    def standard_error(self, calibration_margin_B: ArrayLike, at_M: ArrayLike) -> Floats:
        """Standard error (M,) of the log-odds at margins, had the map been fitted to the calibration rows given.

        Inverse of the information matrix of the penalised fit, by the delta method.
        """
        knots = np.asarray(self.knots)
        margin_B = np.asarray(calibration_margin_B, dtype=np.float64)
        h_BK, p_B = _basis(margin_B, knots), self(margin_B)
        to_slopes = np.linalg.inv(_cumulate(knots))
        penalty = to_slopes.T @ _penalty(len(knots)) @ to_slopes
        covariance = np.linalg.inv((h_BK * (p_B * (1 - p_B))[:, None]).T @ h_BK + penalty)
        at_MK = _basis(np.asarray(at_M, dtype=np.float64), knots)
        return np.asarray(np.sqrt(np.einsum("mk,kl,ml->m", at_MK, covariance, at_MK)), dtype=np.float64)

    def to_json(self) -> dict[str, list[float]]:
        """Plain JSON values, exact."""
        return {"knots": list(self.knots), "values": list(self.values)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Calibrator":
        """InputError where the entries are not what `to_json` writes."""
        try:
            knots, values = (tuple(float(x) for x in raw[name]) for name in ("knots", "values"))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"a calibration needs knots and values, lists of numbers, got {dict(raw)}") from error
        return cls(knots=knots, values=values)


def fit_calibrator(margin: ArrayLike, y: ArrayLike, method: Literal["auto", "line", "bent"] = "auto") -> Calibrator:
    """Fit to rows (B,) that the model did not learn from; y is 0 or 1.

    "auto" takes the bent line where it forecasts left-out fifths of the rows better than the straight one, by more
    than two standard errors. InputError: no rows, one class, lengths differ, or a margin that is not finite.
    """
    margin_B, y_B = _checked(margin, y)
    knots = min(MOST_KNOTS, 2 + int(min(y_B.sum(), (1 - y_B).sum())) // ROWS_A_KNOT)
    if method == "line" or (method == "auto" and (knots == 2 or not _bending_pays(margin_B, y_B, knots))):
        knots = 2
    return _fit(margin_B, y_B, max(knots, 3) if method == "bent" else knots)


def _checked(margin: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    margin_B, y_B = np.asarray(margin, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if margin_B.shape != y_B.shape or margin_B.ndim != 1 or not np.isin(y_B, (0.0, 1.0)).all():
        raise InputError(
            f"calibration needs margins and labels 0 or 1 of one length, got {margin_B.shape}, {y_B.shape}"
        )
    if not np.isfinite(margin_B).all():
        raise InputError("calibration needs finite margins")
    if len(np.unique(y_B)) < 2:
        raise InputError("calibration needs rows of both classes; give more validation rows")
    return margin_B, y_B


def _bending_pays(margin_B: Floats, y_B: Floats, knots: int) -> bool:
    """Cross-validated: is the gain in log-likelihood larger than two of its standard errors?"""
    fold_B = np.empty(len(y_B), dtype=np.int64)
    fold_B[np.lexsort((margin_B, y_B))] = np.arange(len(y_B)) % FOLDS  # alike in class and margin
    gain_B = np.empty(len(y_B))
    for fold in range(FOLDS):
        out = fold_B == fold
        line, bent = (_fit(margin_B[~out], y_B[~out], k).log_odds(margin_B[out]) for k in (2, knots))
        gain_B[out] = _losses(line, y_B[out]) - _losses(bent, y_B[out])
    return bool(gain_B.mean() > 2 * gain_B.std() / np.sqrt(len(gain_B)))


def _fit(margin_B: Floats, y_B: Floats, knots: int) -> Calibrator:
    """Penalised maximum likelihood over the first value and the slopes, which are kept above LEAST_SLOPE.

    Products over rows are einsum and no BLAS: its threads wait for each other where the machine is busy.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - a third of a second, and scoring never fits

    k_K = _knots(margin_B, y_B, knots)
    x_BK = _basis(margin_B, k_K) @ _cumulate(k_K)
    penalty, believed = _penalty(len(k_K)), np.ones(len(k_K))
    believed[0] = k_K[0]

    def loss(theta: Floats) -> tuple[float, Floats]:
        z_B, off = np.einsum("bk,k->b", x_BK, theta), theta - believed
        p_B = 1 / (1 + np.exp(-np.clip(z_B, -EDGE, EDGE)))
        value = _losses(z_B, y_B).sum() + 0.5 * off @ penalty @ off
        return float(value), np.einsum("bk,b->k", x_BK, p_B - y_B) + penalty @ off

    bounds = [(None, None)] + [(LEAST_SLOPE, None)] * (len(k_K) - 1)
    found = minimize(loss, believed, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    return Calibrator(knots=tuple(k_K.tolist()), values=tuple((_cumulate(k_K) @ found.x).tolist()))


def _knots(margin_B: Floats, y_B: Floats, knots: int) -> Floats:
    """Quantiles of the margins where both classes weigh the same, so that knots stand where something is learned."""
    order = np.argsort(margin_B, kind="stable")
    weight = np.where(y_B > 0, 0.5 / y_B.sum(), 0.5 / (1 - y_B).sum())[order].cumsum()
    wanted = np.linspace(0.02, 0.98, knots)
    found = np.unique(margin_B[order][np.searchsorted(weight, wanted).clip(max=len(order) - 1)])
    spread = max(float(np.ptp(found)), 1.0)
    apart = np.append(True, np.diff(found) > spread / (10 * knots))
    found = found[apart]
    return found if len(found) > 1 else np.asarray([found[0], found[0] + 1.0])


def _basis(margin_B: Floats, knots: Floats) -> Floats:
    """Weights (B, K): a row times the values at the knots is the broken line there, also beyond the ends."""
    place_B = np.clip(np.searchsorted(knots, margin_B) - 1, 0, len(knots) - 2)
    share_B = (margin_B - knots[place_B]) / (knots[place_B + 1] - knots[place_B])
    h_BK = np.zeros((len(margin_B), len(knots)))
    rows = np.arange(len(margin_B))
    h_BK[rows, place_B], h_BK[rows, place_B + 1] = 1 - share_B, share_B
    return h_BK


def _cumulate(knots: Floats) -> Floats:
    """Matrix (K, K) from first value and slopes to the values at all knots."""
    steps = np.concatenate([[1.0], np.diff(knots)])
    return np.asarray(np.tril(np.ones((len(knots), len(knots)))) * steps, dtype=np.float64)


def _penalty(knots: int) -> Floats:
    """Quadratic form over first value (free, but for a trace that keeps it solvable) and slopes."""
    pull = np.full(knots, 1 / SLOPE_SPREAD**2)
    pull[0] = 1e-6
    bend = np.diff(np.eye(knots - 1), axis=0)
    form = np.diag(pull)
    form[1:, 1:] += bend.T @ bend / BEND_SPREAD**2
    return form


def _losses(z_B: Floats, y_B: Floats) -> Floats:
    """Negative log-likelihood of every row, from log-odds."""
    return np.asarray(np.logaddexp(0, z_B) - y_B * z_B, dtype=np.float64)


def _broken_line(x_B: Floats, knots: tuple[float, ...], values: tuple[float, ...]) -> Floats:
    k, v = np.asarray(knots), np.asarray(values)
    low, high = (v[1] - v[0]) / (k[1] - k[0]), (v[-1] - v[-2]) / (k[-1] - k[-2])
    inside_B = np.interp(x_B, k, v)
    beyond_B = np.minimum(x_B - k[0], 0) * low + np.maximum(x_B - k[-1], 0) * high
    return np.asarray(inside_B + beyond_B, dtype=np.float64)

"""How good forecasts of variance are: QLIKE and squared error with intervals by blocks of days, beside EWMA.

Legend: D days that are judged, R draws.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.metrics.bootstrap import Metric
from core.metrics.resample import draw_weights, with_interval
from pipelines.finance.volatility_days import FLOOR, Days, Floats, Ints

EWMA_DECAY = 0.94  # of RiskMetrics (1996), for days
BLOCK_DAYS = 20  # that are drawn together: losses of neighbouring days are alike
DRAWS = 1000
MOST_POINTS = 500  # of a curve
DAYS_A_YEAR = 252


@dataclass(frozen=True)
class SeriesEvaluation:
    """Metrics by name. `curves` are forecasts and what came, by day, thinned to a length that can be drawn."""

    metrics: Mapping[str, Metric]
    curves: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {name: metric.to_json() for name, metric in self.metrics.items()}


def qlike(variance_D: Floats, proxy_D: Floats) -> Floats:
    """Return proxy / h - log(proxy / h) - 1 (Patton 2011): 0 where the forecast h is what came, and never below.

    >>> qlike(np.array([1.0, 2.0]), np.array([1.0, 1.0])).round(4).tolist()
    [0.0, 0.1931]
    """
    ratio_D = np.maximum(proxy_D, FLOOR) / variance_D
    return np.asarray(ratio_D - np.log(ratio_D) - 1)


def ewma(days: Days) -> Floats:
    """Return the variance (N,) that RiskMetrics forecasts for each day from the squared returns before it.

    The days of the first month start from their own mean.
    """
    forecast_N = np.empty(len(days.squared_N))
    level = float(days.squared_N[:BLOCK_DAYS].mean()) if len(forecast_N) else 0.0
    for day, squared in enumerate(days.squared_N):
        forecast_N[day] = max(level, FLOOR)
        level = EWMA_DECAY * level + (1 - EWMA_DECAY) * float(squared)
    return forecast_N


def block_weights(days: int, draws: int, seed: int) -> Floats:
    """Return (R + 1, D): how often each day was drawn, in blocks of 20 that follow each other; row 0 is all ones."""
    return draw_weights([str(day // BLOCK_DAYS) for day in range(days)], draws, seed)


def evaluate_forecasts(days: Days, day_D: Ints, variance_D: Floats, *, seed: int = 0) -> SeriesEvaluation:
    """Judge the forecasts of some days.

    `qlike` is against the Parkinson range (without one: the squared return), `mse` against squared returns (percent^4),
    `skill` the share of EWMA's QLIKE that is saved, `level` the mean of what came over the mean of what was forecast,
    1 where neither is too high.
    """
    usual_D = ewma(days)[day_D]
    proxy_D, squared_D = days.variance_N[day_D], days.squared_N[day_D]
    losses = {"qlike": qlike(variance_D, proxy_D), "qlike_ewma": qlike(usual_D, proxy_D)}
    losses |= {"mse": (variance_D - squared_D) ** 2, "mse_ewma": (usual_D - squared_D) ** 2}
    weights_RD = block_weights(len(day_D), DRAWS, seed)
    found = {name: with_interval(_mean_of(loss_D), weights_RD) for name, loss_D in losses.items()}
    mine_D, theirs_D, target_D = losses["qlike"], losses["qlike_ewma"], days.target_N[day_D]
    metrics = {
        "qlike": found["qlike"],
        "mse": found["mse"],
        "skill": with_interval(lambda w_D: 1 - float(w_D @ mine_D) / float(w_D @ theirs_D), weights_RD),
        "level": with_interval(lambda w_D: float(w_D @ target_D) / float(w_D @ variance_D), weights_RD),
        "qlike_ewma": found["qlike_ewma"],
        "mse_ewma": found["mse_ewma"],
        "n": Metric(value=len(day_D), low=len(day_D), high=len(day_D)),
    }
    return SeriesEvaluation(metrics, _curves(days, day_D, variance_D))


def _mean_of(loss_D: Floats) -> Callable[[Floats], float]:
    return lambda w_D: float(w_D @ loss_D) / float(w_D.sum())


def _curves(days: Days, day_D: Ints, variance_D: Floats) -> dict[str, Any]:
    """Return annualised volatilities in percent, forecast and seen, every so many days."""
    step = max(1, len(day_D) // MOST_POINTS)
    kept = slice(None, None, step)
    return {
        "volatility": {
            "time": [str(time)[:10] for time in days.time_N[day_D][kept]],
            "forecast": annual_volatility(variance_D[kept]).round(3).tolist(),
            "seen": annual_volatility(days.variance_N[day_D][kept]).round(3).tolist(),
        }
    }


def annual_volatility(variance_D: Floats) -> Floats:
    """Return percent a year from percent^2 a day.

    >>> float(annual_volatility(np.array([1.0])).round(3)[0])
    15.875
    """
    return np.asarray(np.sqrt(variance_D * DAYS_A_YEAR))

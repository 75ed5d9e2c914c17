"""Peers of the volatility benchmark: GARCH models of the package arch, rolled on, and HAR regressions on ranges."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.finance.volatility_days import Days, Floats, Ints

Forecasts = dict[str, Floats]
REFIT_DAYS = 20
HAR_DAYS = (1, 5, 22)


def garch(days: Days, first: int, asymmetric: bool) -> Floats:
    """Forecast each day from `first` on by GARCH(1,1)-t (or GJR) with a mean, fitted anew every 20 days to all before.

    Returns (N,), NaN before `first`.
    """
    arch = pytest.importorskip("arch", reason="the peer package arch is not installed; run make bench")
    model = arch.arch_model(days.x_NC[:, 0], mean="Constant", vol="GARCH", p=1, o=int(asymmetric), q=1, dist="t")
    forecast_N = np.full(len(days.x_NC), np.nan)
    for start in range(first, len(forecast_N), REFIT_DAYS):
        end = min(start + REFIT_DAYS, len(forecast_N))
        fitted = model.fit(last_obs=start, disp="off")  # last_obs itself is not used
        ahead = fitted.forecast(start=start - 1, horizon=1, reindex=False).variance["h.1"].to_numpy()
        forecast_N[start:end] = ahead[: end - start]
    return forecast_N


def har(days: Days, fit_D: Ints, first: int) -> Floats:
    """Forecast by least squares of log range on its log means over 1, 5 and 22 days (Corsi 2009), at the mean level."""
    before = np.concatenate([[0.0], np.cumsum(days.variance_N)])
    at_D = np.arange(HAR_DAYS[-1], len(days.variance_N))
    lags = [np.log((before[at_D] - before[at_D - length]) / length) for length in HAR_DAYS]
    design_DK = np.column_stack([np.ones(len(at_D)), *lags])
    fitted = np.isin(at_D, fit_D)
    weight_K = np.linalg.lstsq(design_DK[fitted], np.log(days.variance_N[at_D[fitted]]), rcond=None)[0]
    log_D = design_DK @ weight_K
    level = np.log(np.mean(days.variance_N[at_D[fitted]] / np.exp(log_D[fitted])))
    forecast_N = np.full(len(days.variance_N), np.nan)
    forecast_N[at_D] = np.exp(log_D + level)
    forecast_N[:first] = np.nan
    return forecast_N


def rescaled(forecast_N: Floats, days: Days, known: NDArray[np.int64]) -> Floats:
    """Return forecasts times the ratio of range to forecast on known days: a peer told of the level of ranges."""
    return np.asarray(forecast_N * np.mean(days.variance_N[known]) / np.mean(forecast_N[known]))

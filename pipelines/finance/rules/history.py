"""Functions of formulas that look at the years before, and at peers. R rows, L years back."""

from collections.abc import Mapping

import numpy as np

from pipelines.finance.rules.columns import Floats, Panel
from pipelines.finance.rules.functions import Function, divide, prior, subtract

LEAST_YEARS = 3  # present, for a slope or a spread
LEAST_PEERS = 20  # present in a period, for a percentile


def avg(panel: Panel, x: Floats) -> Floats:
    """The mean of this year's and last year's."""
    return (x + prior(panel, x)) / 2


def change(panel: Panel, x: Floats) -> Floats:
    """This year's less last year's."""
    return subtract(panel, x, prior(panel, x))


def growth(panel: Panel, x: Floats) -> Floats:
    """The change as a part of last year's size: from -2 to 1 it is +1.5, so that a better year is a rise."""
    before = prior(panel, x)
    return divide(panel, subtract(panel, x, before), np.abs(before))


def cagr(panel: Panel, x: Floats, n: int) -> Floats:
    """Yearly growth over n years, both ends above zero."""
    before = prior(panel, x, n)
    good = (x > 0) & (before > 0)
    ratio = divide(panel, np.where(good, x, np.nan), np.where(good, before, np.nan))
    return np.power(ratio, 1 / n) - 1


def years_back(panel: Panel, x: Floats, n: int) -> Floats:
    """(L, R): this year's value, last year's ... of at most n years; fewer rows where no company has as many."""
    lags = [np.broadcast_to(x, panel.rows)]
    reach = panel.has_prior
    while len(lags) < n and reach.any():
        lags.append(prior(panel, lags[-1]))
        reach = reach & reach[panel.prior_R]
    return np.stack(lags)


def trend(panel: Panel, x: Floats, n: int) -> Floats:
    """Slope a year of the least-squares line, as a part of the mean size, over at most n years (at least 3 present)."""
    values_LR = years_back(panel, x, n)
    there_LR = ~np.isnan(values_LR)
    count_R = there_LR.sum(axis=0)
    filled_LR = np.where(there_LR, values_LR, 0.0)
    time_LR = np.where(there_LR, -np.arange(len(values_LR), dtype=np.float64)[:, None], 0.0)
    many_R = np.maximum(count_R, 1)
    centred_LR = np.where(there_LR, time_LR - time_LR.sum(axis=0) / many_R, 0.0)
    spread_R = (centred_LR**2).sum(axis=0)
    slope_R = (centred_LR * filled_LR).sum(axis=0) / np.where(spread_R > 0, spread_R, np.nan)
    slope_R = np.where((count_R >= LEAST_YEARS) & there_LR[0], slope_R, np.nan)
    return divide(panel, slope_R, np.abs(filled_LR).sum(axis=0) / many_R)


def volatility(panel: Panel, x: Floats, n: int) -> Floats:
    """Standard deviation (n - 1) over at most n years, at least 3 of them present."""
    values_LR = years_back(panel, x, n)
    there_LR = ~np.isnan(values_LR)
    count_R = there_LR.sum(axis=0)
    mean_R = np.where(there_LR, values_LR, 0.0).sum(axis=0) / np.maximum(count_R, 1)
    square_R = np.where(there_LR, (values_LR - mean_R) ** 2, 0.0).sum(axis=0)
    good_R = (count_R >= LEAST_YEARS) & there_LR[0]
    return np.where(good_R, np.sqrt(square_R / np.maximum(count_R - 1, 1)), np.nan)


def lowest(panel: Panel, x: Floats, n: int) -> Floats:
    """The least of at most n years; missing where this year's is."""
    return np.where(np.isnan(x), np.nan, np.fmin.reduce(years_back(panel, x, n)))


def highest(panel: Panel, x: Floats, n: int) -> Floats:
    """The greatest of at most n years; missing where this year's is."""
    return np.where(np.isnan(x), np.nan, np.fmax.reduce(years_back(panel, x, n)))


def mean(panel: Panel, x: Floats, n: int) -> Floats:
    """The mean of those present of at most n years; missing where this year's is."""
    values_LR = years_back(panel, x, n)
    count_R = np.maximum((~np.isnan(values_LR)).sum(axis=0), 1)
    return np.where(np.isnan(x), np.nan, np.nansum(values_LR, axis=0) / count_R)


def streak(panel: Panel, condition: Floats) -> Floats:
    """For how many years in a row, up to this one, the condition has been true; missing where it is unknown now."""
    now = np.broadcast_to(condition, panel.rows)
    alive = now == 1
    count = alive.astype(np.float64)
    before = now
    while True:
        before = prior(panel, before)
        alive = alive & (before == 1)
        if not alive.any():
            return np.where(np.isnan(now), np.nan, count)
        count += alive


def years(panel: Panel) -> Floats:
    """How many years in a row there are of the company up to this one."""
    return streak(panel, np.ones(panel.rows))


def percentile(panel: Panel, x: Floats) -> Floats:
    """Place among the rows of the same period, 0 to 1 (ties share their mean place); at least 20 must be there."""
    wide = np.broadcast_to(x, panel.rows)
    present = np.flatnonzero(~np.isnan(wide))
    order = present[np.lexsort((wide[present], panel.period_R[present]))]
    result = np.full(panel.rows, np.nan)
    if not len(order):
        return result
    period, value = panel.period_R[order], wide[order]
    new_period = np.r_[True, period[1:] != period[:-1]]
    new_value = new_period | np.r_[True, value[1:] != value[:-1]]
    start = np.flatnonzero(new_period)[np.cumsum(new_period) - 1]
    size = np.diff(np.r_[np.flatnonzero(new_period), len(order)])[np.cumsum(new_period) - 1]
    tie_starts = np.flatnonzero(new_value)
    tie = np.cumsum(new_value) - 1
    middle = (tie_starts + np.r_[tie_starts[1:], len(order)])[tie] / 2
    result[order] = np.where(size >= LEAST_PEERS, (middle - start) / size, np.nan)
    return result


HISTORY: Mapping[str, Function] = {
    "avg": Function(avg, 1, fault="before"),
    "change": Function(change, 1, fault="before"),
    "growth": Function(growth, 1, fault="before"),
    "cagr": Function(cagr, 1, options=(3,), fault="ends"),
    "trend": Function(trend, 1, options=(5,), fault="few_years", whole_options=(LEAST_YEARS, 40)),
    "volatility": Function(volatility, 1, options=(5,), fault="few_years", whole_options=(LEAST_YEARS, 40)),
    "lowest": Function(lowest, 1, options=(5,)),
    "highest": Function(highest, 1, options=(5,)),
    "mean": Function(mean, 1, options=(5,)),
    "streak": Function(streak, 1),
    "years": Function(years, 0),
    "percentile": Function(percentile, 1, fault="few_peers"),
}

"""Distance to default of Merton's model (Journal of Finance 29, 1974), for one year ahead. R rows.

Equity is a call on the assets V with the debt D as strike: E = V N(d1) - D e^(-r) N(d2), and s_E E = s_V V N(d1).
"""

from collections.abc import Mapping

import numpy as np

from pipelines.finance.rules.columns import Floats, Ints, Panel
from pipelines.finance.rules.functions import Function

NEWTON_STEPS = 40
ROUNDS = 400  # of the outer iteration
CLOSE = 1e-9  # relative, of the assets' volatility
SETTLED = 1e-11  # relative, of the assets


def distance_to_default(_: Panel, equity: Floats, volatility: Floats, debt: Floats, rate: Floats) -> Floats:
    """(ln(V / D) + (r - s_V^2 / 2)) / s_V, solved for V and s_V from E and s_E.

    `volatility` is of equity and yearly; `rate` is continuous and yearly. Missing where E, D or volatility is not
    above zero, and where the iteration does not settle.
    """
    equity, volatility, debt, rate = np.broadcast_arrays(equity, volatility, debt, rate)
    good = (equity > 0) & (volatility > 0) & (debt > 0) & np.isfinite(rate)
    result = np.full(equity.shape, np.nan)
    result[good] = _solve(equity[good] / debt[good], volatility[good], rate[good])
    return np.where(np.isfinite(result), result, np.nan)


def _solve(e: Floats, s: Floats, r: Floats) -> Floats:
    """Distances for equity in units of the debt. Rows leave the iteration when their volatility stands still."""
    distance = np.full_like(e, np.nan)
    at: Ints = np.arange(len(e))
    floor = np.exp(-r)
    assets, s_assets = e + floor, s * e / (e + floor)
    for _ in range(ROUNDS):
        assets = _assets(assets, s_assets, e, floor)
        new = s * e / (assets * _normal(_d1(assets, s_assets, floor)))
        settled = np.abs(new - s_assets) <= CLOSE * np.abs(new)
        here = at[settled]
        distance[here] = (np.log(assets / floor)[settled] - new[settled] ** 2 / 2) / new[settled]
        stay = ~settled & np.isfinite(new)
        if not stay.any():
            break
        at = at[stay]
        e, s, floor, assets, s_assets = (x[stay] for x in (e, s, floor, assets, new))
    return distance


def _assets(start: Floats, s: Floats, e: Floats, floor: Floats) -> Floats:
    """The assets at which the call is worth the equity, by Newton's method (the call is convex and rising in V)."""
    assets = start
    for _ in range(NEWTON_STEPS):
        d1 = _d1(assets, s, floor)
        delta = _normal(d1)
        step = (assets * delta - floor * _normal(d1 - s) - e) / np.maximum(delta, 1e-12)
        assets = np.clip(assets - step, e, e + floor)
        if np.all(np.abs(step) <= SETTLED * assets):
            break
    return assets


def _d1(assets: Floats, s: Floats, floor: Floats) -> Floats:
    return np.asarray(np.log(assets / floor) / s + s / 2, dtype=np.float64)


def _normal(x: Floats) -> Floats:
    from scipy.special import ndtr  # noqa: PLC0415  half of what reading a report would otherwise cost to import

    return np.asarray(ndtr(x), dtype=np.float64)


MERTON: Mapping[str, Function] = {
    "distance_to_default": Function(distance_to_default, 4, fault="unsolved"),
    "normal": Function(lambda _, x: _normal(x), 1),
}

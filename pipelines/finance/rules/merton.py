"""Distance to default of Merton's model (Journal of Finance 29, 1974), for one year ahead. R rows.

Equity is a call on the assets V with the debt D as strike: E = V N(d1) - D e^(-r) N(d2), and s_E E = s_V V N(d1).
"""

from collections.abc import Mapping

import numpy as np

from pipelines.finance.rules.columns import Floats, Panel
from pipelines.finance.rules.functions import Function

NEWTON_STEPS = 60
ROUNDS = 400  # of the outer iteration
CLOSE = 1e-10  # relative, of the assets' volatility


def distance_to_default(_: Panel, equity: Floats, volatility: Floats, debt: Floats, rate: Floats) -> Floats:
    """(ln(V / D) + (r - s_V^2 / 2)) / s_V, solved for V and s_V from E and s_E.

    `volatility` is of equity and yearly; `rate` is continuous and yearly. Missing where E, D or volatility is not
    above zero, and where the iteration does not settle.
    """
    equity, volatility, debt, rate = np.broadcast_arrays(equity, volatility, debt, rate)
    good = (equity > 0) & (volatility > 0) & (debt > 0) & np.isfinite(rate)
    e, s, d, r = (np.where(good, x, 1.0) for x in (equity, volatility, debt, rate))
    scale, d = d, np.ones_like(d)
    e = e / scale
    assets, s_assets = e + d * np.exp(-r), s * e / (e + d * np.exp(-r))
    settled = ~good
    for _round in range(ROUNDS):
        assets = _assets(assets, s_assets, e, d, r)
        new = s * e / (assets * _normal(_d1(assets, s_assets, d, r)))
        close = np.abs(new - s_assets) <= CLOSE * np.abs(new)
        s_assets = np.where(settled, s_assets, new)
        settled |= close | ~np.isfinite(new)
        if settled.all():
            break
    distance = (np.log(assets / d) + r - s_assets**2 / 2) / s_assets
    return np.where(good & settled & np.isfinite(distance), distance, np.nan)


def _assets(start: Floats, s: Floats, e: Floats, d: Floats, r: Floats) -> Floats:
    """The assets at which the call is worth the equity, by Newton's method (the call is convex and rising in V)."""
    assets = start
    for _ in range(NEWTON_STEPS):
        d1 = _d1(assets, s, d, r)
        delta = _normal(d1)
        call = assets * delta - d * np.exp(-r) * _normal(d1 - s)
        step = (call - e) / np.maximum(delta, 1e-12)
        assets = np.clip(assets - step, e, e + d * np.exp(-r) * (1 + 1e-12) + 1e-300)
        if np.all(np.abs(step) <= 1e-13 * assets):
            break
    return assets


def _d1(assets: Floats, s: Floats, d: Floats, r: Floats) -> Floats:
    return np.asarray((np.log(assets / d) + r + s**2 / 2) / s, dtype=np.float64)


def _normal(x: Floats) -> Floats:
    from scipy.special import ndtr  # noqa: PLC0415  half of what reading a report would otherwise cost to import

    return np.asarray(ndtr(x), dtype=np.float64)


MERTON: Mapping[str, Function] = {
    "distance_to_default": Function(distance_to_default, 4, fault="unsolved"),
    "normal": Function(lambda _, x: _normal(x), 1),
}

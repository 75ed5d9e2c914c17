"""Made-up daily prices: GJR-GARCH volatility that jumps between a calm and a troubled regime, Student-t innovations.

The day's variance follows Glosten, Jagannathan and Runkle (1993): h = s * (w + (a + g [e < 0]) e^2 + b h / s), e the
last day's return over the root of its regime's scale s. A day is a jump over night and a Brownian path by day, whose
highest and lowest points are drawn from their exact laws given both ends (Karatzas and Shreve 1991, 2.8), each by
itself: their joint law is not kept.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from data.splits import split_by_time

LAST_DAY = np.datetime64("2024-12-31")
FEWEST, MOST = 250, 30_000  # trading days: one year to more than a century
SHARES = (0.6, 0.15, 0.25)  # by time: train, val, test
_OVERNIGHT = 0.25  # share of a day's variance
_EMPTY = 0.002  # share of days on which nothing was written down
_FIXED_HOLIDAYS = ("01-01", "05-01", "12-25", "12-26")
Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]


@dataclass(frozen=True, kw_only=True)
class Market:
    """How returns come about; daily, in shares of the price."""

    drift: float = 0.0002
    variance: float = 1.0e-4  # of a calm day in the long run
    shock: float = 0.03  # a: what any return adds
    fall: float = 0.12  # g: what a falling price adds
    persistence: float = 0.88  # b
    freedom: float = 6.0  # degrees of the t distribution
    troubled: float = 3.5  # variance of the troubled regime over that of the calm one
    enter: float = 1 / 600  # daily chance of trouble
    leave: float = 1 / 90  # and of its end

    def __post_init__(self) -> None:
        if self.freedom <= 2 or self.shock + self.fall / 2 + self.persistence >= 1:
            raise InputError("freedom must be above 2, and shock + fall / 2 + persistence below 1: else no variance")


def make_prices(rows: int, seed: int, market: Market | None = None) -> pd.DataFrame:
    """`rows` trading days up to the end of 2024: date, open, high, low, close, volume, split (by time).

    A few days are there without prices. Raises InputError for fewer rows than 250 or more than 30,000.
    """
    if not FEWEST <= rows <= MOST:
        raise InputError(f"rows of a market series are trading days and must lie in {FEWEST}..{MOST:,}, got {rows:,}")
    market = market or Market()
    rng = np.random.default_rng(seed)
    date = _trading_days(rng, rows)
    by_night, by_day = rng.normal(size=(2, rows))
    shares = np.sqrt([_OVERNIGHT, 1 - _OVERNIGHT])
    spread = np.sqrt(_variances(rng, shares[0] * by_night + shares[1] * by_day, market))
    night, scale = shares[0] * spread * by_night, shares[1] * spread
    move = market.drift + scale * by_day
    close = np.log(1000.0) + np.cumsum(night + move)
    opened = close - move
    high = opened + _peak(rng, move, scale)
    low = opened - _peak(rng, -move, scale)
    prices = np.round(np.exp(np.stack([opened, high, low, close])), 2)
    busy = 0.45 * np.log(spread / np.sqrt(market.variance)) + 0.2 * rng.normal(size=rows)
    volume = np.round(1e6 * np.exp(busy + 0.8 * np.arange(rows) / rows))
    empty = rng.random(rows) < _EMPTY
    empty[rng.integers(1, rows - 1)] = True
    frame = pd.DataFrame(dict(zip(("open", "high", "low", "close"), prices, strict=True)) | {"volume": volume})
    frame.loc[empty] = np.nan
    frame.insert(0, "date", pd.Series(date.astype(str), dtype="str"))
    return frame.assign(split=np.array(("train", "val", "test"))[split_by_time(date, SHARES)])


def _trading_days(rng: np.random.Generator, rows: int) -> Days:
    """The last `rows` weekdays that are no holiday; two days of each year are holidays by chance."""
    span = LAST_DAY - np.arange(int(rows * 1.5) + 60)[::-1]
    weekday = (span.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
    fixed = np.isin(np.array([day[5:] for day in span.astype(str)]), _FIXED_HOLIDAYS)
    open_days = span[(weekday < 5) & ~fixed & (rng.random(len(span)) > 2 / 261)]
    return open_days[-rows:]


def _variances(rng: np.random.Generator, normal: Floats, market: Market) -> Floats:
    """Variance of each day (N,) given the days before and its own draw of the mixing variable: a normal of variance
    (d - 2) / chi2(d) follows a t distribution of d degrees, scaled to variance 1. `normal`: returns over their spread.
    """
    rows = len(normal)
    mixing = (market.freedom - 2) / rng.chisquare(market.freedom, rows)
    flips = rng.random(rows)
    weight = 1 - market.shock - market.fall / 2 - market.persistence
    level, troubled = 1.0, False
    variance = np.empty(rows)
    for day in range(rows):
        troubled = flips[day] >= market.leave if troubled else flips[day] < market.enter
        variance[day] = market.variance * (market.troubled if troubled else 1.0) * level * mixing[day]
        shock = normal[day] ** 2 * mixing[day] * level
        level = weight + (market.shock + market.fall * (normal[day] < 0)) * shock + market.persistence * level
    return variance


def _peak(rng: np.random.Generator, move: Floats, scale: Floats) -> Floats:
    """Highest point (N,) above the start of Brownian paths of that spread which end `move` away; never below either."""
    uniform = 1 - rng.random(len(move))  # in (0, 1]
    return np.asarray((move + np.sqrt(move**2 - 2 * scale**2 * np.log(uniform))) / 2)

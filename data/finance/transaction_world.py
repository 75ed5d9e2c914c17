"""Made-up cards and the terminals they are used at: who is active when, where, and at what level of amounts.

C cards, M terminals, F favourites a card, W weeks. Days count from 0, hours are local, amounts in CNY.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DAYS = 182  # 26 weeks from a Monday
WEEKS = DAYS // 7
SHOPS, SITES = 10, 4  # favourites of a card: places, and terminals on line
NEVER = DAYS + 1  # the day on which a reserve terminal opens
MEAN_SPAN = 0.5  # spread of the logarithm of a terminal's level about that of its category

# name, mean of the logarithm of the amount, share among places, share among terminals on line
CATEGORIES = (
    ("grocery", 4.4, 0.22, 0.12),
    ("restaurant", 4.5, 0.2, 0.1),
    ("transport", 3.3, 0.1, 0.08),
    ("fuel", 5.5, 0.07, 0.0),
    ("pharmacy", 4.2, 0.07, 0.04),
    ("clothing", 5.4, 0.1, 0.2),
    ("electronics", 6.4, 0.05, 0.14),
    ("entertainment", 4.7, 0.08, 0.06),
    ("digital", 3.6, 0.0, 0.16),
    ("travel", 6.6, 0.03, 0.07),
    ("utilities", 5.2, 0.02, 0.03),
    ("jewellery", 7.0, 0.02, 0.0),
    ("cash", 6.3, 0.04, 0.0),
)
# country, east and north in km, share of the cards that live there
CITIES = (
    ("CN", 0.0, 0.0, 0.24),
    ("CN", 170.0, -60.0, 0.17),
    ("CN", -240.0, 130.0, 0.15),
    ("CN", 90.0, 310.0, 0.13),
    ("CN", -420.0, -280.0, 0.12),
    ("CN", 640.0, 520.0, 0.1),
    ("CN", -1150.0, 210.0, 0.09),
    ("HK", -130.0, -1220.0, 0.0),
    ("JP", 1780.0, 340.0, 0.0),
    ("SG", -950.0, -3800.0, 0.0),
)
ONLINE = len(CITIES)  # the group of terminals that are in no city
COUNTRIES = {"CN": "CNY", "HK": "HKD", "JP": "JPY", "SG": "SGD", "US": "USD"}
_SITE_COUNTRIES = (0.84, 0.04, 0.02, 0.02, 0.08)
_HOME_SHARES = tuple(share for *_, share in CITIES)
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Terminals:
    """Columns of M terminals."""

    group: Ints  # city, or ONLINE
    country: Ints  # place in COUNTRIES
    east_km: Floats
    north_km: Floats
    category: Ints  # place in CATEGORIES
    level: Floats  # mean of the logarithm of an amount here
    weight: Floats  # how often somebody who does not know it comes
    opens: Ints  # first day
    old: Bools  # reads magnetic stripes only
    order: Ints  # terminals sorted by group
    edges: Floats  # (M + 1,) running sum of the weights in that order
    bounds: Ints  # (groups + 1,) where each group begins in that order

    def draw(self, rng: np.random.Generator, group: Ints) -> Ints:
        """One terminal for each wanted group, by weight."""
        low, high = self.edges[self.bounds[group]], self.edges[self.bounds[group + 1]]
        place = np.searchsorted(self.edges, low + (high - low) * rng.random(len(group)), side="right") - 1
        return self.order[np.clip(place, self.bounds[group], self.bounds[group + 1] - 1)]


@dataclass(frozen=True, kw_only=True)
class Cards:
    """Columns of C cards."""

    city: Ints
    east_km: Floats
    north_km: Floats
    level: Floats  # added to the logarithm of each amount
    peak: Floats  # hour of the day
    spread: Floats  # hours
    online: Floats  # share of transactions on line
    curious: Floats  # share of transactions at terminals that are no favourites
    contactless: Floats  # share of small payments without a PIN
    favourites: Ints  # (C, F) places first, then terminals on line
    visits: Ints  # (C, W) city of each week
    pace: Floats  # (C, W) relative number of transactions a day; 0 before the first and after the last week
    weekend: Floats  # factor on Saturdays and Sundays

    def weights(self, day: int) -> Floats:
        """Relative chance (C,) of each card to be used on a day."""
        pace_C = self.pace[:, day // 7]
        return pace_C * self.weekend if day % 7 >= 5 else pace_C


@dataclass(frozen=True, kw_only=True)
class World:
    """Who pays, and where."""

    cards: Cards
    terminals: Terminals
    reserve: Ints  # terminals that open for a fraud


def make_world(rng: np.random.Generator, cards: int, terminals: int, openings: Ints) -> World:
    """`openings`: the first day of each terminal in the reserve."""
    made = _terminals(rng, terminals, openings)
    return World(
        cards=_cards(rng, cards, made), terminals=made, reserve=np.arange(terminals, terminals + len(openings))
    )


def traffic(world: World) -> Floats:
    """Expected share of all transactions at each terminal (M,), travel left out."""
    cards, terminals = world.cards, world.terminals
    use_C = cards.pace.mean(axis=1) * (5 + 2 * cards.weekend)
    known_C = use_C * (1 - cards.curious)
    side = ((1 - cards.online, SHOPS, slice(0, SHOPS)), (cards.online, SITES, slice(SHOPS, SHOPS + SITES)))
    flow_M = np.zeros(len(terminals.group))
    for share_C, size, part in side:
        liked = known_C * share_C
        np.add.at(flow_M, cards.favourites[:, part], liked[:, None] * preference(size))
    new_G = np.bincount(cards.city, use_C * cards.curious * (1 - cards.online), minlength=ONLINE + 1)
    new_G[ONLINE] = float((use_C * cards.curious * cards.online).sum())
    total_G = np.bincount(terminals.group, terminals.weight, minlength=ONLINE + 1)
    flow_M += terminals.weight * (new_G / np.maximum(total_G, 1e-12))[terminals.group]
    return np.asarray(flow_M / flow_M.sum())


def preference(size: int) -> Floats:
    """How a card's transactions share out over its favourites; sums to 1."""
    weights = 1 / np.arange(1.0, size + 1)
    return np.asarray(weights / weights.sum())


def _terminals(rng: np.random.Generator, count: int, openings: Ints) -> Terminals:
    total = count + len(openings)
    shares = np.array([0.75 * (0.03 + 0.88 * share) for share in _HOME_SHARES] + [0.0])
    shares[ONLINE] = 1 - shares.sum()
    group = rng.choice(ONLINE + 1, total, p=shares / shares.sum())
    group[: ONLINE + 1] = np.arange(ONLINE + 1)  # none is empty
    group[count:] = np.where(rng.random(len(openings)) < 0.5, ONLINE, group[count:])
    online = group == ONLINE
    places, sites = (np.array([row[column] for row in CATEGORIES]) for column in (2, 3))
    category = np.where(
        online,
        rng.choice(len(CATEGORIES), total, p=sites / sites.sum()),
        rng.choice(len(CATEGORIES), total, p=places / places.sum()),
    )
    weight = rng.gamma(1.2, 1.0, total) + 0.1
    weight[count:] = 0.15  # a mule has hardly a customer
    opens = np.where(rng.random(total) < 0.15, rng.integers(0, DAYS, total), 0)
    opens[: ONLINE + 1], opens[count:] = 0, openings
    abroad = rng.choice(len(COUNTRIES), total, p=_SITE_COUNTRIES)
    names = list(COUNTRIES)
    city = np.minimum(group, ONLINE - 1)
    home = np.array([names.index(country) for country, *_ in CITIES])[city]
    east, north = (np.array([row[column] for row in CITIES])[city] + 9 * rng.normal(size=total) for column in (1, 2))
    order = np.argsort(group, kind="stable")
    return Terminals(
        group=group,
        country=np.where(online, abroad, home),
        east_km=east,
        north_km=north,
        category=category,
        level=np.array([row[1] for row in CATEGORIES])[category] + MEAN_SPAN * rng.normal(size=total),
        weight=weight,
        opens=opens,
        old=rng.random(total) < 0.1,
        order=order,
        edges=np.concatenate([[0.0], np.cumsum(weight[order])]),
        bounds=np.searchsorted(group[order], np.arange(ONLINE + 2)),
    )


def _cards(rng: np.random.Generator, count: int, terminals: Terminals) -> Cards:
    city = rng.choice(len(CITIES), count, p=_HOME_SHARES)
    groups = np.concatenate([np.repeat(city[:, None], SHOPS, 1), np.full((count, SITES), ONLINE)], axis=1)
    favourites = terminals.draw(rng, groups.ravel()).reshape(count, SHOPS + SITES)
    away = rng.random((count, WEEKS)) < 0.07
    first = np.where(rng.random(count) < 0.15, rng.integers(0, WEEKS - 4, count), 0)
    last = np.where(rng.random(count) < 0.08, rng.integers(4, WEEKS, count), WEEKS)
    week = np.arange(WEEKS)
    alive = (week >= first[:, None]) & (week < np.maximum(last, first + 3)[:, None])
    alive[0] = True  # somebody pays in every week
    pace = rng.gamma(2.0, 0.5, count)[:, None] * rng.gamma(3.0, 1 / 3, (count, WEEKS)) + 0.05
    return Cards(
        city=city,
        east_km=np.array([row[1] for row in CITIES])[city] + 9 * rng.normal(size=count),
        north_km=np.array([row[2] for row in CITIES])[city] + 9 * rng.normal(size=count),
        level=0.7 * rng.normal(size=count),
        peak=rng.choice([12.5, 18.5, 22.5], count, p=[0.45, 0.4, 0.15]) + 1.2 * rng.normal(size=count),
        spread=rng.uniform(2.0, 4.5, count),
        online=rng.beta(2.0, 3.5, count),
        curious=0.05 + 0.5 * rng.beta(1.5, 4.0, count),
        contactless=rng.beta(2.0, 2.0, count),
        favourites=favourites,
        visits=np.where(away, rng.integers(0, len(CITIES), (count, WEEKS)), city[:, None]),
        pace=pace * alive,
        weekend=np.exp(0.45 * rng.normal(size=count)),
    )

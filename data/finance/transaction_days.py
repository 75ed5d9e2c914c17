"""What cards are used for on one day when nobody cheats: shopping, sprees, travel, refunds."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from data.finance.transaction_world import (
    DAYS,
    ONLINE,
    SHOPS,
    SITES,
    Bools,
    Floats,
    Ints,
    World,
    preference,
)

DAY_S = 86_400
SPREE = 0.1  # share of transactions that follow another one of the card within the hour
REFUNDED = 0.012
SPAN = 0.5  # spread of the logarithm of amounts of one card at one terminal


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Columns of transactions."""

    second: Ints  # since the first midnight
    card: Ints
    terminal: Ints
    amount: Floats  # CNY; below 0 for a refund
    kind: Ints  # 0 genuine, else a fraud's place in KINDS, from 1

    def __len__(self) -> int:
        return len(self.second)

    def take(self, which: Bools | Ints | slice) -> Self:
        """The chosen rows."""
        return type(self)(**{field.name: getattr(self, field.name)[which] for field in fields(self)})

    @classmethod
    def join(cls, parts: Sequence["Rows"]) -> Self:
        """One below the other."""
        return cls(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)})

    def in_order(self) -> Self:
        """Sorted by time; equal times keep their order."""
        return self.take(np.argsort(self.second, kind="stable"))


def none() -> Rows:
    """No transaction."""
    whole, real = np.zeros(0, dtype=np.int64), np.zeros(0)
    return Rows(second=whole, card=whole, terminal=whole, amount=real, kind=whole)


def genuine_day(rng: np.random.Generator, world: World, day: int, count: int) -> Rows:
    """`count` transactions of a day, in no order."""
    cards, terminals = world.cards, world.terminals
    edges = np.cumsum(cards.weights(day))
    chosen = np.minimum(np.searchsorted(edges, rng.random(count) * edges[-1], side="right"), len(edges) - 1)
    place = np.arange(count)
    follows = (rng.random(count) < SPREE) & (place > 0)
    head = np.maximum.accumulate(np.where(follows, 0, place))
    card = chosen[head]
    hour = (cards.peak[card] + cards.spread[card] * rng.normal(size=count)) % 24
    second = (hour * 3600).astype(np.int64)[head] + ((place - head) * rng.uniform(200, 2400, count)).astype(np.int64)
    online = rng.random(count) < cards.online[card]
    city = cards.visits[card, day // 7]
    new = (rng.random(count) < cards.curious[card] + 0.25 * follows) | (~online & (city != cards.city[card]))
    size = np.where(online, SITES, SHOPS)
    ranks = [rng.choice(n, count, p=preference(n)) for n in (SHOPS, SITES)]
    liked = cards.favourites[card, np.where(online, SHOPS + ranks[1], np.minimum(ranks[0], size - 1))]
    terminal = np.where(new, terminals.draw(rng, np.where(online, ONLINE, city)), liked)
    closed = terminals.opens[terminal] > day
    terminal = np.where(closed, np.where(online, ONLINE, city), terminal)  # a group's first is always open
    return Rows(  # a spree that would pass midnight is folded back into the day
        second=day * DAY_S + np.where(second < DAY_S, second, 2 * DAY_S - 1 - second) % DAY_S,
        card=card,
        terminal=terminal,
        amount=usual_amount(rng, world, card, terminal),
        kind=np.zeros(count, dtype=np.int64),
    )


def usual_amount(rng: np.random.Generator, world: World, card: Ints, terminal: Ints) -> Floats:
    """What a card pays at a terminal, CNY: lognormal about the levels of both."""
    level = world.cards.level[card] + world.terminals.level[terminal]
    return np.asarray(np.maximum(np.exp(level + SPAN * rng.normal(size=len(card))), 0.5))


def refunds_of(rng: np.random.Generator, rows: Rows) -> Rows:
    """Refunds of some of these purchases, one to twenty days later, whole or in part; those behind the end are lost."""
    chosen = rows.take((rng.random(len(rows)) < REFUNDED) & (rows.kind == 0) & (rows.amount > 30))
    day = chosen.second // DAY_S + rng.integers(1, 21, len(chosen))
    share = np.where(rng.random(len(chosen)) < 0.7, 1.0, rng.uniform(0.1, 0.9, len(chosen)))
    back = Rows(
        second=day * DAY_S + rng.integers(8 * 3600, 20 * 3600, len(chosen)),
        card=chosen.card,
        terminal=chosen.terminal,
        amount=-np.round(chosen.amount, 2) * share,
        kind=chosen.kind,
    )
    return back.take(day < DAYS)

"""Frauds that show only over time: each row alone could be genuine, its card's or terminal's past gives it away.

Five kinds add transactions of their own, in episodes; at a compromised terminal the customers' own ones are the fraud.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data.finance.transaction_days import DAY_S, Rows, usual_amount
from data.finance.transaction_world import DAYS, NEVER, ONLINE, SHOPS, SITES, Floats, Ints, World, traffic

# kind: its share of all frauds, and what it is
KINDS = {
    "stolen_card": (0.17, "a stolen card in a few hours: many payments, terminals new to it, rising amounts"),
    "compromised_terminal": (0.3, "a terminal read out for three to six weeks: most payments there; amounts as ever"),
    "leaked_details": (0.2, "a card's details used on line for two weeks, at three to five times its usual amounts"),
    "account_takeover": (0.14, "other hours, another place, usual amounts, while the owner goes on paying"),
    "card_testing": (0.11, "tiny payments with many cards at one terminal within hours, large ones some days later"),
    "mule_merchant": (0.08, "a new terminal without customers, paid for a week or two by cards that never met it"),
}
NAMES = ("", *KINDS)  # by the number of a kind; 0 is genuine
CAUGHT = 0.9  # share of the payments at a compromised terminal that are fraud
_MULE = (14, 36)  # rows of an episode


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be done when."""

    rows: Rows  # transactions that frauds add, by time
    begins: Ints  # (M,) second from which a terminal is compromised; NEVER in seconds where it is not
    ends: Ints


def mule_openings(rng: np.random.Generator, frauds: int) -> Ints:
    """The first days of terminals that open for a fraud, enough for that many frauds."""
    episodes = int(KINDS["mule_merchant"][0] * frauds) // _MULE[0] + 1
    return _spread(rng, episodes, DAYS - 22)


def plan_frauds(rng: np.random.Generator, world: World, frauds: int, rows: int) -> Plan:
    """About `frauds` fraudulent ones among `rows` transactions: exact for what is added, expected at terminals."""
    added = []
    for number, (name, (share, _)) in enumerate(KINDS.items(), start=1):
        if name in _EPISODES:
            made = _EPISODES[name](rng, world, max(4, round(share * frauds)))
            made.kind[:] = number
            added.append(made)
    begins, ends = _compromised(rng, world, KINDS["compromised_terminal"][0] * frauds, rows)
    return Plan(rows=Rows.join(added).in_order(), begins=begins, ends=ends)


def mark_compromised(rng: np.random.Generator, rows: Rows, plan: Plan) -> None:
    """Turn purchases at compromised terminals into frauds, in place."""
    inside = (rows.second >= plan.begins[rows.terminal]) & (rows.second < plan.ends[rows.terminal])
    hit = inside & (rng.random(len(rows)) < CAUGHT) & (rows.kind == 0) & (rows.amount > 0)
    rows.kind[hit] = NAMES.index("compromised_terminal")


def _compromised(rng: np.random.Generator, world: World, wanted: float, rows: int) -> tuple[Ints, Ints]:
    """Windows of terminals, none of them large, until the expected number of frauds is reached."""
    share_M = traffic(world)
    begins = np.full(len(share_M), NEVER * DAY_S)
    ends = begins.copy()
    low, high = np.quantile(share_M, (0.4, 0.93))
    fits = (share_M >= low) & (share_M <= high) & (world.terminals.opens == 0)
    expected = 0.0
    chosen = rng.permutation(np.flatnonzero(fits))
    for terminal, place in zip(chosen, _evenly(rng, len(chosen)), strict=True):
        if expected >= wanted:
            break
        days = rng.uniform(18, 40)
        begins[terminal] = int((place * DAYS - days / 2) * DAY_S)
        ends[terminal] = begins[terminal] + int(days * DAY_S)
        inside = (min(ends[terminal], DAYS * DAY_S) - max(begins[terminal], 0)) / (DAYS * DAY_S)
        expected += CAUGHT * inside * share_M[terminal] * rows
    return begins, ends


def _episodes(rng: np.random.Generator, count: int, low: int, high: int) -> tuple[Ints, Ints, Ints]:
    """Episodes of low..high rows until `count`: episode (count,), place in it (count,), sizes of the episodes.

    The last one is cut where `count` is reached.
    """
    sizes = rng.integers(low, high + 1, count // low + 1)
    episode = np.repeat(np.arange(len(sizes)), sizes)[:count]
    start = np.cumsum(sizes) - sizes
    return episode, np.arange(count) - start[episode], np.bincount(episode)


def _evenly(rng: np.random.Generator, count: int) -> Floats:
    """Places in 0..1 that lie evenly however many of them are taken: steps of the golden ratio from a random start."""
    return np.asarray((rng.random() + np.arange(count) * (np.sqrt(5) - 1) / 2) % 1)


def _spread(rng: np.random.Generator, count: int, before: int) -> Ints:
    """Days from 0 to before that, evenly, so that no part of the split lacks a kind."""
    return (_evenly(rng, count) * before).astype(np.int64)


def _victims(rng: np.random.Generator, world: World, day: Ints) -> Ints:
    """Cards that are in use on these days, busy ones more often."""
    card = np.empty(len(day), dtype=np.int64)
    for week in np.unique(day // 7):
        here = np.flatnonzero(day // 7 == week)
        pace_C = world.cards.pace[:, week]
        card[here] = rng.choice(len(pace_C), len(here), p=pace_C / pace_C.sum())
    return card


def _hours(rng: np.random.Generator, world: World, day: Ints) -> Ints:
    """Seconds on these days at which somebody or other pays."""
    other = rng.integers(0, len(world.cards.peak), len(day))
    hour = (world.cards.peak[other] + world.cards.spread[other] * rng.normal(size=len(day))) % 24
    return np.asarray(day * DAY_S + (hour * 3600).astype(np.int64))


def _open(world: World, terminal: Ints, second: Ints) -> Ints:
    """The same terminals, those that have not opened yet replaced by the first of their city."""
    closed = world.terminals.opens[terminal] > second // DAY_S
    return np.where(closed, world.terminals.group[terminal], terminal)


def _rows(second: Ints, card: Ints, terminal: Ints, amount: Floats) -> Rows:
    second = np.minimum(second, DAYS * DAY_S - 1)
    return Rows(second=second, card=card, terminal=terminal, amount=amount, kind=np.zeros(len(second), dtype=np.int64))


def _stolen_card(rng: np.random.Generator, world: World, count: int) -> Rows:
    episode, step, sizes = _episodes(rng, count, 5, 14)
    day = _spread(rng, len(sizes), DAYS - 1)
    victim = _victims(rng, world, day)
    gap = np.exp(np.log(700) + 0.7 * rng.normal(size=count)) * (step > 0)
    total = np.cumsum(gap)
    second = _hours(rng, world, day)[episode] + (total - total[np.flatnonzero(step == 0)][episode]).astype(np.int64)
    near = rng.random(len(sizes)) < 0.7
    city = np.where(near, world.cards.city[victim], rng.integers(0, ONLINE, len(sizes)))
    terminal = _open(world, world.terminals.draw(rng, city[episode]), second)
    amount = usual_amount(rng, world, victim[episode], terminal) * np.exp(-0.2 + 0.13 * step)
    return _rows(second, victim[episode], terminal, amount)


def _leaked_details(rng: np.random.Generator, world: World, count: int) -> Rows:
    episode, _, sizes = _episodes(rng, count, 6, 14)
    start = _spread(rng, len(sizes), DAYS - 14)
    victim = _victims(rng, world, start)
    second = _hours(rng, world, start[episode] + rng.integers(0, 14, count))
    card = victim[episode]
    known = world.cards.favourites[card, SHOPS + rng.integers(0, SITES, count)]
    anywhere = world.terminals.draw(rng, np.full(count, ONLINE))
    terminal = _open(world, np.where(rng.random(count) < 0.5, known, anywhere), second)
    level = world.cards.level[card] + world.terminals.level[terminal]
    return _rows(second, card, terminal, np.exp(level + 0.35 * rng.normal(size=count)) * rng.uniform(3, 5, count))


def _account_takeover(rng: np.random.Generator, world: World, count: int) -> Rows:
    episode, _, sizes = _episodes(rng, count, 6, 14)
    start = _spread(rng, len(sizes), DAYS - 8)
    victim = _victims(rng, world, start)
    day = start[episode] + rng.integers(0, 8, count)
    hour = (world.cards.peak[victim] + rng.uniform(8, 14, len(sizes)))[episode] + 1.5 * rng.normal(size=count)
    second = day * DAY_S + (hour % 24 * 3600).astype(np.int64)
    city = (world.cards.city[victim] + rng.integers(1, 7, len(sizes))) % 7  # another one at home
    group = np.where(rng.random(count) < 0.4, ONLINE, city[episode])
    terminal = _open(world, world.terminals.draw(rng, group), second)
    return _rows(second, victim[episode], terminal, usual_amount(rng, world, victim[episode], terminal))


def _card_testing(rng: np.random.Generator, world: World, count: int) -> Rows:
    episode, step, sizes = _episodes(rng, count, 12, 32)
    day = _spread(rng, len(sizes), DAYS - 6)
    shop = _open(world, world.terminals.draw(rng, np.full(len(sizes), ONLINE)), day * DAY_S)
    begin = day * DAY_S + rng.integers(0, 20 * 3600, len(sizes))
    tests = (0.7 * sizes).astype(np.int64)[episode]
    large = step >= tests
    card = _victims(rng, world, day[episode])
    card = card[np.arange(count) - np.where(large, tests, 0)]  # large ones with cards that were tried before
    second = begin[episode] + np.where(
        large, rng.uniform(1, 4, count) * DAY_S, np.cumsum(rng.exponential(420, count)) % (4 * 3600)
    ).astype(np.int64)
    terminal = np.where(large, world.terminals.draw(rng, np.full(count, ONLINE)), shop[episode])
    terminal = _open(world, terminal, second)
    amount = usual_amount(rng, world, card, terminal) * rng.uniform(1.2, 3, count)
    return _rows(second, card, terminal, np.where(large, amount, np.round(rng.uniform(1, 9, count), 1)))


def _mule_merchant(rng: np.random.Generator, world: World, count: int) -> Rows:
    episode, _, sizes = _episodes(rng, count, *_MULE)
    terminal = world.reserve[: len(sizes)][episode]
    opened = world.terminals.opens[world.reserve[: len(sizes)]] + rng.integers(0, 8, len(sizes))
    length = rng.integers(6, 15, len(sizes))
    day = opened[episode] + (rng.random(count) * length[episode]).astype(np.int64)
    second = _hours(rng, world, np.minimum(day, DAYS - 1))
    pool = _victims(rng, world, np.repeat(opened, 12)).reshape(len(sizes), 12)  # the same few cards again and again
    card = pool[episode, rng.integers(0, 12, count)]
    amount = usual_amount(rng, world, card, terminal) * 1.3
    return _rows(second, card, terminal, np.maximum(np.round(amount, -1), 10.0))


_EPISODES: dict[str, Callable[[np.random.Generator, World, int], Rows]] = {
    "stolen_card": _stolen_card,
    "leaked_details": _leaked_details,
    "account_takeover": _account_takeover,
    "card_testing": _card_testing,
    "mule_merchant": _mule_merchant,
}

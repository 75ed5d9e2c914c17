"""`assay data make fraud`: a seeded history of card transactions with frauds. Nothing in it stems from a real person.

Made day by day, so that memory depends on the cards and on a day's rows, not on those of the history.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import AssayError, InputError
from data.finance.transaction_days import DAY_S, Rows, genuine_day, none, refunds_of
from data.finance.transaction_frauds import KINDS, NAMES, Plan, mark_compromised, mule_openings, plan_frauds
from data.finance.transaction_world import CATEGORIES, COUNTRIES, DAYS, ONLINE, World, make_world
from data.tables import TableWriter

FIRST_DAY = np.datetime64("2024-01-01")  # a Monday
SPLIT_DAYS = {"train": 112, "label_delay": 119, "val": 140, "test": DAYS}  # the day each part ends before
FEWEST, MOST = 5_000, 100_000_000  # fewer would not hold every kind of fraud
_GROWTH, _WEEKDAYS = 0.25, (0.95, 0.93, 0.97, 1.0, 1.15, 1.12, 0.88)

README = """# Card transactions, made up
`{name}`: {rows:,} transactions of {cards:,} cards at {terminals:,} terminals from {first} to {last}, by time. Made by
`assay data make fraud --rows {rows} --seed {seed}`; the same command gives the same bytes. No real person, card or shop
is in it.

| column | what it is |
|---|---|
| transaction_id | T and a number that counts up |
| time | local time, ISO, to the second |
| card_id | the card: `--entity card_id` |
| terminal_id | where it was used: `--counterpart terminal_id` |
| category | the merchant's category |
| channel | chip, contactless, swipe, online, phone |
| country | of the terminal |
| distance_km | from the card's home to the terminal; empty for online and phone |
| amount | what the card is billed, CNY; below 0: a refund of an earlier payment at this terminal |
| currency | in which the terminal counts; the amount is in CNY all the same |
| is_fraud | the label, 0 or 1. Known seven days later: what is made of labels must lag seven days |
| fraud_kind | what kind of fraud it is, empty for none. NEVER A FEATURE: it tells the label; `--ignore fraud_kind` |
| split | by time, never a feature |

| split | days | rows | frauds | rate |
|---|---|---|---|---|
{parts}

`label_delay`: labels of its seven days are not known yet when `val` begins. Its rows are history for features of
behaviour, not for labels and not for the risk of terminals.

| fraud_kind | rows | what it is |
|---|---|---|
{kinds}

Genuine cards travel, go on sprees, pay at night, try new terminals and spend large amounts now and then, so that one
row alone tells little; the past of the card and of the terminal tells more.
"""


@dataclass(frozen=True, kw_only=True)
class History:
    """What to make. Raises InputError where a number is out of range."""

    rows: int
    seed: int = 0
    fraud_rate: float = 0.008  # share of fraudulent rows, about

    def __post_init__(self) -> None:
        if not FEWEST <= self.rows <= MOST:
            raise InputError(
                f"rows of a transaction history must lie in {FEWEST:,}..{MOST:,}, got {self.rows:,}; "
                "with fewer not every kind of fraud is there"
            )
        if not 0.002 <= self.fraud_rate <= 0.05:
            raise InputError(f"fraud_rate must lie in 0.002..0.05, got {self.fraud_rate}")

    @property
    def cards(self) -> int:
        """About 1.1 transactions a day each."""
        return max(60, self.rows // 200)

    @property
    def terminals(self) -> int:
        """Those that are open to all; a few more open for frauds."""
        return max(150, self.rows // 200)


def make_fraud(
    folder: Path, *, rows: int, seed: int, progress: Callable[[float, str], None] = lambda share, words: None
) -> tuple[Path, ...]:
    """Write `transactions.csv` and `README.md`; return their paths. Same rows and seed, same bytes."""
    history = History(rows=rows, seed=seed)
    path = folder / "transactions.csv"
    counts = []
    with TableWriter(path) as writer:
        for day, frame in enumerate(transactions(history)):
            writer.write(frame)
            counts.append(frame.groupby(["split", "fraud_kind"]).size())
            progress((day + 1) / DAYS, f"writing day {day + 1} of {DAYS}")
    readme = folder / "README.md"
    try:
        readme.write_text(_readme(history, path.name, pd.concat(counts)), encoding="utf-8")
    except OSError as error:
        raise AssayError(f"{readme} could not be written ({error.strerror}); give a folder with room") from error
    return path, readme


def make_transactions(history: History) -> pd.DataFrame:
    """The whole history in one frame."""
    return pd.concat(transactions(history), ignore_index=True)


def transactions(history: History) -> Iterator[pd.DataFrame]:
    """The history, a frame a day, by time; columns as the README says."""
    rng = np.random.default_rng(history.seed)
    frauds = round(history.fraud_rate * history.rows)
    world = make_world(rng, history.cards, history.terminals, mule_openings(rng, frauds))
    plan = plan_frauds(rng, world, frauds, history.rows)
    names = _names(world)
    made = 0
    for day, rows in enumerate(_days(rng, history, world, plan)):
        yield _frame(rng, world, rows, names, day, made)
        made += len(rows)


def _days(rng: np.random.Generator, history: History, world: World, plan: Plan) -> Iterator[Rows]:
    """The rows of each day by time; refunds wait until they are due, and count among the day's genuine ones."""
    day = np.arange(DAYS)
    share = (1 + _GROWTH * day / DAYS) * np.tile(_WEEKDAYS, DAYS // 7) * np.exp(0.05 * rng.normal(size=DAYS))
    counts = rng.multinomial(history.rows - len(plan.rows), share / share.sum())
    edges = np.searchsorted(plan.rows.second, np.arange(DAYS + 1) * DAY_S)
    waiting = none()
    for number, count in enumerate(counts):
        due = waiting.second < (number + 1) * DAY_S
        back = waiting.take(np.flatnonzero(due)[:count])
        bought = genuine_day(rng, world, number, count - len(back))
        mark_compromised(rng, bought, plan)
        waiting = Rows.join([waiting.take(~due), refunds_of(rng, bought)])
        yield Rows.join([bought, back, plan.rows.take(slice(edges[number], edges[number + 1]))]).in_order()


@dataclass(frozen=True, kw_only=True)
class _Names:
    """Words by number."""

    cards: pd.Series
    terminals: pd.Series
    categories: pd.Series
    countries: pd.Series
    currencies: pd.Series
    kinds: pd.Series


def _names(world: World) -> _Names:
    cards = pd.Series(np.arange(1, len(world.cards.city) + 1)).astype("str").str.zfill(6)
    # the reserve must not stand apart by its numbers
    number = np.random.default_rng(len(world.terminals.group)).permutation(len(world.terminals.group)) + 1
    return _Names(
        cards="C" + cards,
        terminals="M" + pd.Series(number).astype("str").str.zfill(6),
        categories=_words(name for name, *_ in CATEGORIES),
        countries=_words(COUNTRIES),
        currencies=_words(COUNTRIES.values()),
        kinds=_words(NAMES),
    )


def _words(names: object) -> pd.Series:
    return pd.Series(list(names), dtype="str")  # type: ignore[call-overload]


def _frame(rng: np.random.Generator, world: World, rows: Rows, names: _Names, day: int, made: int) -> pd.DataFrame:
    cards, terminals = world.cards, world.terminals
    card, place = rows.card, rows.terminal
    remote = terminals.group[place] == ONLINE
    away = np.hypot(cards.east_km[card] - terminals.east_km[place], cards.north_km[card] - terminals.north_km[place])
    amount = np.round(rows.amount, 2)
    quick = (np.abs(amount) < 300) & (rng.random(len(rows)) < cards.contactless[card])
    phone = rng.random(len(rows)) < 0.04
    choices = [remote & phone, remote, terminals.old[place], quick]
    channel = np.select(choices, ["phone", "online", "swipe", "contactless"], "chip")
    number = pd.Series(np.arange(made + 1, made + len(rows) + 1)).astype("str").str.zfill(9)
    country = terminals.country[place]
    part = next(name for name, end in SPLIT_DAYS.items() if day < end)
    return pd.DataFrame(
        {
            "transaction_id": "T" + number,
            "time": pd.Series(np.datetime_as_string(FIRST_DAY + rows.second.astype("timedelta64[s]")), dtype="str"),
            "card_id": _look_up(names.cards, card),
            "terminal_id": _look_up(names.terminals, place),
            "category": _look_up(names.categories, terminals.category[place]),
            "channel": pd.Series(channel, dtype="str"),
            "country": _look_up(names.countries, country),
            "distance_km": np.where(remote, np.nan, np.round(away, 1)),
            "amount": amount,
            "currency": _look_up(names.currencies, country),
            "is_fraud": (rows.kind > 0).astype(np.int64),
            "fraud_kind": _look_up(names.kinds, rows.kind),
            "split": pd.Series([part] * len(rows), dtype="str"),
        }
    )


def _look_up(names: pd.Series, number: np.ndarray) -> pd.Series:
    return names.take(number).reset_index(drop=True)


def _readme(history: History, name: str, counts: pd.Series) -> str:
    table = counts.groupby(level=[0, 1]).sum().unstack(fill_value=0)
    parts = []
    first = 0
    for part, end in SPLIT_DAYS.items():
        rows, frauds = int(table.loc[part].sum()), int(table.loc[part].drop("").sum())
        parts.append(
            f"| {part} | {FIRST_DAY + first} to {FIRST_DAY + end - 1} | {rows} | {frauds} | {frauds / rows:.4f} |"
        )
        first = end
    kinds = [f"| {kind} | {int(table[kind].sum())} | {words} |" for kind, (_, words) in KINDS.items()]
    return README.format(
        name=name,
        rows=history.rows,
        seed=history.seed,
        cards=history.cards,
        terminals=history.terminals,
        first=FIRST_DAY,
        last=FIRST_DAY + DAYS - 1,
        parts="\n".join(parts),
        kinds="\n".join(kinds),
    )

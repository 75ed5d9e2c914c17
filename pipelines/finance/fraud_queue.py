"""How good the queue of each day is: cards ranked by their most suspicious transaction of the day.

Card precision at N: the share of frauds among the N cards ranked first, a mean over days (Le Borgne et al. 2022,
Reproducible Machine Learning for Credit Card Fraud Detection, chapter 4). Its ceiling is what a perfect ranking would
reach on the same days, where there are fewer than N fraudulent cards. Intervals draw whole days.

Legend: B rows, K cards of a day, D days.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.metrics.bootstrap import ONE_CLASS, Metric, binary_metrics
from core.metrics.resample import draw_weights, with_interval
from pipelines.finance.transactions.quantities import DAY_MS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
CARDS = 100  # looked at a day
DRAWS = 1_000
NO_ENTITY = "no --entity"
NAME = f"card_precision_at_{CARDS}"
NAMES = (NAME, f"{NAME}_ceiling", f"{NAME}_new_cards", f"{NAME}_new_cards_ceiling", "auc_new_cards")


@dataclass(frozen=True, kw_only=True)
class Judgements:
    """Rows that were judged: when, of which card, known to be compromised by then, fraud or not, how suspicious."""

    time_B: Ints  # ms
    card_B: Ints | None  # hashed; None where the table has no entity
    known_B: Bools
    y_B: Floats
    p_B: Floats

    def without_known(self) -> "Judgements":
        """The rows of cards that are not known to be compromised: those have left the queue."""
        new_B = ~self.known_B
        return Judgements(
            time_B=self.time_B[new_B],
            card_B=None if self.card_B is None else self.card_B[new_B],
            known_B=self.known_B[new_B],
            y_B=self.y_B[new_B],
            p_B=self.p_B[new_B],
        )


@dataclass(frozen=True, kw_only=True)
class CardDays:
    """One entry a card and day, by day, the most suspicious first; of equal ones the smaller hash."""

    day_K: Ints
    card_K: Ints
    row_K: Ints  # the most suspicious row, the first of equal ones
    rows_K: Ints  # how many rows of that day
    p_K: Floats
    fraud_K: Bools  # whether any row of that day is a fraud

    @property
    def places(self) -> Ints:
        """Place in the queue of the day, from 0."""
        first = _starts(self.day_K)
        return np.arange(len(self.day_K)) - np.repeat(first, np.diff(np.append(first, len(self.day_K))))


def card_days(rows: Judgements) -> CardDays:
    """Gather the rows by day and card. ValueError: there is no entity."""
    if rows.card_B is None:
        raise ValueError(NO_ENTITY)
    day_B = rows.time_B // DAY_MS
    order = np.lexsort((-rows.p_B, rows.card_B, day_B))  # stable: of equal rows the first
    day, card = day_B[order], rows.card_B[order]
    first = _starts(day, card)
    top = order[first]
    frauds = np.add.reduceat(rows.y_B[order], first) if len(first) else np.empty(0)
    ranked = np.lexsort((card[first], -rows.p_B[top], day[first]))
    return CardDays(
        day_K=day[first][ranked],
        card_K=card[first][ranked],
        row_K=top[ranked],
        rows_K=np.diff(np.append(first, len(order)))[ranked],
        p_K=rows.p_B[top][ranked],
        fraud_K=frauds[ranked] > 0,
    )


def precision_by_day(queue: CardDays, cards: int) -> Floats:
    """Frauds among the first so many cards of each day, over that number (D,)."""
    return _by_day(queue, queue.fraud_K & (queue.places < cards)) / cards


def ceiling_by_day(queue: CardDays, cards: int) -> Floats:
    """The same of a perfect ranking."""
    return np.minimum(_by_day(queue, queue.fraud_K), cards) / cards


def queue_metrics(rows: Judgements, *, cards: int = CARDS, seed: int = 0) -> dict[str, Metric]:
    """The metrics of `NAMES`: with all cards in the queue, and without those known to be compromised."""
    if rows.card_B is None:
        return {name: Metric(missing=NO_ENTITY) for name in NAMES}
    new = rows.without_known()
    found = []
    for queue in (card_days(rows), card_days(new)):
        found += [_mean(by_day(queue, cards), seed) for by_day in (precision_by_day, ceiling_by_day)]
    return dict(zip(NAMES, [*found, _area(new, seed)], strict=True))


def alert_rate(rows: Judgements, cards_per_day: float) -> float:
    """Share of the rows to decline so that so many new cards a day are declined, on average over the days.

    ValueError: there is no entity. InputError: not one card is left.
    """
    queue = card_days(rows.without_known())
    if not len(queue.p_K):
        words = "every card of the validation rows is known to be compromised, so that no alert is left"
        raise InputError(f"{words}; give --target-rate or --cost instead of alerts a day")
    days = len(np.unique(rows.time_B // DAY_MS))
    wanted = min(max(round(cards_per_day * days), 1), len(queue.p_K))
    threshold = np.sort(queue.p_K)[::-1][wanted - 1]
    return float(np.clip(np.mean(rows.p_B >= threshold), 1e-9, 1 - 1e-9))


def _starts(*keys: Ints) -> Ints:
    """Where a new group begins in sorted keys."""
    if not len(keys[0]):
        return np.empty(0, dtype=np.int64)
    new = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.flatnonzero(np.concatenate([[True], new]))


def _by_day(queue: CardDays, marked_K: Bools) -> Floats:
    days, day_K = np.unique(queue.day_K, return_inverse=True)
    return np.asarray(np.bincount(day_K, weights=marked_K, minlength=len(days)), dtype=np.float64)


def _mean(value_D: Floats, seed: int) -> Metric:
    if not len(value_D):
        return Metric(missing="no card is left")
    weights = draw_weights([str(day) for day in range(len(value_D))], DRAWS, seed)
    return with_interval(lambda weight_D: float((weight_D * value_D).sum() / weight_D.sum()), weights)


def _area(rows: Judgements, seed: int) -> Metric:
    """AUC with an interval over cards."""
    if len(np.unique(rows.y_B)) < 2:
        return Metric(missing=ONE_CLASS)
    return binary_metrics(rows.y_B, rows.p_B, groups=rows.card_B, seed=seed)["auc"]

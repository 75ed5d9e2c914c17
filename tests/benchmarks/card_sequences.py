"""card_transactions as sequences: the last events of the card up to the one that is judged, and features of them.

Channels: time (seconds), amount (currency units), share of frauds at the terminal as known that day, transactions at
it, share of frauds on the card as known that day. A label is known 7 days later. The features of a sequence are made
by one function, real or augmented.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

STEPS, DELAY_DAYS, WINDOW_DAYS, DAY = 16, 7, 28, 86_400.0
TIME, AMOUNT, RISK, SEEN, OWN = range(5)


@dataclass(frozen=True)
class CardEvents:
    """All transactions in time order, each with its number in the order of card and time."""

    x_EC: np.ndarray  # (E, 5) by card and time
    card_E: np.ndarray
    place: np.ndarray  # row of every transaction of the file in x_EC
    fraud: np.ndarray  # by row of the file
    split: np.ndarray

    def sequences(self, rows: np.ndarray) -> np.ndarray:
        """The last STEPS events of the card up to each of these rows (N, T, 5); NaN where there were fewer."""
        at = self.place[rows][:, None] - np.arange(STEPS - 1, -1, -1)
        same = (at >= 0) & (self.card_E[np.maximum(at, 0)] == self.card_E[self.place[rows]][:, None])
        return np.where(same[:, :, None], self.x_EC[np.maximum(at, 0)], np.nan)


def read_cards(folder: Path) -> CardEvents:
    table = pd.read_parquet(folder / "card_transactions_2018-04_to_08.parquet")
    seconds = (table["datetime"] - pd.Timestamp("2018-01-01")).dt.total_seconds().to_numpy(float)
    fraud = table["is_fraud"].to_numpy(float)
    risk, seen = delayed_risk(table["terminal_id"].to_numpy(), seconds, fraud)
    own, _ = delayed_risk(table["customer_id"].to_numpy(), seconds, fraud)
    x = np.column_stack([seconds, table["amount_cents"].to_numpy(float) / 100, risk, seen, own])
    order = np.lexsort((seconds, table["customer_id"].to_numpy()))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    card = table["customer_id"].to_numpy()[order]
    return CardEvents(x[order], card, place, fraud, table["split"].to_numpy())


def delayed_risk(entity: np.ndarray, seconds: np.ndarray, fraud: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of frauds among the entity's transactions of 28 days that ended 7 days ago, and their number."""
    order = np.lexsort((seconds, entity))
    key = np.unique(entity, return_inverse=True)[1][order] * 1e9 + seconds[order]  # one rising axis for all
    frauds = np.concatenate([[0.0], np.cumsum(fraud[order])])
    end = np.searchsorted(key, key - DELAY_DAYS * DAY, side="left")
    start = np.searchsorted(key, key - (DELAY_DAYS + WINDOW_DAYS) * DAY, side="left")
    first = np.searchsorted(key, np.floor(key / 1e9) * 1e9, side="left")
    start, end = np.maximum(start, first), np.maximum(end, first)
    count, hits = (end - start).astype(float), frauds[end] - frauds[start]
    share, number = np.empty(len(order)), np.empty(len(order))
    share[order], number[order] = np.divide(hits, count, out=np.zeros_like(hits), where=count > 0), count
    return share, number


def features(x_NTC: np.ndarray) -> np.ndarray:
    """36 numbers of every sequence: the judged event, its ratios to the card's own past, and the terminals' risks."""
    time, amount, risk, seen, own = (x_NTC[:, :, channel] for channel in range(5))
    last, age = time[:, -1:], (time[:, -1:] - time) / DAY
    past = amount[:, :-1]
    known = np.isfinite(past)
    count = np.maximum(known.sum(1), 1)
    mean = np.nansum(past, 1) / count
    spread = np.sqrt(np.nansum((past - mean[:, None]) ** 2, 1) / count)
    with np.errstate(all="ignore"):
        most = np.nanmax(np.where(known, past, 0.0), 1)
        columns = [
            amount[:, -1], amount[:, -1] / (mean + 1), (amount[:, -1] - mean) / (spread + 1), amount[:, -1] - most,
            mean, spread, most, known.sum(1), risk[:, -1], seen[:, -1], risk[:, -1] * seen[:, -1],
            np.nanmax(np.nan_to_num(risk[:, :-1]), 1), np.nanmean(np.nan_to_num(risk), 1), risk[:, -2], risk[:, -3],
            (last[:, 0] / 3600) % 24, (last[:, 0] // DAY) % 7, own[:, -1],
        ]  # fmt: skip
    for steps in (1, 2, 3, 5, 10):
        columns += [age[:, -1 - steps], amount[:, -1 - steps]]
    for days in (1, 7):
        inside = (age[:, :-1] <= days) & known
        columns += [inside.sum(1), np.where(inside, past, 0.0).sum(1)]
    for days in (3, 14):
        inside = (age[:, :-1] <= days) & known
        high = np.where(inside, past, 0.0).max(1)
        columns += [high, (np.where(inside, past, 0.0).sum(1) + amount[:, -1]) / (inside.sum(1) + 1) / (mean + 1)]
    return np.column_stack(columns)

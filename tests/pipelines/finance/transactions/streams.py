"""Made-up streams of transactions, and the way a live stream goes through them."""

import heapq
from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipelines.finance.transactions.events import Events, Reading, read_events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.stream import Event, Stream

DAY_S = 86_400


def make_plan(**changes: object) -> TransactionPlan:
    """A plan over the columns of `make_frame`."""
    plain = {"time": "time", "amount": "amount", "entity": "card", "counterparts": ("shop",), "arrived": "arrived"}
    return TransactionPlan(**(plain | changes))


def make_frame(
    rng: np.random.Generator, rows: int, *, cards: int = 4, shops: int = 5, days: float = 60, late: float = 0.0
) -> pd.DataFrame:
    """Transactions in the order in which they came, a share of them late, some at the same second."""
    arrived_s = np.sort(rng.integers(0, int(days * DAY_S), rows) // 600 * 600)
    behind_s = np.where(rng.random(rows) < late, rng.integers(0, 20 * DAY_S, rows), 0)
    sign = rng.choice([1, -1], rows, p=[0.95, 0.05])
    return pd.DataFrame(
        {
            "time": pd.to_datetime(arrived_s - behind_s, unit="s"),
            "arrived": pd.to_datetime(arrived_s, unit="s"),
            "card": rng.integers(0, cards, rows),
            "shop": rng.integers(0, shops, rows),
            "amount": np.round(np.exp(rng.normal(3, 1, rows)), 2) * sign,
        }
    )


def make_labels(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Labels: good, fraud, unknown."""
    return rng.choice([0, 1, -1], rows, p=[0.8, 0.15, 0.05]).astype(np.int8)


def make_reading(rng: np.random.Generator, rows: int, plan: TransactionPlan, **how: object) -> Reading:
    """The same, read."""
    return read_events(make_frame(rng, rows, **how), plan, labels=make_labels(rng, rows))


def event_of(events: Events, number: int, label: int = -1) -> Event:
    """One transaction of a table as a stream gets it."""
    return Event(
        time_ms=int(events.time_ms[number]),
        key={column: int(keys[number]) for column, keys in events.key.items()},
        steps=int(events.steps[number]),
        serial=number,
        label=label,
    )


def run_stream(events: Events, plan: TransactionPlan, stream: Stream) -> Iterator[np.ndarray]:
    """Features of one transaction after the other; each label comes when it falls due."""
    due: list[tuple[int, int]] = []
    clock = None
    for number in range(len(events)):
        time_ms = int(events.time_ms[number])
        clock = time_ms if clock is None else max(clock, time_ms)
        while due and due[0][0] <= clock:
            labelled = heapq.heappop(due)[1]
            stream.label(event_of(events, labelled, int(events.label[labelled])))
        event = event_of(events, number)
        yield stream.measure(event)
        stream.add(event)
        if events.label[number] >= 0:
            heapq.heappush(due, (time_ms + plan.delay_ms, number))

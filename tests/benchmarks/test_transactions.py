"""Features of transactions: speed of tables and streams beside a plain vectorised making of 22 of them."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.finance.transactions.batch import measure_table
from pipelines.finance.transactions.events import Events, read_events
from pipelines.finance.transactions.pieces import measure_pieces
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.quantities import DAY_MS
from pipelines.finance.transactions.stream import Stream
from tests.pipelines.finance.transactions.streams import event_of

pytestmark = pytest.mark.bench
TWENTY_TWO = """scope,measure,windows
entity,count,1d 7d 30d
entity,mean,1d 7d 30d
entity,labelled,1d 7d 30d
entity,risk,1d 7d 30d
entity,since,1n
entity,ratio,30d
counterpart,labelled,1d 7d 30d
counterpart,risk,1d 7d 30d
"""
DELAY_S, DAY_S = 7 * 86_400, 86_400
ROUNDS = 5


@pytest.fixture(scope="module")
def cards(realdata: Path) -> pd.DataFrame:
    folder = realdata / "data" / "finance" / "card_transactions"
    return pd.read_parquet(folder / "card_transactions_2018-04_to_08.parquet")


def plan_of(declared: str = "") -> TransactionPlan:
    return TransactionPlan(
        time="datetime",
        amount="amount_cents",
        entity="customer_id",
        counterparts=("terminal_id",),
        unit=1.0,
        declared=declared,
    )


def plain(frame: pd.DataFrame) -> np.ndarray:
    """The 22 as a plain program makes them: sort by key, prefix sums, binary search. Seen transactions lie before."""
    time_s = frame["datetime"].to_numpy().astype("datetime64[s]").astype(np.int64)
    amount = frame["amount_cents"].to_numpy(dtype=np.float64)
    fraud = frame["is_fraud"].to_numpy(dtype=np.float64)
    columns: list[np.ndarray] = []
    for column, spends in (("customer_id", True), ("terminal_id", False)):
        code = pd.factorize(frame[column])[0]
        order = np.argsort(code, kind="stable")
        joined = code[order].astype(np.int64) * 10**9 + (time_s[order] - time_s[0] + 10**8)
        sums, frauds = (np.concatenate([[0.0], np.cumsum(x[order])]) for x in (amount, fraud))
        own = np.arange(len(order))
        known = np.searchsorted(joined, joined - DELAY_S, side="right")
        first = np.searchsorted(code[order], code[order], side="left")
        made: list[np.ndarray] = []
        for days in (1, 7, 30):
            if spends:
                start = np.searchsorted(joined, joined - days * DAY_S, side="right")
                count = own - start
                with np.errstate(invalid="ignore"):
                    mean = (sums[own] - sums[start]) / count
                made += [count, mean]
            start = np.searchsorted(joined, joined - DELAY_S - days * DAY_S, side="right")
            count = known - start
            with np.errstate(invalid="ignore"):
                made += [count, (frauds[known] - frauds[start]) / count]
        if spends:
            gap = np.where(own > first, time_s[order] - time_s[order[np.maximum(own - 1, 0)]], np.nan)
            with np.errstate(invalid="ignore", divide="ignore"):
                made += [gap, amount[order] / made[9]]
        for values in made:
            back = np.empty(len(order))
            back[order] = values
            columns.append(back)
    hour = time_s % DAY_S // 3600
    columns += [hour < 6, (time_s // DAY_S + 3) % 7 >= 5]
    return np.column_stack(columns)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def test_rows_a_second_beside_a_plain_making(cards: pd.DataFrame) -> None:
    labels = cards["is_fraud"].to_numpy().astype(np.int8)
    few, full = plan_of(TWENTY_TWO), plan_of()
    ways = {
        "plain, 22": lambda: plain(cards),
        "Assay, the same 22": lambda: measure_table(read_events(cards, few, labels=labels).events, few),
        f"Assay, all {len(full.names)}": lambda: measure_table(read_events(cards, full, labels=labels).events, full),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            found[name].append(timed(way))
    print(f"\n{len(cards):,} rows, {ROUNDS} rounds, load {os.getloadavg()[0]:.1f}")
    base = [clock for clock, _ in found["plain, 22"]]
    for name, times in found.items():
        clocks = [clock for clock, _ in times]
        ratio = statistics.median(one / other for one, other in zip(base, clocks, strict=True))
        print(
            f"{name:22} {len(cards) / statistics.median(clocks):10,.0f} rows/s (best {len(cards) / min(clocks):,.0f}), "
            f"{ratio:.2f} times plain by the clock, {statistics.median(cpu for _, cpu in times):.1f} s of processor"
        )


def test_the_plain_making_says_the_same(cards: pd.DataFrame) -> None:
    some = cards.iloc[:200_000]
    plan = plan_of(TWENTY_TWO)
    ours = measure_table(read_events(some, plan, labels=some["is_fraud"].to_numpy().astype(np.int8)).events, plan)
    theirs = plain(some)
    order = [7, 10, 13, 16, 8, 11, 14, 17, 9, 12, 15, 18]
    ours_counts = ours[:, 7:]
    for at, (count, mean, labelled, risk) in enumerate(np.asarray(order).reshape(3, 4) - 7):
        for mine, other in zip((count, mean, labelled, risk), range(4 * at, 4 * at + 4), strict=True):
            np.testing.assert_allclose(ours_counts[:, mine], theirs[:, other], rtol=1e-5, equal_nan=True)


def test_one_event_of_a_stream(cards: pd.DataFrame) -> None:
    some = cards.iloc[:120_000]
    plan = plan_of()
    events = read_events(some, plan, labels=some["is_fraud"].to_numpy().astype(np.int8)).events
    stream = Stream(plan)
    for number in range(110_000):
        stream.add(event_of(events, number, int(events.label[number])))
    measured, added = [], []
    for number in range(110_000, 112_000):
        event = event_of(events, number)
        measured.append(timed(lambda event=event: stream.measure(event)))
        added.append(timed(lambda event=event: stream.add(event)))
    print(f"\none event, {len(plan.names)} features, load {os.getloadavg()[0]:.1f}")
    for name, times in (("measured", measured), ("added", added)):
        clocks, cpus = zip(*times, strict=True)
        middle, tail = (np.quantile(clocks, q) * 1e3 for q in (0.5, 0.99))
        print(f"{name}: p50 {middle:.2f} ms, p99 {tail:.2f} ms, processor {np.mean(cpus) * 1e3:.2f} ms")


def test_a_hundred_million_transactions_of_one_card() -> None:
    rows, piece_rows = 100_000_000, 1_000_000
    plan = TransactionPlan(time="time", amount="amount", entity="card")
    rng = np.random.default_rng(0)

    def pieces():
        for start in range(0, rows, piece_rows):
            first_ms = start * 86
            yield Events(
                row=np.arange(start, start + piece_rows),
                time_ms=first_ms + np.sort(rng.integers(0, piece_rows * 86, piece_rows)),
                key={"card": np.zeros(piece_rows, dtype=np.int64)},
                steps=rng.integers(1, 100_000, piece_rows),
                label=np.zeros(piece_rows, dtype=np.int8),
            )

    start, done = time.perf_counter(), 0
    for features in measure_pieces(pieces(), plan):
        done += len(features)
    seconds = time.perf_counter() - start
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    rate, memory = done / seconds, " ".join(peak.split())
    print(f"\n{done:,} transactions of one card in {seconds:.0f} s: {rate:,.0f} rows/s; {memory}")
    assert done == rows
    assert plan.keeps_ms > 90 * DAY_MS

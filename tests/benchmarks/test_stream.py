"""One transaction after the other: through the features alone, and end to end over HTTP at a steady rate.

`pytest tests/benchmarks/test_stream.py -m bench -s`. Latency counts from the moment at which a transaction is due.
Processor time is told beside it, and the machine's load, since the clock depends on what else is running.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.finance.transaction_tables import History, make_transactions
from pipelines.finance.transactions.events import read_events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.stream import Stream
from tests.pipelines.finance.transactions.streams import event_of

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3_600)]

ROWS, LIVE = 400_000, 9_000  # of 2,000 cards; the last so many are sent
RATE, FOR_S, WARM_UP = 200, 30, 1_000
ROLES = {"time": "time", "amount": "amount", "id_column": "transaction_id", "entity": "card_id"}
TRAIN = "--target is_fraud --id transaction_id --entity card_id --counterpart terminal_id --time time --amount amount"
SPLIT = "--ignore fraud_kind --ignore split --where split=train --valid-where split=val"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return make_transactions(History(rows=ROWS, seed=0))


def test_one_transaction_through_its_features(frame: pd.DataFrame) -> None:
    plan = TransactionPlan(**ROLES, counterparts=("terminal_id",), target="is_fraud")
    events = read_events(frame[-60_000:], plan, labels=frame["is_fraud"][-60_000:].to_numpy(dtype=np.int8)).events
    stream = Stream(plan)
    for number in range(50_000):
        stream.add(event_of(events, number, int(events.label[number])))
    wall, cpu = np.empty(3_000), np.empty(3_000)
    for at, number in enumerate(range(50_000, 53_000)):
        event = event_of(events, number)
        began, used = time.perf_counter(), time.thread_time()
        stream.measure(event)
        stream.add(replace(event, serial=number))
        wall[at], cpu[at] = time.perf_counter() - began, time.thread_time() - used
    print(f"\n{len(plan.names)} features of one transaction, put in afterwards; load {os.getloadavg()[0]:.1f}")
    for name, seconds in (("by the clock", wall), ("processor", cpu)):
        print(f"  {name}: mean {seconds.mean() * 1e3:.2f} ms, p99 {np.percentile(seconds, 99) * 1e3:.2f} ms")


def assay(home: Path, *arguments: str) -> Any:
    """Run a command, and give its JSON."""
    command = [sys.executable, "-m", "apps.cli", *arguments, "--json"]
    found = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "ASSAY_HOME": str(home), "ASSAY_THREADS": "1", "OMP_NUM_THREADS": "1"}


@contextmanager
def gateway(home: Path) -> Iterator[tuple[str, int]]:
    """A gateway as a process of its own: its URL and process id."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "apps.cli", "serve", "--port", str(port)]
    with (home / "gateway.log").open("w") as log:
        process = subprocess.Popen(command, env=environment(home), stdout=log, stderr=log)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.kill()
        process.wait()


def processor_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_stream_end_to_end_over_http(frame: pd.DataFrame, tmp_path: Path) -> None:
    home = tmp_path / "home"
    frame.to_parquet(tmp_path / "all.parquet")
    frame[:-LIVE].to_parquet(tmp_path / "history.parquet")
    live = frame[-LIVE:]
    live[:WARM_UP].to_parquet(tmp_path / "first.parquet")
    live[WARM_UP : WARM_UP + RATE * FOR_S].to_parquet(tmp_path / "live.parquet")
    everything = str(tmp_path / "all.parquet")
    assay(home, "train", "fraud", "--data", everything, *TRAIN.split(), *SPLIT.split(), "--name", "cards")
    loaded = assay(home, "stream", "load", "cards", "--data", str(tmp_path / "history.parquet"))
    key = assay(home, "keys", "add", "bench")["key"]
    with gateway(home) as (url, process):
        to = ("--url", url, "--key", key)
        assay(home, "stream", "replay", "cards", "--data", str(tmp_path / "first.parquet"), *to, "--rate", "50")
        used = processor_s(process)
        told = assay(
            home, "stream", "replay", "cards", "--data", str(tmp_path / "live.parquet"), *to, "--rate", str(RATE)
        )
        used = processor_s(process) - used
    print(
        f"\n{loaded['kept']} transactions of history, {frame['card_id'].nunique()} cards; load {os.getloadavg()[0]:.1f}"
    )
    print(f"  {told['sent']} sent at {RATE}/s: {told['achieved_rate']}/s answered, problems {told['problems']}")
    print(f"  latency: p50 {told['p50_ms']} ms, p90 {told['p90_ms']}, p99 {told['p99_ms']}, max {told['max_ms']}")
    print(f"  the gateway's processor time: {used / told['sent'] * 1e3:.2f} ms a transaction")
    assert told["answered"] > 0

"""A gateway killed in the middle of a stream loses nothing that it answered, and goes on with the same numbers."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from apps.engines import engine_for
from apps.settings import Settings
from apps.store import models
from apps.store.database import open_database, reading
from apps.store.keys import add_key
from apps.store.stream_tables import StreamEvent
from pipelines.finance.fraud_stream import FraudJudge
from pipelines.finance.transactions.batch import measure_table
from tests.pipelines.finance.fraud_samples import events_of, fraud_frame, labels_of, requests_of, write_fraud_bundle
from tests.services import home_settings, own_postgres

KILLS = 3


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def gateway(settings: Settings, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Serve as a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    environment |= {"ASSAY_HOME": str(settings.home), "ASSAY_THREADS": "1", "OMP_NUM_THREADS": "1"}
    if settings.database_url is not None:
        environment["ASSAY_DATABASE_URL"] = settings.database_url.get_secret_value()
    command = [sys.executable, "-m", "apps.cli", "serve", "--port", str(port)]
    with (settings.home / f"gateway-{time.monotonic_ns()}.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_until_it_answers(process, port)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + 90
    while True:
        assert process.poll() is None, "the gateway ended"
        assert time.monotonic() < end, "the gateway does not come up"
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)


class Sender:
    """Sends one transaction after the other; what has no answer is sent again when somebody answers."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.key = port, key
        self._line: http.client.HTTPConnection | None = None

    def send(self, raw: dict[str, Any], label: int) -> dict[str, Any] | None:
        """The answer; None: there is none."""
        body = json.dumps({"model": "cards", "transaction": raw, "label": bool(label)})
        headers = {"X-API-Key": self.key, "Content-Type": "application/json"}
        try:
            if self._line is None:
                self._line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            self._line.request("POST", "/v1/transactions", body, headers)
            response = self._line.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            self._line = None
            return None
        assert response.status == 200, answer
        return answer


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    if request.param == "sqlite":
        yield home_settings(tmp_path / "home")
    else:
        with own_postgres(request.getfixturevalue("postgres_url")) as url:
            (tmp_path / "home").mkdir()
            yield home_settings(tmp_path / "home", database_url=url)


@pytest.mark.slow
def test_kill_9_in_the_middle_loses_and_doubles_nothing_and_changes_no_number(
    settings: Settings, tmp_path: Path
) -> None:
    db = open_database(settings)
    model = models.register(db, settings, write_fraud_bundle(tmp_path / "bundle"), "cards")
    _, key = add_key(db, "sender")
    frame = fraud_frame(400, 11, late=0.05, cards=8)
    requests, labels = requests_of(frame), labels_of(frame).tolist()
    port = free_port()
    answers: list[dict[str, Any]] = []
    cuts = [100 * (kill + 1) for kill in range(KILLS)]
    for cut in [*cuts, len(frame)]:
        with gateway(settings, port) as process:
            sender = Sender(port, key)
            if len(answers) > 0:  # sent again after the kill: the same answer, word for word
                assert sender.send(requests[len(answers) - 1], labels[len(answers) - 1]) == answers[-1]
            while len(answers) < cut:
                answers.append(sender.send(requests[len(answers)], labels[len(answers)]) or {})
                assert answers[-1]
            if cut < len(frame):
                kill_while_it_judges(process, sender, requests[cut], labels[cut])

    assert [answer["serial"] for answer in answers] == list(range(1, len(frame) + 1))
    with reading(db) as session:
        kept = session.query(StreamEvent.event_id).order_by(StreamEvent.serial).all()
    assert [row.event_id for row in kept] == frame["id"].tolist()
    judging = FraudJudge(engine_for(settings, model))
    features = measure_table(events_of(frame, judging.plan), judging.plan)
    whole = [judging.judge(judging.read(raw), row, reasons=0) for raw, row in zip(requests, features, strict=True)]
    assert [answer["probability"] for answer in answers] == [one.probability for one in whole]
    assert [answer["decision"] for answer in answers] == [one.decision for one in whole]


def kill_while_it_judges(process: "subprocess.Popen[bytes]", sender: Sender, raw: dict[str, Any], label: int) -> None:
    """SIGKILL some instants after a transaction was sent; nobody hears its answer, if there is one."""
    blow = threading.Timer(0.003, os.kill, (process.pid, signal.SIGKILL))
    blow.start()
    sender.send(raw, label)
    blow.join()
    process.wait(10)

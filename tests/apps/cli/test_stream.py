"""`assay stream`: a history is loaded once, a replay is timed from the moments at which transactions are due."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apps import stream_replay
from apps.cli import run
from apps.settings import Settings
from apps.store import models
from apps.store.database import open_database
from apps.store.streams import Journal
from apps.stream_replay import replay
from core.errors import AssayError, InputError
from pipelines.finance.transactions.quantities import DAY_MS
from tests.pipelines.finance.fraud_samples import fraud_frame, fraud_plan, write_fraud_bundle


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    settings = Settings(_env_file=None, home=tmp_path / "home")
    models.register(open_database(settings), settings, write_fraud_bundle(tmp_path / "bundle"), "cards")
    return tmp_path


def journal(home: Path) -> Journal:
    return Journal.open(open_database(Settings(_env_file=None, home=home / "home")), "cards", fraud_plan())


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_history_is_loaded_once_with_its_labels(home: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    frame = fraud_frame(300, 1, days=20)
    frame.loc[5, "amount"] = None
    write = frame.to_csv if suffix == ".csv" else frame.to_parquet
    write(home / f"history{suffix}", index=False)
    command = ["stream", "load", "cards", "--data", str(home / f"history{suffix}"), "--json"]

    assert run(command) == 0
    first = json.loads(capsys.readouterr().out)
    assert run(command) == 0
    second = json.loads(capsys.readouterr().out)

    assert (first["rows"], first["kept"], first["errors"]) == (300, 299, {"NOT_AN_AMOUNT": 1})
    assert second["kept"] == 0
    assert run(["stream", "show", "cards", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["transactions"], shown["with a label"], shown["answered"]) == (299, 299, 0)


def test_what_is_too_old_to_be_looked_back_to_is_not_loaded(home: Path) -> None:
    frame = fraud_frame(400, 2, days=400)
    frame.to_parquet(home / "history.parquet")
    assert run(["stream", "load", "cards", "--data", str(home / "history.parquet")]) == 0
    newest_ms = journal(home).state().newest_ms or 0
    with journal(home).looking() as entry:
        times = [event.time_ms for event in entry.events_since(0)]
    assert min(times) >= newest_ms - journal(home).plan.keeps_ms
    assert 0 < len(times) < 400
    assert newest_ms > 390 * DAY_MS


def test_a_file_that_is_no_history_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "other.csv").write_text("a,b\n1,2\n")
    assert run(["stream", "load", "cards", "--data", str(home / "other.csv")]) == 2
    assert "has no column 'time'" in capsys.readouterr().err


class Stand:
    """A gateway's stand-in on a port of its own: it answers after a pause, and stalls once where it is told to."""

    def __init__(self, *, pause_s: float = 0.0, stall_at: int = -1, stall_s: float = 0.0, status: int = 200) -> None:
        self.pause_s, self.stall_at, self.stall_s, self.status = pause_s, stall_at, stall_s, status
        self.bodies: list[dict[str, object]] = []
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            self.bodies.append(json.loads(await reader.readexactly(length)))
            if len(self.bodies) == self.stall_at:
                self.until = asyncio.get_running_loop().time() + self.stall_s
            await asyncio.sleep(max(self.pause_s, self.until - asyncio.get_running_loop().time()))
            body = b'{"code": "BUSY"}' if self.status != 200 else b"{}"
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (self.status, len(body), body))

    until = 0.0


@contextmanager
def standing(stand: Stand) -> Iterator[str]:
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        server = await asyncio.start_server(stand.answer, "127.0.0.1", 0)
        stand.port = server.sockets[0].getsockname()[1]
        ready.set()

    def run_loop() -> None:
        loop.create_task(serve())
        loop.run_forever()

    thread = threading.Thread(target=run_loop, daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{stand.port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def bodies(number: int) -> list[bytes]:
    return [json.dumps({"n": n}).encode() for n in range(number)]


def test_all_are_sent_at_their_rate_and_timed() -> None:
    stand = Stand(pause_s=0.02)
    with standing(stand) as url:
        found = replay(bodies(60), url, "k", rate=100, keep=True)
    told = found.summary()
    assert (told["sent"], told["answered"], told["problems"]) == (60, 60, {})
    assert sorted(body["n"] for body in stand.bodies) == list(range(60))
    assert told["p50_ms"] >= 20
    assert 0.5 < found.seconds < 5
    assert len(found.answers) == 60


def test_a_stall_is_charged_to_all_that_fell_due_meanwhile() -> None:
    stand = Stand(stall_at=20, stall_s=0.5)
    with standing(stand) as url:
        found = replay(bodies(100), url, "k", rate=100, connections=4)
    late = [ms for ms in found.latency_ms if ms > 100]
    assert len(late) >= 30  # of the fifty that fell due in half a second, though four connections waited
    assert max(found.latency_ms) >= 400


def test_refusals_and_silence_are_told_apart_from_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with standing(Stand(status=429)) as url:
        told = replay(bodies(5), url, "k", rate=100).summary()
    assert (told["answered"], told["problems"], told["p99_ms"]) == (0, {"429 BUSY": 5}, None)
    monkeypatch.setattr(stream_replay, "PATIENCE_S", 0.05)
    with standing(Stand(pause_s=0.5)) as url:
        told = replay(bodies(3), url, "k", rate=100).summary()
    assert (told["answered"], told["problems"]) == (0, {"TimeoutError": 3})


def test_nobody_there_and_a_url_that_is_none_are_one_line() -> None:
    with pytest.raises(AssayError, match="start assay serve"):
        replay(bodies(1), "http://127.0.0.1:1", "k", rate=1)
    with pytest.raises(InputError, match="http://HOST:PORT"):
        replay(bodies(1), "127.0.0.1:80", "k", rate=1)

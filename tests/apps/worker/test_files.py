"""The embedded broker: whole messages, each to one taker, in a private folder, and quick."""

import json
import multiprocessing
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from celery import Celery

from apps.worker.app import create_celery
from tests.services import home_settings


@pytest.fixture
def app(tmp_path: Path) -> Celery:
    return create_celery(home_settings(tmp_path / "home"))


def _take(home: Path, count: int, taken: "multiprocessing.Queue[int]") -> None:
    app = create_celery(home_settings(home))
    with app.connection_for_read() as connection:
        queue = app.conf.task_queues[0](connection.default_channel)
        misses = 0
        while misses < 20:
            message = queue.get()
            if message is None:
                misses += 1
                time.sleep(0.01)
                continue
            misses = 0
            taken.put(message.payload[0][0])
            message.ack()


def test_every_message_goes_to_one_of_the_takers(app: Celery, tmp_path: Path) -> None:
    for number in range(300):
        app.send_task("finance.score_chunk", args=[number])
    context = multiprocessing.get_context("fork")
    taken = context.Queue()
    takers = [context.Process(target=_take, args=(tmp_path / "home", 300, taken)) for _ in range(3)]
    for taker in takers:
        taker.start()
    found = [taken.get(timeout=30) for _ in range(300)]
    for taker in takers:
        taker.join(30)
    assert sorted(found) == list(range(300))
    assert taken.empty()
    assert list((tmp_path / "home" / "broker").iterdir()) == []


def test_nobody_else_may_read_the_messages(app: Celery, tmp_path: Path) -> None:
    app.send_task("finance.score_chunk", args=[1])
    folder = tmp_path / "home" / "broker"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (message,) = folder.glob("*.msg")
    assert stat.S_IMODE(message.stat().st_mode) == 0o600
    assert json.loads(message.read_text())["headers"]["task"] == "finance.score_chunk"


def test_a_file_that_is_no_message_is_dropped_and_the_next_one_comes(app: Celery, tmp_path: Path) -> None:
    name = app.conf.task_queues[0].name
    with app.connection_for_read() as connection:
        queue = app.conf.task_queues[0](connection.default_channel)
        (tmp_path / "home" / "broker" / f"0.{name}.msg").write_text("{half")
        app.send_task("finance.score_chunk", args=[7])
        assert queue.get().payload[0] == [7]


def test_a_message_is_picked_up_within_a_blink_also_after_a_pause(app: Celery) -> None:
    came = threading.Event()
    with app.connection_for_read() as connection:
        queue = app.conf.task_queues[0](connection.default_channel)
        queue.consume(callback=lambda message: (message.ack(), came.set()))
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.3)
        sender = threading.Timer(0.35, app.send_task, ("finance.score_chunk",), {"args": [1]})
        sender.start()
        start = time.monotonic()
        while not came.is_set():
            with suppress(TimeoutError):
                connection.drain_events(timeout=0.5)
        assert time.monotonic() - start < 2.0

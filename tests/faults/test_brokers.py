"""Brokers go away, forget, and deliver twice; the job table knows better."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy

from apps.settings import Settings
from apps.store.database import open_database
from apps.worker.app import CHUNK_TASKS, create_celery
from tests.faults.bench import chunks_in, ended, make_job, require_whole, rows_done, wait_for, worker
from tests.services import home_settings, own_postgres


@contextmanager
def own_redis(port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a Redis server of the test's own, without a disk."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server on the path")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
            assert time.monotonic() < end, "redis-server does not come up"
            time.sleep(0.05)
        yield server
    finally:
        server.kill()
        server.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def require_exactly_once(settings: Settings, tmp_path: Path, body: str = "doubled") -> None:
    job = make_job(settings, tmp_path)
    with worker(settings, body):
        wait_for(lambda: ended(settings, job), settings)
    require_whole(settings, job)
    assert {chunk.attempt for chunk in chunks_in(settings, job, "done")} == {1}


def test_redis_that_restarts_and_forgets_everything_loses_no_row(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    port = free_port()
    settings = home_settings(tmp_path / "home", broker_url=f"redis://127.0.0.1:{port}/0")
    with own_redis(port) as server:
        job = make_job(settings, tmp_path)
        with worker(settings, "slow") as process:
            wait_for(lambda: rows_done(settings, job) >= 20, settings)
            server.kill()
            server.wait()
            time.sleep(1.0)
            with own_redis(port):
                wait_for(lambda: ended(settings, job), settings)
                assert process.poll() is None  # the same worker, without a restart
    require_whole(settings, job)


def test_a_broker_that_was_down_at_the_submission_gets_its_hints_later(tmp_path: Path) -> None:
    port = free_port()
    settings = home_settings(tmp_path / "home", broker_url=f"redis://127.0.0.1:{port}/0")
    job = make_job(settings, tmp_path, rows=40)
    assert {chunk.published_at for chunk in chunks_in(settings, job, "queued")} == {None}
    with own_redis(port), worker(settings, "doubled"):
        wait_for(lambda: ended(settings, job), settings)
    require_whole(settings, job, rows=40)


def test_the_embedded_broker_emptied_by_hand_loses_no_row(tmp_path: Path) -> None:
    settings = home_settings(tmp_path / "home")
    job = make_job(settings, tmp_path)
    for message in (settings.home / "broker").glob("*.msg"):
        message.unlink()
    with worker(settings, "doubled"):
        wait_for(lambda: ended(settings, job), settings)
    require_whole(settings, job)


def test_hints_delivered_many_times_at_once_are_done_once(tmp_path: Path) -> None:
    settings = home_settings(tmp_path / "home")
    job = make_job(settings, tmp_path)
    app = create_celery(settings)
    for _ in range(3):
        for chunk in chunks_in(settings, job, "queued"):
            app.send_task(CHUNK_TASKS["score"], args=[chunk.id])
    with worker(settings, "doubled"), worker(settings, "doubled"):
        wait_for(lambda: ended(settings, job), settings)
        wait_for(lambda: not list((settings.home / "broker").glob("*.msg")), settings)
    require_whole(settings, job)
    assert {chunk.attempt for chunk in chunks_in(settings, job, "done")} == {1}


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://guest:guest@127.0.0.1:1//"])
def test_a_worker_whose_broker_is_down_says_so_in_one_line_and_stops(tmp_path: Path, url: str) -> None:
    settings = home_settings(tmp_path / "home", broker_url=url)
    open_database(settings)
    start = time.monotonic()
    with worker(settings) as process:
        assert process.wait(20) == 1
    assert time.monotonic() - start < 15
    (log,) = settings.home.glob("worker-*.log")
    (line,) = log.read_text().splitlines()
    assert line.startswith("assay: the broker")
    assert "ASSAY_BROKER_URL" in line
    assert "guest:guest" not in line


def test_embedded_broker_and_sqlite_do_every_chunk_once(tmp_path: Path) -> None:
    require_exactly_once(home_settings(tmp_path / "home"), tmp_path)


def test_embedded_broker_and_postgresql_do_every_chunk_once(tmp_path: Path, postgres_url: str) -> None:
    with own_postgres(postgres_url) as url:
        require_exactly_once(home_settings(tmp_path / "home", database_url=url), tmp_path)


def test_redis_does_every_chunk_once(tmp_path: Path, redis_url: str) -> None:
    settings = home_settings(tmp_path / "home", broker_url=redis_url)
    try:
        require_exactly_once(settings, tmp_path)
    finally:
        clear_redis(settings, redis_url)


def test_redis_and_postgresql_do_every_chunk_once(tmp_path: Path, redis_url: str, postgres_url: str) -> None:
    with own_postgres(postgres_url) as url:
        settings = home_settings(tmp_path / "home", database_url=url, broker_url=redis_url)
        try:
            require_exactly_once(settings, tmp_path)
        finally:
            clear_redis(settings, redis_url)


def clear_redis(settings: Settings, url: str) -> None:
    """Remove what the queues of this installation left on a server that others use too."""
    import redis

    client = redis.Redis.from_url(url)
    for queue in create_celery(settings).conf.task_queues:
        for key in client.scan_iter(f"*{queue.name}*"):
            client.delete(key)


def test_rabbitmq_does_every_chunk_once(tmp_path: Path, rabbitmq_url: str) -> None:
    settings = home_settings(tmp_path / "home", broker_url=rabbitmq_url)
    try:
        require_exactly_once(settings, tmp_path)
    finally:
        app = create_celery(settings)
        with app.connection_for_write() as connection:
            for queue in app.conf.task_queues:
                queue(connection.default_channel).delete()


def test_postgresql_that_drops_all_connections_costs_nothing(tmp_path: Path, postgres_url: str) -> None:
    with own_postgres(postgres_url) as url:
        mark = "assay_test_" + sqlalchemy.make_url(url).query["options"][-6:]
        named = sqlalchemy.make_url(url).update_query_dict({"application_name": mark})
        settings = home_settings(tmp_path / "home", database_url=named.render_as_string(hide_password=False))
        job = make_job(settings, tmp_path)
        server = sqlalchemy.create_engine(postgres_url, poolclass=sqlalchemy.NullPool)
        cut = sqlalchemy.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :mark")
        with worker(settings, "slow") as process:
            for rows in (20, 60, 100):
                wait_for(lambda rows=rows: rows_done(settings, job) >= rows, settings)
                with server.connect() as connection:
                    connection.execute(cut, {"mark": mark})
            wait_for(lambda: ended(settings, job), settings)
            assert process.poll() is None
        require_whole(settings, job)


def test_importing_the_worker_needs_no_broker_and_no_database() -> None:
    subprocess.run([sys.executable, "-c", "import apps.worker.run, apps.worker.schedule"], check=True, timeout=60)

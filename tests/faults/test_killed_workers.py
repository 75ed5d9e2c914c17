"""Workers are killed in every way; every row is there once all the same."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from apps.settings import Settings
from apps.store import jobs
from apps.store.chunks import MAX_ATTEMPTS
from apps.store.database import open_database
from apps.store.tables import Job
from tests.faults.bench import (
    chunks_in,
    ended,
    kill_group,
    logs,
    make_job,
    require_whole,
    rows_done,
    wait_for,
    worker,
)
from tests.services import home_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = home_settings(tmp_path / "home")
    open_database(settings)
    return settings


def test_kill_9_of_a_whole_worker_loses_and_doubles_nothing(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path)
    with worker(settings, "slow") as first:
        wait_for(lambda: rows_done(settings, job) >= 30, settings)
        wait_for(lambda: chunks_in(settings, job, "running"), settings)
        kill_group(first)
    held = {chunk.number for chunk in chunks_in(settings, job, "running")}
    assert held
    with worker(settings, "doubled"):
        wait_for(lambda: ended(settings, job), settings)
    require_whole(settings, job)
    again = {chunk.number for chunk in chunks_in(settings, job, "done") if chunk.attempt == 2}
    assert again == held


def test_kill_9_of_a_pool_process_is_mended_at_once_and_its_cause_is_kept(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path)
    with worker(settings, "slow", lease_s=60):  # so long that no lease ends while we look
        wait_for(lambda: rows_done(settings, job) >= 20, settings)
        wait_for(lambda: chunks_in(settings, job, "running"), settings)
        victim = chunks_in(settings, job, "running")[0]
        os.kill(int(victim.worker.rpartition("/")[2]), signal.SIGKILL)
        wait_for(lambda: ended(settings, job), settings)
    require_whole(settings, job)
    assert "WORKER_LOST" in logs(settings) or victim.number in {
        chunk.number for chunk in chunks_in(settings, job, "done") if chunk.attempt == 2
    }


def worn_out(settings: Settings, job: Job) -> bool:
    """Whether one more kill could send a chunk to the dead letters, as it should after its last attempt."""
    return any(chunk.attempt >= MAX_ATTEMPTS - 1 for chunk in chunks_in(settings, job, "running"))


@pytest.mark.slow
def test_kills_at_random_moments_lose_and_double_nothing(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path)
    chance = random.Random(7)
    kills = 0
    end = time.monotonic() + 20
    while time.monotonic() < end and not ended(settings, job) and not worn_out(settings, job):
        with worker(settings, "slow", lease_s=1.0) as process:
            start = rows_done(settings, job)
            wait_for(lambda start=start: rows_done(settings, job) > start or ended(settings, job), settings)
            time.sleep(chance.uniform(0, 0.7))
            kill_group(process)
            kills += 1
    with worker(settings, "doubled", lease_s=1.0):
        wait_for(lambda: ended(settings, job), settings)
    require_whole(settings, job)
    assert kills >= 2


@pytest.mark.slow
def test_a_chunk_that_kills_its_worker_every_time_stops_no_other(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path)
    with worker(settings, "aborts_on_chunk_2", lease_s=60):
        wait_for(lambda: ended(settings, job), settings)
    require_whole(settings, job, dead=range(10, 20))
    (dead,) = chunks_in(settings, job, "dead")
    assert dead.attempt == 3
    assert "WORKER_LOST" in dead.error
    assert "SIGABRT" in dead.error
    state = jobs.job_state(open_database(settings), job.id)
    assert (state.rows_done, state.rows_failed) == (200, 10)
    assert state.job.summary["decisions"] == {"approve": 190, "error": 10}


def test_a_chunk_that_hangs_is_killed_at_its_time_limit_and_done_again(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path)
    with worker(settings, "hangs_once", lease_s=60, hard_limit_s=2):
        wait_for(lambda: ended(settings, job), settings)
    require_whole(settings, job)
    assert [chunk.number for chunk in chunks_in(settings, job, "done") if chunk.attempt == 2] == [1]


def test_sigterm_lets_running_chunks_end_and_leaves_the_rest(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path)
    with worker(settings, "slow") as process:
        wait_for(lambda: rows_done(settings, job) >= 20, settings)
        process.terminate()
        assert process.wait(15) == 0
    assert chunks_in(settings, job, "running") == []
    assert chunks_in(settings, job, "queued")
    assert all(chunk.attempt == 1 for chunk in chunks_in(settings, job, "done"))
    with worker(settings, "doubled"):
        wait_for(lambda: ended(settings, job), settings)
    require_whole(settings, job)


def test_sigterm_gives_back_what_is_not_done_within_the_grace(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path)
    with worker(settings, "endless", lease_s=60, grace_s=1) as process:
        wait_for(lambda: chunks_in(settings, job, "running"), settings)
        process.terminate()
        assert process.wait(15) == 0
    assert chunks_in(settings, job, "running") == []
    assert {chunk.attempt for chunk in chunks_in(settings, job, "queued")} == {0}
    with worker(settings, "doubled"):
        wait_for(lambda: ended(settings, job), settings)
    require_whole(settings, job)


def test_sigterm_to_the_whole_group_leaves_nothing_half_done(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path)
    with worker(settings, "slow", lease_s=60) as process:
        wait_for(lambda: rows_done(settings, job) >= 20, settings)
        os.killpg(process.pid, signal.SIGTERM)  # as a service manager does: the pool gets it too
        assert process.wait(20) == 0
    assert chunks_in(settings, job, "running") == []
    with worker(settings, "doubled"):
        wait_for(lambda: ended(settings, job), settings)
    require_whole(settings, job)

"""Claims, leases and fences: one worker at a time, and only its rows are kept."""

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import select, update

from apps.settings import Settings
from apps.store import chunks, jobs, results
from apps.store.chunks import LeaseLostError, Outcome
from apps.store.database import reading, writing
from apps.store.results import ResultFilter, ScoredCase
from apps.store.tables import Chunk, Job
from tests.faults.bench import make_job


@pytest.fixture
def job(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> Job:
    return make_job(settings, tmp_path, rows=20, rows_per_chunk=10)


@pytest.fixture
def chunk(db: sqlalchemy.Engine, job: Job) -> Chunk:
    return _chunk(db, job)


def _chunk(db: sqlalchemy.Engine, job: Job, number: int = 0) -> Chunk:
    with reading(db) as session:
        return session.scalars(select(Chunk).where(Chunk.job_id == job.id, Chunk.number == number)).one()


def _outcome(score: float = 1.0) -> Outcome:
    case = ScoredCase(case_id="a", score=score, probability=0.5, decision="approve")
    return Outcome(cases=dict.fromkeys(range(10), case))


def _end_pause(db: sqlalchemy.Engine, chunk: Chunk) -> None:
    with writing(db) as session:
        session.execute(update(Chunk).where(Chunk.id == chunk.id).values(lease_until=None))


def test_a_claimed_chunk_cannot_be_claimed_again(db: sqlalchemy.Engine, chunk: Chunk) -> None:
    held = chunks.claim(db, chunk.id, "a")
    assert held is not None
    assert (held.attempt, held.fence, held.rows) == (1, 1, 10)
    assert chunks.claim(db, chunk.id, "b") is None
    assert jobs.job_state(db, chunk.job_id).job.state == "running"


def test_of_many_claims_at_once_one_wins(db: sqlalchemy.Engine, chunk: Chunk) -> None:
    won: list[object] = []
    threads = [
        threading.Thread(target=lambda n=n: won.append(chunks.claim(db, chunk.id, f"worker {n}"))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([held for held in won if held is not None]) == 1


def test_rows_and_the_end_of_the_chunk_are_kept_together(db: sqlalchemy.Engine, chunk: Chunk) -> None:
    held = chunks.claim(db, chunk.id, "a")
    chunks.finish(db, held, _outcome())
    state = jobs.job_state(db, chunk.job_id)
    assert (state.chunks, state.rows_done, state.progress) == ({"done": 1, "queued": 1}, 10, 0.5)
    assert results.count(db, ResultFilter(job_id=chunk.job_id)) == 10
    assert chunks.claim(db, chunk.id, "b") is None


def test_a_worker_that_slept_past_its_lease_keeps_nothing(db: sqlalchemy.Engine, chunk: Chunk) -> None:
    slow = chunks.claim(db, chunk.id, "slow", lease_s=0.05)
    time.sleep(0.1)
    fast = chunks.claim(db, chunk.id, "fast")
    assert (fast.attempt, fast.fence) == (2, 2)
    for late in (lambda: chunks.finish(db, slow, _outcome(9.0)), lambda: chunks.heartbeat(db, slow)):
        with pytest.raises(LeaseLostError):
            late()
    chunks.finish(db, fast, _outcome(1.0))
    with pytest.raises(LeaseLostError):
        chunks.finish(db, slow, _outcome(9.0))
    assert {r.score for r in results.page(db, ResultFilter(job_id=chunk.job_id))} == {1.0}


def test_a_heartbeat_prolongs_the_lease(db: sqlalchemy.Engine, chunk: Chunk) -> None:
    held = chunks.claim(db, chunk.id, "a", lease_s=0.2)
    for _ in range(4):
        time.sleep(0.1)
        chunks.heartbeat(db, held, lease_s=0.2)
        assert chunks.give_back_expired(db) == 0
    time.sleep(0.3)
    assert chunks.give_back_expired(db) == 1


def test_after_three_tries_a_chunk_is_dead_with_its_cause(db: sqlalchemy.Engine, chunk: Chunk) -> None:
    for attempt in (1, 2, 3):
        held = chunks.claim(db, chunk.id, "a")
        assert held.attempt == attempt
        chunks.release(db, held, f"WORKER_LOST: signal {attempt}")
        assert chunks.claim(db, chunk.id, "a") is None  # the pause before the next try
        _end_pause(db, chunk)
    dead = _chunk(db, Job(id=chunk.job_id))
    assert (dead.state, dead.error, dead.failed) == ("dead", "WORKER_LOST: signal 3", 10)
    assert chunks.claim(db, chunk.id, "a") is None


def test_a_fault_that_no_try_can_mend_ends_the_chunk_at_once(db: sqlalchemy.Engine, chunk: Chunk) -> None:
    chunks.release(db, chunks.claim(db, chunk.id, "a"), "BAD_BUNDLE: gone", final=True)
    assert _chunk(db, Job(id=chunk.job_id)).state == "dead"


def test_a_try_that_a_shutdown_cut_off_does_not_count(db: sqlalchemy.Engine, chunk: Chunk) -> None:
    for _ in range(5):
        assert chunks.claim(db, chunk.id, "host:1/7").attempt == 1
        assert chunks.release_lost(db, chunk.id, "host:1/", "stopped", counts=False) == 1
        time.sleep(0.01)


def test_only_the_chunks_of_a_lost_worker_are_given_back(db: sqlalchemy.Engine, chunk: Chunk) -> None:
    chunks.claim(db, chunk.id, "host:12/7")
    for other in ("host:1/", "host_12/", "%"):
        assert chunks.release_lost(db, chunk.id, other, "lost") == 0
    assert chunks.release_lost(db, chunk.id, "host:12/", "lost") == 1


def test_a_lease_given_by_a_clock_that_jumped_back_does_not_last_for_hours(db: sqlalchemy.Engine, chunk: Chunk) -> None:
    chunks.claim(db, chunk.id, "a", lease_s=3600)
    assert chunks.give_back_expired(db) == 1


def test_a_chunk_of_a_cancelled_job_is_not_claimed(db: sqlalchemy.Engine, chunk: Chunk) -> None:
    running = chunks.claim(db, chunk.id, "a")
    jobs.cancel_job(db, chunk.job_id)
    chunks.finish(db, running, _outcome())  # what was begun is kept
    state = jobs.job_state(db, chunk.job_id)
    assert (state.job.state, state.chunks) == ("cancelled", {"done": 1, "cancelled": 1})
    assert chunks.claim(db, _chunk(db, Job(id=chunk.job_id), 1).id, "a") is None

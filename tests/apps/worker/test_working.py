"""A chunk's way through a worker process, without Celery: what is kept, what is given back, who ends the job."""

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy
from billiard.exceptions import SoftTimeLimitExceeded
from sqlalchemy import update

from apps.settings import Settings
from apps.store import jobs
from apps.store.chunks import Outcome, claim, finish
from apps.store.database import open_database, writing
from apps.store.models import get_model
from apps.store.tables import Chunk, Job
from apps.worker.bodies import Work
from apps.worker.ending import end_job
from apps.worker.hints import publish_endings
from apps.worker.sweep import sweep
from apps.worker.working import Bench, work_on
from core.errors import AssayError, InputError
from tests.faults.bench import chunks_in, doubled, make_job, require_whole


@pytest.fixture
def db(settings: Settings) -> sqlalchemy.Engine:
    return open_database(settings)


def _bench(settings: Settings, body: object = doubled, lease_s: float = 5.0) -> Bench:
    return Bench(db=open_database(settings), settings=settings, lease_s=lease_s, bodies={"score": body})


def _work_all(settings: Settings, job: Job, body: object = doubled) -> None:
    for _ in range(3):
        for chunk in chunks_in(settings, job, "queued"):
            with writing(open_database(settings)) as session:
                session.execute(update(Chunk).where(Chunk.id == chunk.id).values(lease_until=None))
            work_on(_bench(settings, body), chunk.id)


def test_the_last_chunk_writes_the_file_and_ends_the_job(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path, rows=25)
    first, second, third = chunks_in(settings, job, "queued")
    for chunk in (third, first):
        assert work_on(_bench(settings), chunk.id)
        assert not (tmp_path / "out.csv").exists()
    assert work_on(_bench(settings), second.id)
    require_whole(settings, job, rows=25)
    state = jobs.job_state(open_database(settings), job.id)
    assert state.ended
    assert state.job.summary["decisions"] == {"approve": 25}
    assert not (settings.home / "objects" / "jobs" / job.id).exists()


def test_a_hint_for_a_chunk_that_is_done_does_nothing(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path, rows=20)
    (first, second) = chunks_in(settings, job, "queued")
    assert work_on(_bench(settings), first.id)
    assert not work_on(_bench(settings), first.id)
    assert work_on(_bench(settings), second.id)
    assert not work_on(_bench(settings), second.id)
    assert not work_on(_bench(settings), 10**9)
    require_whole(settings, job, rows=20)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (RuntimeError("no luck"), "INTERNAL: RuntimeError: no luck"),
        (AssayError("no room", code="DISK_FULL"), "DISK_FULL: AssayError: no room"),
        (SoftTimeLimitExceeded(), "TIME_LIMIT: the chunk took too long"),
    ],
)
def test_a_fault_is_tried_three_times_and_the_job_ends_all_the_same(
    settings: Settings, tmp_path: Path, error: Exception, cause: str
) -> None:
    tries = []

    def fails_on_the_second(work: Work) -> Outcome:
        if work.claim.first_row == 10:
            tries.append(work.claim.attempt)
            raise error
        return doubled(work)

    job = make_job(settings, tmp_path, rows=30)
    _work_all(settings, job, fails_on_the_second)
    assert tries == [1, 2, 3]
    require_whole(settings, job, rows=30, dead=range(10, 20))
    assert chunks_in(settings, job, "dead")[0].error == cause


def test_bad_input_is_not_tried_again(settings: Settings, tmp_path: Path) -> None:
    tries = []

    def refuses(work: Work) -> Outcome:
        tries.append(work.claim.attempt)
        raise InputError("bundle is damaged", code="BAD_BUNDLE")

    job = make_job(settings, tmp_path, rows=10)
    _work_all(settings, job, refuses)
    assert tries == [1]
    require_whole(settings, job, rows=10, dead=range(10))
    assert "BAD_BUNDLE: bundle is damaged" in (tmp_path / "out.csv").read_text()


def test_the_lease_is_kept_while_a_body_takes_longer(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path, rows=10)
    (chunk,) = chunks_in(settings, job, "queued")

    def long(work: Work) -> Outcome:
        time.sleep(1.5)
        return doubled(work)

    worker = threading.Thread(target=work_on, args=(_bench(settings, long, lease_s=0.5), chunk.id))
    worker.start()
    time.sleep(1.0)
    assert claim(open_database(settings), chunk.id, "thief") is None
    worker.join()
    require_whole(settings, job, rows=10)


def test_a_body_that_wakes_after_its_lease_keeps_nothing(settings: Settings, tmp_path: Path) -> None:
    job = make_job(settings, tmp_path, rows=10)
    (chunk,) = chunks_in(settings, job, "queued")
    db = open_database(settings)

    def sleeps(work: Work) -> Outcome:
        with writing(db) as session:  # as if this process had been stopped for a whole lease
            session.execute(update(Chunk).where(Chunk.id == chunk.id).values(state="queued", lease_until=None))
        assert claim(db, chunk.id, "successor") is not None
        return doubled(work)

    assert not work_on(_bench(settings, sleeps), chunk.id)
    assert jobs.job_state(db, job.id).rows_done == 0
    assert chunks_in(settings, job, "running")[0].worker == "successor"


def test_a_file_that_cannot_be_written_is_tried_again_and_then_fails_the_job(
    settings: Settings, tmp_path: Path, db: sqlalchemy.Engine
) -> None:
    job = make_job(settings, tmp_path, rows=10)
    (tmp_path / "out.csv").mkdir()
    (chunk,) = chunks_in(settings, job, "queued")
    work_on(_bench(settings), chunk.id)
    for _ in range(2):
        assert jobs.job_state(db, job.id).job.state == "running"
        with writing(db) as session:
            session.execute(update(Job).values(lease_until=None))
        end_job(db, settings, job.id)
    state = jobs.job_state(db, job.id)
    assert state.job.state == "failed"
    assert "out.csv" in (state.job.error or "")
    assert state.rows_done == 10


def test_many_who_end_a_job_at_once_write_it_once(settings: Settings, tmp_path: Path, db: sqlalchemy.Engine) -> None:
    job = make_job(settings, tmp_path, rows=10)
    (tmp_path / "out.csv").mkdir()
    (chunk,) = chunks_in(settings, job, "queued")
    work_on(_bench(settings), chunk.id)
    (tmp_path / "out.csv").rmdir()
    with writing(db) as session:
        session.execute(update(Job).values(lease_until=None))
    done: list[bool] = []
    threads = [threading.Thread(target=lambda: done.append(end_job(db, settings, job.id))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, False, False, True]
    require_whole(settings, job, rows=10)


def test_the_sweeper_asks_for_the_end_of_a_job_that_nobody_ended(
    settings: Settings, tmp_path: Path, db: sqlalchemy.Engine
) -> None:
    job = make_job(settings, tmp_path, rows=10)
    (chunk,) = chunks_in(settings, job, "queued")
    held = claim(db, chunk.id, "dies before it writes the file")
    model = get_model(db, job.model_id)
    finish(db, held, doubled(Work(claim=held, model=model, settings=settings)))
    for message in (settings.home / "broker").glob("*.msg"):
        message.unlink()
    sweep(db, settings)
    assert publish_endings(db, settings) == 0  # not twice within five seconds
    (hint,) = (settings.home / "broker").glob("*.msg")
    assert "finance.score_batch" in hint.read_text()
    assert end_job(db, settings, job.id)
    require_whole(settings, job, rows=10)


def test_a_job_whose_rows_are_gone_is_not_called_done(
    settings: Settings, tmp_path: Path, db: sqlalchemy.Engine
) -> None:
    job = make_job(settings, tmp_path, rows=10)
    with writing(db) as session:
        session.execute(update(Chunk).values(state="done"))
    assert not end_job(db, settings, job.id)
    state = jobs.job_state(db, job.id)
    assert state.job.state == "running"
    assert "0 results" in (state.job.error or "")
    assert not (tmp_path / "out.csv").exists()


def test_an_expired_chunk_is_hinted_at_again(settings: Settings, tmp_path: Path, db: sqlalchemy.Engine) -> None:
    job = make_job(settings, tmp_path, rows=10)
    (chunk,) = chunks_in(settings, job, "queued")
    claim(db, chunk.id, "gone", lease_s=0.01)
    for message in (settings.home / "broker").glob("*.msg"):
        message.unlink()
    time.sleep(0.05)
    sweep(db, settings)
    (waiting,) = chunks_in(settings, job, "queued")
    assert "WORKER_LOST" in (waiting.error or "")
    with writing(db) as session:
        session.execute(update(Chunk).values(lease_until=None))  # its pause is over
    sweep(db, settings)
    assert len(list((settings.home / "broker").glob("*.msg"))) == 1

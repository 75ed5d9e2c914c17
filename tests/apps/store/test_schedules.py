"""Schedules: one job a due time, caught up on by the schedule's own rule."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import update

from apps.settings import Settings
from apps.store import jobs, schedules
from apps.store.database import writing
from apps.store.tables import Schedule
from core.errors import InputError, NotFoundError
from tests.faults.bench import make_model

START = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


def _add(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path, catch_up: str = "latest", **how: object) -> None:
    make_model(settings, tmp_path / "bundle")
    (tmp_path / "in.csv").write_text("id,value\n1,2\n")
    params = {"model": "doubler", "data": str(tmp_path / "in.csv"), "out": str(tmp_path / "out-{due}.csv"), **how}
    schedules.add_schedule(db, name="hourly", cron="@hourly", kind="score", params=params, catch_up=catch_up)
    with writing(db) as session:
        session.execute(update(Schedule).values(next_due_at=START))


def test_a_due_schedule_makes_one_job_and_moves_on(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> None:
    _add(db, settings, tmp_path)
    assert schedules.run_due(db, settings, at=START - timedelta(seconds=1)) == []
    (job,) = schedules.run_due(db, settings, at=START + timedelta(seconds=2))
    assert schedules.run_due(db, settings, at=START + timedelta(seconds=3)) == []
    assert job.due_at == START
    assert job.params["out"] == str(tmp_path / "out-20300101T120000.csv")
    assert schedules.get_schedule(db, "hourly").next_due_at == START + timedelta(hours=1)


@pytest.mark.parametrize(("catch_up", "hours"), [("latest", [3]), ("all", [0, 1, 2, 3]), ("skip", [])])
def test_missed_due_times_are_caught_up_on_by_rule(
    db: sqlalchemy.Engine, settings: Settings, tmp_path: Path, catch_up: str, hours: list[int]
) -> None:
    _add(db, settings, tmp_path, catch_up)
    made = schedules.run_due(db, settings, at=START + timedelta(hours=3, minutes=30))
    assert [job.due_at for job in made] == [START + timedelta(hours=hour) for hour in hours]
    assert schedules.get_schedule(db, "hourly").next_due_at == START + timedelta(hours=4)


def test_schedulers_at_once_make_one_job(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> None:
    _add(db, settings, tmp_path)
    threads = [threading.Thread(target=schedules.run_due, args=(db, settings), kwargs={"at": START}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [job.due_at for job in jobs.list_jobs(db)] == [START]


def test_a_run_that_cannot_begin_leaves_a_failed_job(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> None:
    _add(db, settings, tmp_path, data=str(tmp_path / "gone.csv"))
    (job,) = schedules.run_due(db, settings, at=START)
    assert job.state == "failed"
    assert "gone.csv" in (job.error or "")
    assert schedules.run_due(db, settings, at=START) == []


def test_years_without_a_scheduler_do_not_hold_it_up(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> None:
    _add(db, settings, tmp_path)
    at = START + timedelta(days=5000, minutes=1)
    assert len(schedules.run_due(db, settings, at=at)) == 1
    assert schedules.get_schedule(db, "hourly").next_due_at > at


def test_a_schedule_can_be_run_now_and_removed(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> None:
    _add(db, settings, tmp_path)
    job = schedules.run_schedule_now(db, settings, "hourly")
    assert job.state == "queued"
    schedules.run_due(db, settings, at=START)
    schedules.remove_schedule(db, "hourly")
    assert schedules.list_schedules(db) == []
    assert len(jobs.list_jobs(db)) == 2
    with pytest.raises(NotFoundError, match="none yet"):
        schedules.get_schedule(db, "hourly")


def test_bad_schedules_are_refused(db: sqlalchemy.Engine, settings: Settings, tmp_path: Path) -> None:
    _add(db, settings, tmp_path)
    good = {"cron": "@daily", "kind": "score", "params": {"model": "doubler", "data": "in.csv"}}
    for name, change in [
        ("hourly", {}),
        ("b", {"cron": "now and then"}),
        ("b", {"kind": "train"}),
        ("b", {"catch_up": "maybe"}),
        ("b", {"params": {"model": "doubler"}}),
    ]:
        with pytest.raises(InputError):
            schedules.add_schedule(db, name=name, **(good | change))
    with pytest.raises(NotFoundError):
        schedules.add_schedule(db, name="b", **(good | {"params": {"model": "none", "data": "in.csv"}}))

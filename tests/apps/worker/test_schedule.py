"""A scheduled job runs: the schedule submits it, a worker does it, its file is there."""

import threading
from pathlib import Path

from apps.settings import Settings
from apps.store import jobs, schedules
from apps.store.database import open_database, reading
from apps.store.tables import WorkerBeat
from apps.worker.schedule import run_schedule
from tests.faults.bench import make_model, wait_for, worker


def test_a_scheduled_job_runs_from_its_due_time_to_its_file(settings: Settings, tmp_path: Path) -> None:
    db = open_database(settings)
    make_model(settings, tmp_path / "bundle")
    (tmp_path / "in.csv").write_text("id,value\na,1\nb,2\n")
    params = {"model": "doubler", "data": str(tmp_path / "in.csv"), "out": str(tmp_path / "out.csv"), "reasons": 0}
    schedules.add_schedule(db, name="often", cron="@every 1s", kind="score", params=params)
    stop = threading.Event()
    runner = threading.Thread(target=run_schedule, args=(settings,), kwargs={"stop": stop})
    runner.start()
    try:
        with worker(settings, "doubled", concurrency=1):
            wait_for(lambda: (tmp_path / "out.csv").exists(), settings)
            with reading(db) as session:
                names = {beat.name.rpartition("/")[2] for beat in session.query(WorkerBeat)}
            assert names == {"schedule", "main"}
    finally:
        stop.set()
        runner.join(10)
    assert (tmp_path / "out.csv").read_text().splitlines()[1:] == [
        "a,2,0.5,approve,doubler,1,",
        "b,4,0.5,approve,doubler,1,",
    ]
    made = jobs.list_jobs(db)
    assert len({job.due_at for job in made}) == len(made) >= 1

"""The Celery tasks, by the contract's names. Each takes an id; what there is to do stands in the database."""

from celery import Celery

from apps.engines import forget_engines
from apps.worker.ending import end_job
from apps.worker.hints import publish
from apps.worker.working import Bench, work_on


def register_tasks(app: Celery, bench: Bench) -> None:
    """Give the application its tasks, bound to a bench."""

    def chunk(chunk_id: int) -> None:
        work_on(bench, chunk_id)

    def batch(job_id: str) -> None:
        publish(bench.db, bench.settings, job_id=job_id)
        end_job(bench.db, bench.settings, job_id, lease_s=bench.lease_s)

    def refresh() -> None:
        forget_engines()

    for name, task in {
        "finance.assess": chunk,
        "finance.score_chunk": chunk,
        "finance.score_batch": batch,
        "inspection.inspect": chunk,
        "inspection.inspect_batch": batch,
        "models.refresh": refresh,
    }.items():
        app.task(task, name=name)

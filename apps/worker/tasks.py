"""The Celery tasks, by the contract's names. Each takes an id; what there is to do stands in the database.

`finance.stream` alone carries its work with it: one transaction of a stream. Its answer is read from the database.
"""

from typing import Any

from celery import Celery

from apps.engines import forget_engines
from apps.store.database import DatabaseError
from apps.worker.app import STREAM_TASK
from apps.worker.ending import end_job
from apps.worker.hints import publish
from apps.worker.streaming import judge_transaction
from apps.worker.working import Bench, work_on

RETRY_S = 2.0  # until a transaction is tried again whose database was away


def register_tasks(app: Celery, bench: Bench) -> None:
    """Give the application its tasks, bound to a bench."""

    def chunk(chunk_id: int) -> None:
        work_on(bench, chunk_id)

    def batch(job_id: str) -> None:
        publish(bench.db, bench.settings, job_id=job_id)
        end_job(bench.db, bench.settings, job_id, lease_s=bench.lease_s)

    def refresh() -> None:
        forget_engines()

    def stream(model: str, transaction: dict[str, Any], label: bool | None = None) -> None:
        judge_transaction(bench.db, bench.settings, model, transaction, label)

    for name, task in {
        "finance.assess": chunk,
        "finance.score_chunk": chunk,
        "finance.score_batch": batch,
        "inspection.inspect": chunk,
        "inspection.inspect_batch": batch,
        "models.refresh": refresh,
    }.items():
        app.task(task, name=name)
    # its message is the transaction itself, not a hint: what a killed process had in hand is delivered again
    again = {"autoretry_for": (DatabaseError,), "max_retries": None, "default_retry_delay": RETRY_S}
    app.task(stream, name=STREAM_TASK, reject_on_worker_lost=True, **again)

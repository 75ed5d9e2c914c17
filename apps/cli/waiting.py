"""Waits for a job that workers do, and shows how far it is."""

import time
from typing import Any

import sqlalchemy

from apps.cli.console import note, progress_bar
from apps.store.jobs import job_state
from core.errors import AssayError

SILENT_S = 10.0  # without any worker's progress, before saying so


def wait_for_job(db: sqlalchemy.Engine, job_id: str, words: str) -> dict[str, Any]:
    """Return the summary of a job once it has ended; AssayError when it failed or was cancelled.

    The job goes on without us: Ctrl-C here leaves it to the workers.
    """
    moved, last, said = time.monotonic(), -1, False
    with progress_bar(words) as progress:
        while not (state := job_state(db, job_id)).ended:
            progress(state.progress, words)
            if state.rows_done != last:
                moved, last = time.monotonic(), state.rows_done
            if not said and time.monotonic() - moved > SILENT_S and "running" not in state.chunks:
                note(f"job {job_id} waits for a worker; start one with: assay worker")
                said = True
            time.sleep(0.1)
    if state.job.state != "done":
        raise AssayError(f"job {job_id} {state.job.state}: {state.job.error or 'see assay jobs list'}")
    return dict(state.job.summary)

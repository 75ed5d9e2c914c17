"""`assay schedule`: submits due jobs and sweeps, once a second."""

import os
import signal
import threading
from types import FrameType

import structlog

from apps.settings import Settings
from apps.store.database import open_database
from apps.store.schedules import run_due
from apps.worker.logs import log_as_json
from apps.worker.sweep import PAUSE_S, Sweeper, sign_off
from core.errors import AssayError

log = structlog.get_logger(__name__)


def run_schedule(settings: Settings, *, stop: threading.Event | None = None) -> None:
    """Run until SIGTERM or Ctrl-C (or until `stop` is set). AssayError when the database is not there at the start.

    Several may run at once: a due time gives one job. A broker that is down is waited for; jobs are accepted all the
    same.
    """
    if stop is None:
        log_as_json()
        stop = _stop_on_signals()
    db = open_database(settings)
    name = f"{os.uname().nodename}:{os.getpid()}/schedule"
    sweeper = Sweeper(db, settings, name, {"process_id": os.getpid()})
    sweeper.start()
    log.info("schedule ready")
    pause = 0.0
    while not stop.wait(pause):
        pause = PAUSE_S
        try:
            for job in run_due(db, settings):
                log.info("job submitted", job=job.id, state=job.state, error=job.error)
        except AssayError as error:
            log.warning("cannot look for due jobs now", error=str(error))
    sweeper.stop.set()
    sweeper.join(5.0)
    sign_off(db, name)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop

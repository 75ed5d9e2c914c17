"""Runs a worker: a main process that receives hints and sweeps, and a pool of processes that do the chunks."""

import contextlib
import os
import signal
import threading
import warnings
from collections.abc import Mapping
from typing import Any

import structlog
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Celery, signals
from celery.platforms import SecurityWarning

from apps.settings import Settings
from apps.store.chunks import LEASE_S, release_lost
from apps.store.database import open_database
from apps.worker.app import CHUNK_TASKS, HARD_LIMIT_S, SOFT_PART, create_celery, require_broker
from apps.worker.bodies import CHUNK_BODIES, Body
from apps.worker.lease import worker_prefix
from apps.worker.logs import log_as_json
from apps.worker.sweep import Sweeper, sign_off
from apps.worker.tasks import register_tasks
from apps.worker.working import Bench
from core.errors import AssayError

GRACE_S = 20.0  # after SIGTERM; then chunks that are not done are given back
_MOST_PROCESSES = 4

log = structlog.get_logger(__name__)


def run_worker(
    settings: Settings,
    concurrency: int | None = None,
    *,
    lease_s: float = LEASE_S,
    grace_s: float = GRACE_S,
    hard_limit_s: float = HARD_LIMIT_S,
    bodies: Mapping[str, Body] = CHUNK_BODIES,
) -> None:
    """Work until SIGTERM or Ctrl-C; then finish what was begun, or give it back after `grace_s`, and return.

    AssayError, one line, when the database or the broker is not there at the start; later both are waited for.
    """
    log_as_json()
    processes = concurrency or min(_cores(), _MOST_PROCESSES)
    threads = settings.threads or max(1, _cores() // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    own = settings.model_copy(update={"threads": threads, "home": settings.home.resolve()})
    db = open_database(own)
    app = create_celery(own)
    app.conf.task_time_limit, app.conf.task_soft_time_limit = hard_limit_s, hard_limit_s * SOFT_PART
    require_broker(app)
    register_tasks(app, Bench(db=db, settings=own, lease_s=lease_s, bodies=bodies))
    name = f"{worker_prefix(os.getpid())}main"
    info = {"concurrency": processes, "threads": threads, "process_id": os.getpid()}
    sweeper = Sweeper(db, own, name, info)
    warnings.filterwarnings("ignore", category=SecurityWarning)  # about root and pickle; only JSON is accepted here
    _Pool(app, processes, sweeper, grace_s).run()
    with contextlib.suppress(AssayError):
        sign_off(db, name)


class _Pool:
    """Celery's worker in this process, with our ears on its signals."""

    def __init__(self, app: Celery, processes: int, sweeper: Sweeper, grace_s: float) -> None:
        self._db = sweeper.database
        self._sweeper = sweeper
        self._grace_s = grace_s
        self._stopping = threading.Event()
        self._worker: Any = app.Worker(
            hostname=f"assay@{os.uname().nodename}",
            concurrency=processes,
            pool="prefork",
            optimization="fair",
            loglevel="WARNING",
            quiet=True,
        )

    def run(self) -> None:
        ears = {
            signals.worker_ready: self._on_ready,
            signals.worker_shutting_down: self._on_stop,
            signals.task_failure: self._on_failure,
            signals.worker_process_init: _ignore_sigterm,
        }
        for ear, listener in ears.items():
            ear.connect(listener, weak=False)
        try:
            self._worker.start()
        finally:
            self._sweeper.stop.set()
            self._sweeper.join(5.0)
            for ear, listener in ears.items():
                ear.disconnect(listener)
        if self._worker.exitcode and not self._stopping.is_set():
            raise AssayError("the worker stopped by a fault; the lines above say which")

    def _on_ready(self, **_: Any) -> None:
        log.info("worker ready", processes=self._worker.concurrency)
        self._sweeper.start()

    def _on_stop(self, **_: Any) -> None:
        self._stopping.set()
        timer = threading.Timer(self._grace_s, self._cut_short)
        timer.daemon = True
        timer.start()

    def _cut_short(self) -> None:
        """Kill what is still at work; `_on_failure` then gives its chunks back."""
        for process in list(self._worker.pool.info.get("processes", [])):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _on_failure(self, sender: Any = None, exception: object = None, args: Any = (), **_: Any) -> None:
        """Give back the chunk of a pool process that died or was killed for its time limit, with the cause."""
        if sender is None or sender.name not in CHUNK_TASKS.values() or not args:
            return
        if not isinstance(exception, WorkerLostError | TimeLimitExceeded):
            return
        code = "TIME_LIMIT" if isinstance(exception, TimeLimitExceeded) else "WORKER_LOST"
        try:
            counts = not self._stopping.is_set()
            release_lost(self._db, args[0], worker_prefix(os.getpid()), f"{code}: {exception}", counts=counts)
        except AssayError as error:  # the lease will end by itself
            log.warning("cannot give the chunk back now", chunk=args[0], error=str(error))


def _ignore_sigterm(**_: object) -> None:
    """A service manager sends SIGTERM to the pool too; what is begun ends all the same, and the main process stops."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _cores() -> int:
    return len(os.sched_getaffinity(0))

"""Keeps a lease alive from a thread while the process works."""

import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from apps.store.chunks import LeaseLostError
from apps.store.database import DatabaseError

_BEATS_PER_LEASE = 4

log = structlog.get_logger(__name__)


class Kept:
    """Calls `prolong` four times a lease until the block ends, or until the lease is lost (`lost` is set then)."""

    def __init__(self, prolong: Callable[[], object], lease_s: float) -> None:
        self.lost = False
        self._prolong = prolong
        self._pause_s = lease_s / _BEATS_PER_LEASE
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(self._pause_s):
            try:
                self._prolong()
            except LeaseLostError:
                self.lost = True
                return
            except DatabaseError as error:  # perhaps the next beat gets through in time
                log.warning("cannot prolong the lease", error=str(error))


def worker_name(process_id: int | None = None, parent_id: int | None = None) -> str:
    """Name a pool process: host, main process, process; all of one worker begin alike (see `worker_prefix`)."""
    return f"{worker_prefix(os.getppid() if parent_id is None else parent_id)}{process_id or os.getpid()}"


def worker_prefix(main_id: int) -> str:
    """Return how the names of all processes of one worker begin."""
    return f"{os.uname().nodename}:{main_id}/"

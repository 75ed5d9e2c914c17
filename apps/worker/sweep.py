"""The sweeper: puts right what died. It runs in every worker's main process and in `assay schedule`.

Each step compares before it sets, so that any number of sweepers may run at once.
"""

import threading
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy
import structlog
from sqlalchemy import delete
from sqlalchemy.orm import Session

from apps.settings import Settings
from apps.store.chunks import give_back_expired
from apps.store.database import now, write
from apps.store.tables import WorkerBeat
from apps.worker.hints import forget_lost_hints, publish, publish_endings
from core.errors import AssayError

PAUSE_S = 1.0
_FORGET = timedelta(days=1)

log = structlog.get_logger(__name__)


def sweep(db: sqlalchemy.Engine, settings: Settings) -> None:
    """Give back expired chunks, send hints that are missing, and have jobs ended whose chunks have all ended."""
    if expired := give_back_expired(db):
        log.warning("gave back chunks of workers that died", chunks=expired)
    if lost := forget_lost_hints(db):
        log.warning("hints were lost; they are sent again", hints=lost)
    publish(db, settings)
    publish_endings(db, settings)


def beat(db: sqlalchemy.Engine, name: str, started_at: datetime, info: dict[str, Any]) -> None:
    """Show a sign of life of this process; signs older than a day are removed."""

    def work(session: Session) -> None:
        at = now(session)
        session.execute(delete(WorkerBeat).where(WorkerBeat.seen_at < at - _FORGET))
        session.merge(WorkerBeat(name=name, started_at=started_at, seen_at=at, info=info))

    write(db, work)


def sign_off(db: sqlalchemy.Engine, name: str) -> None:
    """Remove the sign of life: this process ends as it should."""
    write(db, lambda session: session.execute(delete(WorkerBeat).where(WorkerBeat.name == name)))


class Sweeper(threading.Thread):
    """Sweeps and beats once a second until `stop` is set; a database or broker that is away is waited for."""

    def __init__(self, db: sqlalchemy.Engine, settings: Settings, name: str, info: dict[str, Any]) -> None:
        super().__init__(name="sweeper", daemon=True)
        self.stop = threading.Event()
        self.database = db
        self._settings, self._sign, self._info = settings, name, info

    def run(self) -> None:
        started_at = write(self.database, now)
        pause = 0.0
        while not self.stop.wait(pause):
            pause = PAUSE_S
            try:
                beat(self.database, self._sign, started_at, self._info)
                sweep(self.database, self._settings)
            except AssayError as error:
                log.warning("cannot sweep now", error=str(error))
            except Exception:  # the thread's edge: a worker without its sweeper would go on and never recover
                log.exception("the sweep failed")

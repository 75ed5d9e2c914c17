"""Which model a name means, remembered for a second: a stream asks some hundred times in that time."""

import threading
import time

import sqlalchemy

from apps.store.models import resolve
from apps.store.tables import Model

KEPT_S = 1.0  # after a promotion the champion before may answer for so long
_MOST = 100


class Champions:
    """Safe to share between threads."""

    def __init__(self, db: sqlalchemy.Engine) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Model]] = {}

    def resolve(self, reference: str) -> Model:
        """The model that NAME or NAME@VERSION means. NotFoundError: there is none; that is not remembered."""
        at = time.monotonic()
        with self._lock:
            known = self._known.get(reference)
        if known is not None and at - known[0] < KEPT_S:
            return known[1]
        model = resolve(self._db, reference)
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[reference] = (at, model)
        return model

"""Keeps database connections out of forked children.

An open SQLite connection that crosses a fork can damage the database: the child believes that it holds the file locks
of its parent. So every fork waits until no transaction is under way here, and finds no connection open.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy

_WAIT_S = 40.0  # longer than the busy timeout of a transaction


class ForkGate:
    """Counts open transactions, and holds new ones back while the process forks."""

    def __init__(self) -> None:
        self._engines: list[sqlalchemy.Engine] = []
        self._registered = False
        self._reset()

    def _reset(self) -> None:
        self._free = threading.Condition()
        self._open = 0
        self._forking = False

    def watch(self, engine: sqlalchemy.Engine) -> None:
        """Close the idle connections of `engine` before each fork from now on."""
        if not self._registered:
            os.register_at_fork(before=self._before, after_in_parent=self._in_parent, after_in_child=self._in_child)
            self._registered = True
        self._engines.append(engine)

    def forget(self, engine: sqlalchemy.Engine) -> None:
        """Watch `engine` no longer."""
        self._engines.remove(engine)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Mark the time during which a connection is in use."""
        with self._free:
            self._free.wait_for(lambda: not self._forking, _WAIT_S)
            self._open += 1
        try:
            yield
        finally:
            with self._free:
                self._open -= 1
                self._free.notify_all()

    def _before(self) -> None:
        self._free.acquire()
        self._free.wait_for(lambda: self._open == 0, _WAIT_S)
        self._forking = True
        for engine in self._engines:
            engine.dispose()

    def _in_parent(self) -> None:
        self._forking = False
        self._free.notify_all()
        self._free.release()

    def _in_child(self) -> None:
        for engine in self._engines:
            engine.dispose(close=False)
        self._reset()

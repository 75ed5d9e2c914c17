"""The embedded broker: a folder of small files that any number of processes of one machine share.

It is kombu's file transport with three changes: a message appears whole (written aside, then renamed), nothing passes
through the shared temporary folder, and the pause between looks grows from 10 ms to 0.1 s while nothing comes.
"""

import json
import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem

SHORTEST_PAUSE_S = 0.01
LONGEST_PAUSE_S = 0.1
_LOOK_UP_S = 0.5  # how often a waiting worker gets to see whether it shall stop


class Channel(filesystem.Channel):
    """Puts and takes messages of a queue, oldest first. The folder is transport option `data_folder_in`."""

    def _put(self, queue: str, payload: Any, **_kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_in)
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.{queue}.msg"
        draft = folder / f".{name}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(payload, file)
        draft.rename(folder / name)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        for name in sorted(os.listdir(folder)):
            if name.startswith(".") or name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = folder / f".{uuid.uuid4().hex}"  # a name of our own: a slower taker must not remove it
            try:
                os.rename(folder / name, taken)
                return json.loads(taken.read_text(encoding="utf-8"))
            except (FileNotFoundError, ValueError):  # another process was faster; or it is no message, and goes
                continue
            finally:
                taken.unlink(missing_ok=True)
        raise Empty


class Transport(filesystem.Transport):
    """The transport that `create_celery` uses when no broker is set."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None, **_kwargs: Any) -> None:
        """Wait for one message; TimeoutError when none came."""
        wait_s = _LOOK_UP_S if timeout is None else min(timeout, _LOOK_UP_S)
        end, pause = time.monotonic() + wait_s, SHORTEST_PAUSE_S
        while True:
            try:
                self.cycle.get(self._deliver, timeout=timeout)  # type: ignore[union-attr]
                return
            except Empty:
                if time.monotonic() >= end:
                    raise TimeoutError from None
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE_S)

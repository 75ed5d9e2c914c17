"""Whether this gateway can judge: database, disk and a model are needed; without a broker only batches wait."""

import asyncio
import time
from typing import Literal

from pydantic import BaseModel

from apps.doctor import broker_finding, database_finding, disk_finding, models_finding
from apps.settings import Settings

CACHE_S = 1.0  # an open call must not let strangers hammer database and broker


class Ready(BaseModel):
    """`ready` and `degraded` can judge (degraded: batches are taken and wait for the broker); `not_ready` cannot."""

    status: Literal["ready", "degraded", "not_ready"]
    checks: dict[str, Literal["ok", "warn", "fail"]]


class Readiness:
    """Examines at most once a second and remembers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._until = 0.0
        self._answer = Ready(status="not_ready", checks={})

    async def get(self) -> Ready:
        async with self._lock:
            if time.monotonic() >= self._until:
                self._answer = await asyncio.to_thread(examine_readiness, self._settings)
                self._until = time.monotonic() + CACHE_S
            return self._answer


def examine_readiness(settings: Settings) -> Ready:
    """Look at everything that is needed. The states only: this answer needs no key."""
    looks = (database_finding, disk_finding, models_finding, broker_finding)
    checks = {finding.name: finding.state for finding in (look(settings) for look in looks)}
    if checks["models"] != "ok" or "fail" in (checks["database"], checks["disk"]):
        return Ready(status="not_ready", checks=checks)
    return Ready(status="degraded" if checks["broker"] == "fail" else "ready", checks=checks)

"""What the routes of one app share; made once in `create_app`, reached through the request."""

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy
from fastapi import Request

from apps.gateway.champions import Champions
from apps.gateway.limits import Judges, Limits
from apps.gateway.logs import Logger
from apps.gateway.readiness import Readiness
from apps.gateway.telemetry import Telemetry
from apps.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """One gateway: its settings, its database, its bounds and its threads."""

    settings: Settings
    db: sqlalchemy.Engine
    limits: Limits
    judges: Judges  # single cases
    submitters: Judges  # batches being split into chunks
    streamers: Judges  # transactions of streams, one after the other
    champions: Champions
    telemetry: Telemetry
    log: Logger
    ready: Readiness

    @property
    def upload_folder(self) -> Path:
        """Where bodies land while they come in; emptied at each start."""
        return self.settings.home / "uploads"

    @property
    def inbox_folder(self) -> Path:
        """The only folder from which a batch may name a stored file."""
        return self.settings.home / "inbox"


async def gateway_of(request: Request) -> Gateway:
    """The gateway that this request came to. Async, or each call would cost a thread."""
    gateway: Gateway = request.app.state.gateway
    return gateway

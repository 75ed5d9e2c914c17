"""Runs the gateway under uvicorn: the port is taken first, slow senders are cut, signals end it cleanly."""

import asyncio
import signal
import socket
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from apps.gateway.app import create_app
from apps.gateway.limits import Limits
from apps.gateway.logs import send_standard_logging_to
from apps.gateway.ports import listen, refuse_open_house
from apps.settings import Settings
from apps.store.database import open_database
from core.errors import AssayError

HEADER_S = 10.0  # a request's head must be complete after so long
IDLE_S = 5  # a kept-alive connection may be silent for so long
STOP_S = 8  # what is being answered may finish for so long after a signal
CONNECTIONS = 1_000
HEAD_BYTES = 32_768


class PatientProtocol(H11Protocol):
    """Closes a connection whose request head does not arrive in time; uvicorn by itself would wait for ever."""

    head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        waiting = self.conn.their_state is h11.IDLE
        if not waiting:
            self._stop_watching()
        elif self.head_timer is None:
            self.head_timer = self.loop.call_later(HEADER_S, self._give_up)

    def _stop_watching(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def serve(settings: Settings, host: str, port: int, *, limits: Limits | None = None) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        AssayError: the port is taken, or the address is public and there is no API key; nothing has started then.
    """
    listener = listen(host, port)
    try:
        refuse_open_house(open_database(settings), host)
        send_standard_logging_to()
        config = uvicorn.Config(
            create_app(settings, limits),
            http=PatientProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=STOP_S,
            h11_max_incomplete_event_size=HEAD_BYTES,
        )
        _run_until_signal(uvicorn.Server(config), listener)
    finally:
        listener.close()


def _run_until_signal(server: uvicorn.Server, listener: socket.socket) -> None:
    """uvicorn raises the signal again after it has stopped; here a stop on request is a success."""
    before: dict[signal.Signals, Any] = {}
    for name in (signal.SIGINT, signal.SIGTERM):
        before[name] = signal.signal(name, lambda *_: None)
    try:
        server.run(sockets=[listener])
    finally:
        for name, old in before.items():
            signal.signal(name, old)
    if not server.started:
        raise AssayError("the gateway did not start; the log above says why")

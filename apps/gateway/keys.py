"""No call without a key, save the two health calls: the check stands before routing, so a new route is closed too.

A key that is missing, unknown, revoked or past its time is refused with the same 401; the answer does not say which.
A good key is remembered for a second, so that a stream of transactions need not ask the database for each: a revoked
one may work for so long.
"""

import asyncio
import hashlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy
from fastapi import Request
from fastapi.security import APIKeyHeader
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.gateway.problems import Problem
from apps.store.keys import KeyRefusedError, check_key
from apps.store.tables import ApiKey

HEADER = "X-API-Key"
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
LONGEST_KEY = 200
KEPT_S = 1.0
MOST_KNOWN = 1_000

api_key_header = APIKeyHeader(name=HEADER, auto_error=False, description="made by `assay keys add NAME`")


@dataclass(frozen=True)
class Caller:
    """Who calls: the key's readable prefix and its name."""

    prefix: str
    name: str

    @property
    def actor(self) -> str:
        """How the audit names this caller."""
        return f"key:{self.prefix}"


class KeyCheck:
    """ASGI middleware; puts the `Caller` into `scope["state"]`, or raises Problem 401 before a body is read."""

    def __init__(self, app: ASGIApp, *, db: sqlalchemy.Engine) -> None:
        self._app = app
        self._db = db
        self._known: dict[bytes, tuple[float, ApiKey]] = {}  # only touched on the event loop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            secret = _secret(Headers(scope=scope))
            try:
                key = await self._check(secret)
            except KeyRefusedError as error:
                raise _refused(str(error)) from None
            scope["state"]["caller"] = Caller(prefix=key.prefix, name=key.name)
        await self._app(scope, receive, send)

    async def _check(self, secret: str) -> ApiKey:
        digest = hashlib.sha256(secret.encode()).digest()
        until, key = self._known.get(digest, (0.0, None))
        in_time = key is not None and (key.expires_at is None or key.expires_at > datetime.now(UTC))
        if key is not None and in_time and time.monotonic() < until:
            return key
        self._known.pop(digest, None)
        asked = time.monotonic()
        key = await asyncio.to_thread(check_key, self._db, secret)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[digest] = (asked + KEPT_S, key)
        return key


async def caller_of(request: Request) -> Caller:
    """Who sent this request; only behind `KeyCheck`. Async, or each call would cost a thread."""
    caller: Caller = request.state.caller
    return caller


def _secret(headers: Headers) -> str:
    sent = headers.getlist(HEADER)
    if len(sent) != 1 or not sent[0]:
        raise _refused(f"send one API key in the header {HEADER}; make one with assay keys add")
    if len(sent[0]) > LONGEST_KEY or not sent[0].isascii():
        raise _refused("this API key is not valid; make one with assay keys add")
    return sent[0]


def _refused(detail: str) -> Problem:
    return Problem(401, "KEY_REFUSED", detail, headers={"WWW-Authenticate": f'ApiKey header="{HEADER}"'})

"""The outermost layer of every call: request id, one log line, figures, the last catch, and manners on refusal."""

import asyncio
import re
import time
import uuid
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apps.gateway.logs import Logger
from apps.gateway.problems import CLIENT_GONE, problem_response, report, to_problem
from apps.gateway.telemetry import Telemetry

# probed all day, or some hundred times a second with a journal of their own: logged only when they fail
QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/v1/transactions"})
REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
ALWAYS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
DRAIN_S = 2.0  # a refused sender may finish for so long, so that it reads the answer and not a broken pipe
DRAIN_BYTES = 64 * 2**20


@dataclass
class _Exchange:
    """What is known of one request and its answer while they pass."""

    request_id: str
    started: float = field(default_factory=time.perf_counter)
    status: int = 0
    body_open: bool = False  # the sender has more to send
    body_promised: bool = False  # the sender waits for "100 Continue" before it sends


class RequestContext:
    """ASGI middleware; `scope["state"]` carries `request_id`, later `caller` and `problem_code`."""

    def __init__(self, app: ASGIApp, *, log: Logger, telemetry: Telemetry) -> None:
        self._app = app
        self._log = log
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        exchange = _Exchange(request_id=_request_id(headers))
        exchange.body_open = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        exchange.body_promised = "expect" in headers
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        with self._telemetry.in_flight.track_inprogress():
            await self._answer(scope, receive, send, exchange)
        self._report(scope, exchange)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, exchange: _Exchange) -> None:
        async def listen() -> Message:
            message = await receive()
            exchange.body_open = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def speak(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                _add_headers(message, exchange)
            elif message["type"] == "http.response.body" and not message.get("more_body", False) and exchange.body_open:
                await send({**message, "more_body": True})
                await _drain(receive, exchange)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        try:
            await self._app(scope, listen, speak)
        except Exception as error:  # noqa: BLE001 - the edge of the process: log, answer, live on
            problem = to_problem(error)
            scope["state"]["problem_code"] = problem.code
            report(self._log, error, problem, exchange.request_id)
            if exchange.status == 0:
                response = problem_response(problem, path=scope["path"], request_id=exchange.request_id)
                await response(scope, listen, speak)

    def _report(self, scope: Scope, exchange: _Exchange) -> None:
        seconds = time.perf_counter() - exchange.started
        route = str(getattr(scope.get("route"), "path", "unmatched"))
        status, code = exchange.status or CLIENT_GONE, scope["state"].get("problem_code")
        self._telemetry.requests.labels(route, _method(scope), str(status)).inc()
        self._telemetry.request_seconds.labels(route).observe(seconds)
        if code is not None:
            self._telemetry.refused.labels(code).inc()
        if scope["path"] in QUIET_PATHS and status < 400:
            return
        caller = scope["state"].get("caller")
        self._log.info(
            "request", request_id=exchange.request_id, method=_method(scope), path=scope["path"][:200], route=route,
            status=status, ms=round(seconds * 1000, 1), caller=getattr(caller, "prefix", None),
            client=(scope.get("client") or ("-",))[0], problem=code,
        )  # fmt: skip


def _request_id(headers: Headers) -> str:
    """The sender's id where it is a plain word, else one of ours."""
    offered = headers.get("x-request-id", "")
    return offered if REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "OTHER"


def _add_headers(message: Message, exchange: _Exchange) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-ID"] = exchange.request_id
    for name, value in ALWAYS.items():
        headers.setdefault(name, value)
    if exchange.body_open:
        headers["Connection"] = "close"


async def _drain(receive: Receive, exchange: _Exchange) -> None:
    """Throw away what a refused sender still sends, for a short while; it may not read before it has written."""
    if exchange.body_promised:
        return
    seen = 0
    try:
        async with asyncio.timeout(DRAIN_S):
            while seen < DRAIN_BYTES:
                message = await receive()
                seen += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return

"""Sends transactions to a gateway at a given rate and times the answers, as those who send them would see them.

Open loop: each transaction has a moment at which it is due, whatever became of those before it, and its latency counts
from then on. A gateway that stalls is charged for all that fell due meanwhile. The client is written on bare sockets,
so that on a small machine it leaves the gateway its cores.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np

from core.errors import AssayError, InputError

CONNECTIONS = 16
PATIENCE_S = 30.0  # for one answer
WORST = (50, 90, 99)  # percentiles that are told


@dataclass(kw_only=True)
class Replayed:
    """What came of it. Latencies in ms, of what was answered with 200, from the moment at which it was due."""

    asked_rate: float
    seconds: float = 0.0
    latency_ms: list[float] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)  # code -> how often
    answers: dict[int, bytes] = field(default_factory=dict)  # place -> body, where they are kept

    def summary(self) -> dict[str, float | int | dict[str, int] | None]:
        """For people and programs."""
        found = np.asarray(self.latency_ms)
        count = len(found) + sum(self.problems.values())
        percentiles = {f"p{q}_ms": round(float(np.percentile(found, q)), 2) if len(found) else None for q in WORST}
        return {
            "sent": count,
            "answered": len(found),
            "problems": dict(self.problems),
            "asked_rate": self.asked_rate,
            "achieved_rate": round(len(found) / self.seconds, 1) if self.seconds else 0.0,
            **percentiles,
            "max_ms": round(float(found.max()), 2) if len(found) else None,
        }


def replay(
    bodies: Sequence[bytes], url: str, key: str, *, rate: float, connections: int = CONNECTIONS, keep: bool = False
) -> Replayed:
    """Send all; `keep` keeps the answers. InputError: the URL is none. AssayError: nobody listens there."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"--url takes http://HOST:PORT, got {url!r}")
    if rate <= 0 or connections < 1:
        raise InputError(f"the rate must be above 0 and connections 1 or more, got {rate:g} and {connections}")
    head = f"POST {parts.path.rstrip('/')}/v1/transactions HTTP/1.1\r\nHost: {parts.netloc}\r\nX-API-Key: {key}\r\n"
    target = _Target(
        host=parts.hostname,
        port=parts.port or (443 if parts.scheme == "https" else 80),
        tls=parts.scheme == "https",
        head=f"{head}Content-Type: application/json\r\nContent-Length: ".encode(),
    )
    try:
        return asyncio.run(_replay(bodies, target, rate, connections, keep))
    except OSError as error:
        raise AssayError(
            f"{url} does not answer: {error.strerror or error}; start assay serve, or name another"
        ) from error


@dataclass(frozen=True, kw_only=True)
class _Target:
    host: str
    port: int
    tls: bool
    head: bytes


class _Line:
    """One connection that is kept open; opened again where the other side closed it."""

    def __init__(self, target: _Target) -> None:
        self._target = target
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(
            self._target.host, self._target.port, ssl=self._target.tls or None
        )

    async def ask(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. OSError, TimeoutError, IncompleteReadError: there was none."""
        if self._reader is None or self._writer is None:
            await self.open()
        assert self._reader is not None
        assert self._writer is not None
        self._writer.write(b"%b%d\r\n\r\n%b" % (self._target.head, len(body), body))
        async with asyncio.timeout(PATIENCE_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            lowered = head.lower()
            at = lowered.index(b"content-length:") + 15
            answer = await self._reader.readexactly(int(lowered[at : lowered.index(b"\r\n", at)]))
        if b"connection: close" in lowered:
            self.close()
        return int(head[9:12]), answer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def _replay(bodies: Sequence[bytes], target: _Target, rate: float, connections: int, keep: bool) -> Replayed:
    found = Replayed(asked_rate=rate)
    queue: asyncio.Queue[tuple[int, float] | None] = asyncio.Queue()
    lines = [_Line(target) for _ in range(connections)]
    await lines[0].open()  # who is not there at all is told at once
    start = time.perf_counter() + 0.05
    senders = [asyncio.create_task(_send(line, bodies, queue, found, keep)) for line in lines]
    for place in range(len(bodies)):
        due = start + place / rate
        if (pause := due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        queue.put_nowait((place, due))
    for _ in senders:
        queue.put_nowait(None)
    await asyncio.gather(*senders)
    found.seconds = time.perf_counter() - start
    return found


async def _send(
    line: _Line, bodies: Sequence[bytes], queue: "asyncio.Queue[tuple[int, float] | None]", found: Replayed, keep: bool
) -> None:
    while (asked := await queue.get()) is not None:
        place, due = asked
        try:
            status, answer = await line.ask(bodies[place])
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            line.close()
            found.problems[type(error).__name__] += 1
            continue
        if status == 200:
            found.latency_ms.append((time.perf_counter() - due) * 1_000)
            if keep:
                found.answers[place] = answer
        else:
            found.problems[_code(status, answer)] += 1
    line.close()


def _code(status: int, answer: bytes) -> str:
    try:
        return f"{status} {json.loads(answer)['code']}"
    except (ValueError, KeyError, TypeError):
        return str(status)

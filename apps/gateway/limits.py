"""How much the gateway takes on: sizes, times and the number of cases judged at once."""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from apps.gateway.problems import busy

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one gateway process; what passes them is refused, never cut short."""

    json_bytes: int = 2 * 2**20  # a JSON body
    assessment_bytes: int = 8 * 2**20  # one that may hold the text of a report
    image_bytes: int = 64 * 2**20  # a picture as uploaded
    table_bytes: int = 2 * 2**30  # a table for a batch
    field_bytes: int = 1_000  # one text field of a form
    json_depth: int = 32  # levels of nesting
    image_pixels: int = 64_000_000  # of the decoded picture, checked before it is decoded
    silent_s: float = 15.0  # a sender may pause so long
    upload_s: float = 600.0  # a whole body may take so long
    judging: int = 0  # cases judged at once; 0 = one for each core
    waiting: int = 32  # cases that may wait for their turn
    stream_waiting: int = 200  # transactions that may wait for the one thread that judges them
    submitting: int = 2  # batches split into chunks at once
    retry_after_s: int = 1  # what a refused caller is told

    def __post_init__(self) -> None:
        for name in (
            "json_bytes",
            "assessment_bytes",
            "image_bytes",
            "table_bytes",
            "field_bytes",
            "json_depth",
            "image_pixels",
            "silent_s",
            "upload_s",
            "submitting",
            "retry_after_s",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if min(self.judging, self.waiting, self.stream_waiting) < 0:
            values = f"{self.judging}, {self.waiting} and {self.stream_waiting}"
            raise ValueError(f"judging, waiting and stream_waiting must not be negative, got {values}")


class Judges:
    """Threads that judge, with a bounded queue before them; who finds it full is refused with 429."""

    def __init__(self, *, threads: int, waiting: int, retry_after_s: int, name: str = "judge") -> None:
        self.threads = threads or os.cpu_count() or 1
        self.places = self.threads + waiting
        self.inside = 0  # only touched on the event loop, so it needs no lock
        self._retry_after_s = retry_after_s
        self._pool = ThreadPoolExecutor(max_workers=self.threads, thread_name_prefix=name)

    def refuse_when_full(self) -> None:
        """Raise 429 before a body is read that nobody could judge soon."""
        if self.inside >= self.places:
            raise busy(f"{self.inside} cases are being judged or wait, {self.places} are allowed", self._retry_after_s)

    async def run(self, work: Callable[[float], T]) -> T:
        """Do `work(queue_ms)` in a thread, where `queue_ms` says how long it waited for one.

        A caller that hangs up does not stop work that has begun; its place is free when the work is done.
        """
        self.refuse_when_full()
        asked = time.perf_counter()
        self.inside += 1
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, lambda: work((time.perf_counter() - asked) * 1000))
        future.add_done_callback(self._leave)
        return await asyncio.shield(future)

    def close(self) -> None:
        """Wait for what has begun, drop what has not."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _leave(self, done: object) -> None:
        self.inside -= 1

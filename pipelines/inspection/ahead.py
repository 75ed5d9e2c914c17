"""Work that goes on while the network computes: the next steps are drawn on another core.

Measured on two cores in bfloat16 while other programs ran: a step on two torch threads took 6 s, on one 1.1 s (oneDNN's
threads wait for each other in a loop when one of them is interrupted). So torch gets half of the cores, and drawing
of pictures, which is a fifth of the work, another one.
"""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")
DONE = object()


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield the items in their order; the next one is made in a thread meanwhile. An error comes out where it was."""
    iterator = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        coming = pool.submit(next, iterator, DONE)
        while (item := coming.result()) is not DONE:
            coming = pool.submit(next, iterator, DONE)
            yield item  # type: ignore[misc]


@contextmanager
def half_of_the_cores() -> Iterator[None]:
    """Let torch compute on half of the cores that this process may use, at least one; afterwards as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, len(os.sched_getaffinity(0)) // 2)))
    try:
        yield
    finally:
        torch.set_num_threads(before)

"""Work that goes on while the network computes: the next steps are drawn on another core.

torch trains on half of the cores (core.train.cores); drawing of pictures, a fifth of the work, gets another one.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

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

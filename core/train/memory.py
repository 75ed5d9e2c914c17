"""Memory between training steps, on a processor: what a step frees stays with the process for the next step."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
LARGEST_KEPT_BYTES = 1 << 30
NEVER = (1 << 31) - 1
USUAL_BYTES = 32 << 20  # where glibc's own thresholds end up in a process that uses large blocks


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Let freed blocks of up to 1 GiB be used again, instead of giving them back to the system.

    glibc maps each block above 32 MiB anew, and the system clears its pages one by one: at every step for every large
    activation and gradient. Afterwards what is free goes back. Elsewhere than on glibc nothing changes.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        yield
        return
    libc.mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
    libc.mallopt(M_TRIM_THRESHOLD, NEVER)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_THRESHOLD, USUAL_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, 2 * USUAL_BYTES)
        libc.malloc_trim(0)

"""Freed memory stays with the process while it trains, and goes back afterwards."""

import resource
import sys
from pathlib import Path

import pytest
import torch

from core.train.memory import freed_memory_kept

BYTES, TIMES = 64 << 20, 8
WARM = 12  # the heap grows at first: a freed block, cut to size, is a little too small for the next aligned one


def faults_of_blocks() -> int:
    """Return the pages that the system had to hand out for the same block, taken and freed several times."""
    for _ in range(WARM):
        torch.ones(BYTES // 4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(TIMES):
        torch.ones(BYTES // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_blocks_are_used_again_and_go_back_at_the_end() -> None:
    anew = faults_of_blocks()
    with freed_memory_kept():
        again = faults_of_blocks()
        kept = resident_bytes()
    assert again < anew / 2
    assert resident_bytes() < kept - BYTES // 2

"""How many cores torch computes on while it trains.

Measured on two cores in bfloat16 while other programs ran: a step on two torch threads took 6 s, on one 1.1 s (oneDNN's
threads wait for each other in a loop when one of them is interrupted). So torch gets half of the cores.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def half_of_the_cores() -> Iterator[None]:
    """Let torch compute on half of the cores that this process may use, at least one; afterwards as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, len(os.sched_getaffinity(0)) // 2)))
    try:
        yield
    finally:
        torch.set_num_threads(before)

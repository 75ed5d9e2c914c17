"""Made-up market series for tests: variance that comes in waves, with ranges that fit it."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

STEPS_A_DAY = 40


def market(days: int = 500, seed: int = 0) -> pd.DataFrame:
    """A table of open, high, low, close and volume; log variance is an autoregression, prices a walk inside the day."""
    rng = np.random.default_rng(seed)
    log_variance, level, rows = 0.0, 100.0, []
    for _ in range(days):
        log_variance = 0.97 * log_variance + 0.3 * rng.normal()
        spread = 0.01 * np.exp(log_variance / 2) / np.sqrt(STEPS_A_DAY)
        path = level * np.exp(np.cumsum(spread * rng.normal(size=STEPS_A_DAY)))
        inside = np.concatenate([[level], path])
        rows.append((inside[0], inside.max(), inside.min(), inside[-1], 1e6 * np.exp(0.2 * rng.normal())))
        level = path[-1]
    frame = pd.DataFrame(rows, columns=["open", "high", "low", "close", "volume"])
    frame.insert(0, "date", pd.bdate_range("2001-01-01", periods=days).strftime("%Y-%m-%d"))
    third = np.array(["train", "val", "test"])[np.minimum(np.arange(days) * 5 // days - 2, 2).clip(0)]
    return frame.assign(split=third)


def one_thread() -> Iterator[None]:
    """For a fixture: small models are many times slower on the threads of a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)

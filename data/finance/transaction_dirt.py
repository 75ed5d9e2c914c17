"""Late arrivals and double deliveries for a transaction history, as streams have them. Never by default."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Dirt:
    """How dirty. Raises InputError where a share is out of range."""

    late: float = 0.02  # share of rows that arrive minutes to days after they happened; the others within seconds
    doubled: float = 0.002  # share of rows that arrive twice, the second time up to a day later
    seed: int = 0

    def __post_init__(self) -> None:
        for name, share in (("late", self.late), ("doubled", self.doubled)):
            if not 0 <= share <= 0.5:
                raise InputError(f"the share {name} must lie in 0..0.5, got {share}")


def soil(frames: Iterable[pd.DataFrame], dirt: Dirt) -> Iterator[pd.DataFrame]:
    """The same rows by time with a column `arrived_at` (ISO, never before `time`); a double stands below its first.

    A stream delivers them sorted by `arrived_at`.
    """
    rng = np.random.default_rng(dirt.seed)
    for frame in frames:
        rows = len(frame)
        late = rng.random(rows) < dirt.late
        wait = np.where(late, np.exp(rng.uniform(np.log(60), np.log(3 * 86_400), rows)), rng.uniform(0, 5, rows))
        times = rng.random(rows) < dirt.doubled
        again = np.where(times, rng.uniform(1, 86_400, rows), 0)
        place = np.repeat(np.arange(rows), 1 + times)
        second = np.concatenate([[False], place[1:] == place[:-1]])[: len(place)]
        delay = (wait[place] + again[place] * second).astype(np.int64).astype("timedelta64[s]")
        arrived = frame["time"].to_numpy(dtype="datetime64[s]")[place] + delay
        out = frame.iloc[place].reset_index(drop=True)
        yield out.assign(arrived_at=pd.Series(np.datetime_as_string(arrived), dtype="str"))

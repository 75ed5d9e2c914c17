"""One series with everything that hangs on its steps: times, labels of points, labelled intervals, its own label.

Legend: N series, T steps, C channels, K knots. A missing value is NaN; a step that is not there has a time of NaN.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A labelled stretch, both ends included: in steps (0 is the first), or in times where the series has times."""

    start: float
    end: float
    label: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Series:
    """A series on an even grid (no times), or of events at times that never fall."""

    x_TC: Floats
    time_T: Floats | None = None
    points_T: NDArray[Any] | None = None  # integers are classes, 0 for none; floats are continuous
    intervals: tuple[Interval, ...] = ()
    label: float | None = None  # class, or a continuous target

    @property
    def steps(self) -> int:
        return len(self.x_TC)

    @property
    def there(self) -> Bools:
        """Which steps exist: those with a time, or all."""
        return np.ones(self.steps, bool) if self.time_T is None else np.isfinite(self.time_T)


def span_of(times: Floats) -> float:
    """From the first time to the last, 1 where they are one."""
    return float(times[-1] - times[0]) or 1.0


def fill_gaps(values_T: Floats) -> Floats:
    """Put straight lines through missing values, the nearest value beyond the ends; zeros where all are missing.

    >>> fill_gaps(np.array([np.nan, 1.0, np.nan, 3.0]))
    array([1., 1., 2., 3.])
    """
    seen = np.isfinite(values_T)
    if seen.all():
        return values_T
    if not seen.any():
        return np.zeros_like(values_T)
    at = np.arange(len(values_T))
    return np.interp(at, at[seen], values_T[seen])

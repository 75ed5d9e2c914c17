"""`TimeSeriesAugmentor`: new series out of old ones, by scikit-learn's conventions. N series, T steps, C channels."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from core.errors import InputError
from pipelines.finance.augment.apply import Bench, apply_pattern
from pipelines.finance.augment.constraints import Constraints, parse_constraints, to_increments
from pipelines.finance.augment.intake import (
    Augmented,
    Labels,
    as_times,
    as_values,
    gather,
    is_continuous,
    to_series,
)
from pipelines.finance.augment.patterns import refusal
from pipelines.finance.augment.series import Bools, Floats, Interval, Series

DEFAULT_PATTERNS = ("jitter", "scaling", "time_warp")
MOST_PEERS = 2_000  # fitted series a class that mixing looks at


class TimeSeriesAugmentor(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Draws patterns and carries them out, labels and constraints kept.

    `patterns`: names of PATTERNS; `magnitude_range`: each application's strength is drawn from it, 1 being the
    pattern's unit; `per_series`: how many patterns, in a random order, a new series goes through (None: all);
    `probability`: how many of the new series do so at all (the others are repeats);
    `constraints`: what must stay true of channels (see constraints.py); `channels`: names of channels; `anchored`: the
    last step is what the label is about, and is neither moved nor hidden; `injected_label`: class that points get
    where a pattern put something in (None: none).

    `transform` is a function of each row, the fitted series and `random_state`: the same row gives the same answer in
    whatever company. `augment` takes labels, times and masks along, and makes several copies. A seed of None is drawn
    once, by `fit`.

    >>> x = np.sin(np.arange(48.0)).reshape(4, 12)
    >>> TimeSeriesAugmentor(["time_warp"], random_state=0).fit(x).transform(x).shape
    (4, 12)
    """

    def __init__(
        self,
        patterns: Sequence[str] = DEFAULT_PATTERNS,
        magnitude_range: tuple[float, float] = (0.8, 1.5),
        *,
        per_series: int | None = 1,
        probability: float = 1.0,
        constraints: Mapping[Any, Any] | None = None,
        channels: Sequence[str] | None = None,
        anchored: bool = False,
        injected_label: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.patterns = patterns
        self.magnitude_range = magnitude_range
        self.per_series = per_series
        self.probability = probability
        self.constraints = constraints
        self.channels = channels
        self.anchored = anchored
        self.injected_label = injected_label
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        times: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        points: ArrayLike | None = None,
        intervals: Sequence[Sequence[Interval]] | None = None,
    ) -> "TimeSeriesAugmentor":
        """Keep the series, by class, for patterns that mix, and each channel's spread.

        Raises InputError for patterns, magnitudes or constraints that are no good, alone or together.
        """
        values, _ = self._checked(X, mask, reset=True)
        self.n_channels_in_ = values.shape[2]
        self.constraints_ = self._check_options(values, times is not None)
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.spread_ = _spread(values)
        codes, self.classes_, self.continuous_ = _coded(y)
        self.series_ = to_series(values, codes, as_times(times, values.shape), points, intervals)
        totals_C = self.constraints_.mask("cumulative")
        self._by_class = _grouped(self.series_, self.continuous_, totals_C)
        return self

    def transform(self, X: ArrayLike) -> Floats:
        """One new series for every row, in the shape that came in. A row's class is that of the nearest fitted one."""
        check_is_fitted(self)
        values, flat = self._checked(X, None, reset=False)
        made = [self._make(self._with_class(one), 0)[0].x_TC for one in to_series(values, None, None, None, None)]
        found = np.stack(made)
        return found[:, :, 0] if flat else found

    def augment(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        times: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        points: ArrayLike | None = None,
        intervals: Sequence[Sequence[Interval]] | None = None,
        copies: int = 1,
    ) -> Augmented:
        """`copies` new series for every row (all rows once, then again), with their labels.

        `y` (N,) classes or continuous targets; `points` (N, T) labels of steps: integers are classes, 0 for none,
        floats are continuous; `intervals` one list a series. `times` (N, T) make steps events. Raises InputError.
        """
        check_is_fitted(self)
        if copies < 1:
            raise InputError(f"copies must be at least 1, got {copies}")
        values, flat = self._checked(X, mask, reset=False)
        times_NT = as_times(times, values.shape)
        self._refuse(times_NT is not None)
        self.constraints_.check(values)
        codes, classes, continuous = _coded(y) if self.classes_ is None else self._codes(y)
        rows = to_series(values, codes, times_NT, points, intervals)
        rows = rows if y is not None else [self._with_class(one) for one in rows]
        made = [(self._make(one, copy + 1, row), row) for copy in range(copies) for row, one in enumerate(rows)]
        like = Labels(
            shape=(values.shape[1], values.shape[2]),
            flat=flat,
            points=points is not None,
            intervals=intervals is not None,
            times=times_NT is not None,
            classes=None if y is None else classes,
            continuous=y is not None and continuous,
        )
        series = [found for (found, _), _ in made]
        return gather(series, like, [row for _, row in made], [done for (_, done), _ in made])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        return tags

    def _make(self, series: Series, copy: int, row: int = 0) -> tuple[Series, tuple[str, ...]]:
        """Draw patterns by the row's own random numbers and carry them out one after another."""
        rng = np.random.default_rng([self.seed_, zlib.crc32(series.x_TC.tobytes()), copy, row])
        count = len(self.patterns) if self.per_series is None else min(self.per_series, len(self.patterns))
        count = count if rng.random() < self.probability else 0
        names = tuple(self.patterns[int(at)] for at in rng.choice(len(self.patterns), count, replace=False))
        bench = Bench(
            constraints=self.constraints_,
            spread_C=self.spread_,
            peers=self._peers(series),
            all_peers=self._by_class[None],
            anchored=self.anchored,
            injected_label=self.injected_label,
        )
        for name in names:
            series = apply_pattern(series, name, float(rng.uniform(*self.magnitude_range)), bench, rng)
        return series, names

    def _peers(self, series: Series) -> tuple[Series, ...]:
        key = None if self.continuous_ or series.label is None else series.label
        return self._by_class.get(key, ())

    def _with_class(self, series: Series) -> Series:
        """The series with the label of the nearest fitted one, where the fitted ones have classes."""
        if self.classes_ is None:
            return series
        gaps = [float(np.nansum(((one.x_TC - series.x_TC) / self.spread_) ** 2)) for one in self.series_]
        return replace(series, label=self.series_[int(np.argmin(gaps))].label)

    def _checked(self, X: ArrayLike, mask: ArrayLike | None, reset: bool) -> tuple[Floats, bool]:
        """Values (N, T, C), and whether they came as (N, T)."""
        found = validate_data(self, X, reset=reset, allow_nd=True, ensure_all_finite="allow-nan", dtype="numeric")
        values = as_values(found, mask)
        if not reset and values.shape[2] != self.n_channels_in_:
            raise InputError(f"series have {values.shape[2]} channels, fitted were {self.n_channels_in_}")
        return values, found.ndim == 2

    def _check_options(self, values: Floats, has_times: bool) -> Constraints:
        if isinstance(self.patterns, str) or not len(self.patterns):
            raise InputError(f"patterns must be a list of at least one name, got {self.patterns!r}")
        low, high = self.magnitude_range
        if not 0 < low <= high < np.inf:
            raise InputError(f"magnitude_range must be (low, high) with 0 < low <= high, got {self.magnitude_range}")
        if not 0 <= self.probability <= 1:
            raise InputError(f"probability must lie in 0..1, got {self.probability}")
        if self.per_series is not None and self.per_series < 1:
            raise InputError(f"per_series must be at least 1 pattern, or None for all, got {self.per_series}")
        if self.channels is not None and len(self.channels) != values.shape[2]:
            raise InputError(f"channels names {len(self.channels)} channels, the series have {values.shape[2]}")
        self.constraints_ = parse_constraints(self.constraints, values.shape[2], self.channels)
        self._refuse(has_times)
        self.constraints_.check(values)
        return self.constraints_

    def _refuse(self, has_times: bool) -> None:
        for name in self.patterns:
            why = refusal(name, self.constraints_.all_kinds, has_times, self.anchored)
            if why:
                raise InputError(why)

    def _codes(self, y: ArrayLike | None) -> tuple[NDArray[Any] | None, NDArray[Any] | None, bool]:
        """Labels by the fitted classes. Raises InputError for a class that was not fitted."""
        if y is None or self.classes_ is None:
            return None, self.classes_, False
        found = np.asarray(y)
        strange = np.setdiff1d(found, self.classes_)
        if len(strange):
            raise InputError(
                f"y holds class {strange[:1].tolist()[0]!r} that was not fitted; fitted: {self.classes_.tolist()}"
            )
        return np.searchsorted(self.classes_, found), self.classes_, False


def _coded(y: ArrayLike | None) -> tuple[NDArray[Any] | None, NDArray[Any] | None, bool]:
    """Codes or values (N,), the classes (None where continuous), and whether labels are continuous."""
    if y is None:
        return None, None, False
    found = np.asarray(y)
    if is_continuous(found):
        return found.astype(np.float64), None, True
    classes, codes = np.unique(found, return_inverse=True)
    return codes, classes, False


def _spread(values_NTC: Floats) -> Floats:
    """Standard deviation of every channel over all fitted values (C,), 1 where it is 0 or nothing is seen."""
    flat = values_NTC.reshape(-1, values_NTC.shape[2])
    count = np.maximum(np.isfinite(flat).sum(axis=0), 1)
    mean = np.nansum(flat, axis=0) / count
    spread = np.sqrt(np.nansum((flat - mean) ** 2, axis=0) / count)
    return np.where(spread > 0, spread, 1.0)


def _grouped(series: list[Series], continuous: bool, totals_C: Bools) -> dict[float | None, tuple[Series, ...]]:
    """Fitted series by class, at most MOST_PEERS each, totals as increments; under None those of all classes."""
    series = [replace(one, x_TC=to_increments(one.x_TC, totals_C)) if totals_C.any() else one for one in series]
    groups: dict[float | None, list[Series]] = {None: series[:MOST_PEERS]}
    for one in series:
        if one.label is not None and not continuous and len(groups.setdefault(one.label, [])) < MOST_PEERS:
            groups[one.label].append(one)
    return {label: tuple(found) for label, found in groups.items()}

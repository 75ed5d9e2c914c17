"""Moving steps: a warp of the axis, carried out on grids and on events, with labels that follow.

A warp is a tuple of pieces on the unit axis, each a rising broken line from where a stretch was to where it goes.
On a grid of T steps step t sits at (t + 1/2) / T and values between steps are interpolated; events keep their values
and get new times. A calendar rounds every shift to whole periods.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.augment.constraints import Constraints, to_increments, to_totals
from pipelines.finance.augment.series import Floats, Interval, Series, span_of

Ints = NDArray[np.int64]
HALF = 0.5  # of a step: what lies nearer to a step than to its neighbours


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A stretch of the unit axis: at each knot where it was and where it goes, both strictly rising."""

    src_K: Floats
    out_K: Floats


@dataclass(frozen=True, kw_only=True)
class Run:
    """A stretch of the old axis and where it lies on the new one, in positions: both rising, at least two knots."""

    src_K: Floats
    out_K: Floats

    def holds(self, position: float) -> bool:
        return bool(self.src_K[0] <= position <= self.src_K[-1])

    def carry(self, interval: Interval) -> Interval | None:
        """The part of an interval that this run holds, where it has gone; None where they do but touch."""
        start, end = max(interval.start, self.src_K[0]), min(interval.end, self.src_K[-1])
        if start > end or (start == end and interval.start < interval.end):
            return None
        new_start, new_end = np.interp([start, end], self.src_K, self.out_K)
        return replace(interval, start=float(new_start), end=float(new_end))


def move(series: Series, warp: tuple[Piece, ...], constraints: Constraints) -> Series:
    """Carry a warp out: values, times and every label that hangs on steps go together.

    Totals are carried as they are where the order of steps is kept, else as increments, so that they never fall.
    """
    if series.time_T is not None:
        return _move_events(series, warp, constraints)
    origin_T, run_T = _origins(series.steps, warp, constraints.period)
    if constraints.period is None:
        runs = [_scaled(piece, series.steps, -HALF) for piece in warp]
    else:
        at_T = np.arange(series.steps, dtype=float)
        runs = [_shifted(origin_T[a:b], at_T[a:b], HALF) for a, b in _stretches(run_T)]
    points_T = series.points_T
    if points_T is not None and not np.issubdtype(points_T.dtype, np.floating):
        points_T = _carry_classes(points_T, origin_T, runs)  # also moves origins onto the labelled steps
    elif points_T is not None:
        points_T = _interpolated(points_T[:, None].astype(float), origin_T)[:, 0]
    kept = np.all(np.diff(origin_T[run_T >= 0]) >= 0)
    return replace(
        series,
        x_TC=_carry_values(series.x_TC, origin_T, constraints, bool(kept)),
        points_T=points_T,
        intervals=_carry_intervals(series.intervals, runs),
    )


def shifted_by_periods(shift: Floats, period: float | None) -> Floats:
    """Round shifts to whole periods: the projection onto moves that keep weekday and hour."""
    return shift if period is None else period * np.rint(shift / period)


def _origins(steps: int, warp: tuple[Piece, ...], period: float | None) -> tuple[Floats, Ints]:
    """Where each output step comes from (T,), NaN for nowhere, and the number of its run (T,), -1 for none."""
    at_T = np.arange(steps, dtype=float)
    unit_T = (at_T + HALF) / steps
    origin_T, run_T = np.full(steps, np.nan), np.full(steps, -1, dtype=np.int64)
    for number, piece in enumerate(warp):
        inside = (unit_T >= piece.out_K[0]) & (unit_T < piece.out_K[-1])
        origin_T[inside] = np.interp(unit_T[inside], piece.out_K, piece.src_K) * steps - HALF
        run_T[inside] = number
    origin_T = np.clip(origin_T, 0.0, steps - 1.0)
    if period is None:
        return origin_T, run_T
    shift_T = shifted_by_periods(origin_T - at_T, period)
    shift_T[(at_T + shift_T < 0) | (at_T + shift_T > steps - 1)] = 0.0
    changes = np.diff(np.nan_to_num(shift_T), prepend=0.0) != 0
    return at_T + shift_T, np.where(run_T >= 0, np.cumsum(changes | (np.diff(run_T, prepend=run_T[0]) != 0)), -1)


def _stretches(run_T: Ints) -> list[tuple[int, int]]:
    """Start and end (exclusive) of neighbouring steps of one run."""
    edges = [0, *(np.flatnonzero(np.diff(run_T)) + 1).tolist(), len(run_T)]
    return [(a, b) for a, b in pairwise(edges) if b > a and run_T[a] >= 0]


def _scaled(piece: Piece, length: float, first: float) -> Run:
    """The piece in positions of an axis that begins at `first`."""
    return Run(src_K=first + length * piece.src_K, out_K=first + length * piece.out_K)


def _shifted(src: Floats, out: Floats, margin: float) -> Run:
    """A run of steps that moved by one shift, as far as `margin` beyond its ends."""
    shift = out[0] - src[0]
    src_K = np.array([src[0] - margin, src[-1] + margin])
    return Run(src_K=src_K, out_K=src_K + shift)


def _carry_values(x_TC: Floats, origin_T: Floats, constraints: Constraints, in_order: bool) -> Floats:
    totals_C = constraints.mask("cumulative")
    if in_order or not totals_C.any():
        new_TC = _interpolated(x_TC, origin_T)
    else:
        new_TC = to_totals(_interpolated(to_increments(x_TC, totals_C), origin_T), x_TC, totals_C)
    exact_C = constraints.mask("fixed", "calendar", "whole")
    near_T = np.rint(np.nan_to_num(origin_T)).astype(int)
    new_TC[:, exact_C] = np.where(np.isnan(origin_T)[:, None], np.nan, x_TC[near_T])[:, exact_C]
    return new_TC


def _interpolated(x_TC: Floats, origin_T: Floats) -> Floats:
    """Straight lines between steps; beside a missing value the nearer step's value, so missing stays missing."""
    nowhere = np.isnan(origin_T)
    at_T = np.where(nowhere, 0.0, origin_T)
    low_T = np.floor(at_T).astype(int)
    high_T = np.minimum(low_T + 1, len(x_TC) - 1)
    part_T1 = (at_T - low_T)[:, None]
    new_TC = (1 - part_T1) * x_TC[low_T] + part_T1 * x_TC[high_T]
    nearest_TC = x_TC[np.rint(at_T).astype(int)]
    new_TC = np.where(np.isnan(new_TC) | (part_T1 == 0), nearest_TC, new_TC)
    new_TC[nowhere] = np.nan
    return np.asarray(new_TC)


def _carry_classes(points_T: NDArray[np.generic], origin_T: Floats, runs: list[Run]) -> NDArray[np.generic]:
    """Labels of the nearest old steps; each labelled step that a run still holds is put on the output step nearest to
    it, whose origin is moved onto it (in place), so that compression loses no event."""
    near_T = np.rint(np.nan_to_num(origin_T)).astype(int)
    new_T = np.where(np.isnan(origin_T), points_T.dtype.type(0), points_T[near_T])
    for run in runs:
        for step in np.flatnonzero(points_T):
            if run.holds(float(step)):
                at = int(np.clip(np.rint(np.interp(step, run.src_K, run.out_K)), 0, len(origin_T) - 1))
                if new_T[at] == 0:
                    new_T[at], origin_T[at] = points_T[step], step
    return np.asarray(new_T)


def _carry_intervals(intervals: tuple[Interval, ...], runs: list[Run]) -> tuple[Interval, ...]:
    """Every interval cut by the runs that hold it, in the order of the new axis; an instant goes with one run only."""
    found: list[Interval] = []
    for interval in intervals:
        parts = [part for part in (run.carry(interval) for run in runs) if part is not None]
        found += parts[:1] if interval.start == interval.end else parts
    return tuple(sorted(found, key=lambda one: (one.start, one.end)))


def _move_events(series: Series, warp: tuple[Piece, ...], constraints: Constraints) -> Series:
    """Give events new times; those whose stretch goes nowhere are dropped, and room is left at the front."""
    assert series.time_T is not None
    there = np.flatnonzero(series.there)
    if not len(there):
        return series
    old = series.time_T[there]
    new, run = _new_times(old, warp, constraints.period)
    if constraints.period is None:
        runs = [_scaled(piece, span_of(old), float(old[0])) for piece in warp]
    else:
        margin = HALF * float(np.median(np.diff(old))) if len(old) > 1 else HALF
        runs = [_shifted(old[a:b], new[a:b], margin) for a, b in _stretches(run)]
    kept = np.flatnonzero(run >= 0)
    kept = kept[np.argsort(new[kept], kind="stable")]
    take_T = np.full(series.steps, -1, dtype=np.int64)
    take_T[series.steps - len(kept) :] = there[kept]
    origin_T = np.where(take_T < 0, np.nan, take_T.astype(float))
    time_T = np.full(series.steps, np.nan)
    time_T[series.steps - len(kept) :] = new[kept]
    points_T = series.points_T
    if points_T is not None:
        points_T = np.where(take_T < 0, points_T.dtype.type(0), points_T[take_T])
    in_order = bool(np.all(np.diff(take_T[take_T >= 0]) > 0))
    return replace(
        series,
        x_TC=_carry_values(series.x_TC, origin_T, constraints, in_order),
        time_T=time_T,
        points_T=points_T,
        intervals=_carry_intervals(series.intervals, runs),
    )


def _new_times(old: Floats, warp: tuple[Piece, ...], period: float | None) -> tuple[Floats, Ints]:
    """New times of the events and the numbers of their runs, -1 for those that go nowhere."""
    first, span = old[0], span_of(old)
    unit = (old - first) / span
    new, run = np.full(len(old), np.nan), np.full(len(old), -1, dtype=np.int64)
    for number, piece in enumerate(warp):
        last = piece.src_K[-1] >= 1.0
        inside = (unit >= piece.src_K[0]) & ((unit <= piece.src_K[-1]) if last else (unit < piece.src_K[-1]))
        new[inside] = first + span * np.interp(unit[inside], piece.src_K, piece.out_K)
        run[inside] = number
    if period is None:
        return new, run
    shift = shifted_by_periods(new - old, period)
    changes = (np.diff(np.nan_to_num(shift), prepend=0.0) != 0) | (np.diff(run, prepend=run[0]) != 0)
    return old + shift, np.where(run >= 0, np.cumsum(changes), -1)

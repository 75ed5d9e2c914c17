"""Carrying one pattern out on one series, with constraints kept. T steps, C channels."""

from dataclasses import dataclass, replace

import numpy as np

from pipelines.finance.augment.constraints import Constraints, to_increments, to_totals
from pipelines.finance.augment.draw import Changed, Draw, Pattern, spread_of
from pipelines.finance.augment.intake import unit_positions
from pipelines.finance.augment.moves import move
from pipelines.finance.augment.patterns import pattern_of
from pipelines.finance.augment.series import Floats, Series, span_of


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all applications on a set of series share."""

    constraints: Constraints
    spread_C: Floats  # of the fitted series
    peers: tuple[Series, ...]  # of the class of the series, totals as increments
    all_peers: tuple[Series, ...]  # of all classes
    anchored: bool
    injected_label: int | None


def apply_pattern(series: Series, name: str, magnitude: float, bench: Bench, rng: np.random.Generator) -> Series:
    """Return a new series; the constraints hold for it if they held for the old one."""
    pattern, totals_C = pattern_of(name), bench.constraints.mask("cumulative")
    draw = _draw(series, magnitude, bench, rng)
    if pattern.warp is not None:
        made = move(series, pattern.warp(series.steps, draw), bench.constraints)
        return _with_last_step(made, series) if bench.anchored else made
    before = replace(series, x_TC=to_increments(series.x_TC, totals_C))
    made = pattern.mix(before, draw) if pattern.mix is not None else _change(before, pattern, draw, bench)
    return replace(made, x_TC=_kept(series, made, bench.constraints))


def _draw(series: Series, magnitude: float, bench: Bench, rng: np.random.Generator) -> Draw:
    increments = to_increments(series.x_TC, bench.constraints.mask("cumulative"))
    period = bench.constraints.period
    return Draw(
        rng=rng,
        magnitude=magnitude,
        spread_C=spread_of(increments, bench.spread_C),
        at_T=unit_positions(series),
        peers=bench.peers,
        all_peers=bench.all_peers,
        period=None if period is None else period / _length(series),
        anchored=bench.anchored,
        events=series.time_T is not None,
    )


def _change(series: Series, pattern: Pattern, draw: Draw, bench: Bench) -> Series:
    assert pattern.change is not None
    changed: Changed = pattern.change(series.x_TC, draw)
    points_T = series.points_T
    if pattern.injects and points_T is not None and bench.injected_label is not None and changed.injected:
        points_T = points_T.copy()
        points_T[list(changed.injected)] = bench.injected_label
    return replace(series, x_TC=changed.x_TC, points_T=points_T)


def _kept(series: Series, made: Series, constraints: Constraints) -> Floats:
    """The new values, projected: channels that are not to be changed as they were, cuts, and totals added up."""
    held_C = constraints.mask("fixed", "calendar")
    x_TC = np.where(held_C, series.x_TC, made.x_TC)
    x_TC[~series.there] = np.nan
    return to_totals(constraints.project(x_TC), series.x_TC, constraints.mask("cumulative"))


def _with_last_step(made: Series, series: Series) -> Series:
    """Put the judged step back exactly: interpolation and slicing may have touched it by less than a step."""
    x_TC = made.x_TC.copy()
    x_TC[-1] = series.x_TC[-1]
    totals = made.time_T
    if totals is not None and series.time_T is not None:
        totals = totals.copy()
        totals[-1] = series.time_T[-1]
    return replace(made, x_TC=x_TC, time_T=totals)


def _length(series: Series) -> float:
    """Length of the unit axis in steps, or in units of the times."""
    if series.time_T is None:
        return float(series.steps)
    seen = series.time_T[series.there]
    return span_of(seen) if len(seen) else 1.0

"""Patterns that mix a series with fitted series of the same class. M series, T steps, C channels.

A continuous label becomes the weighted mean; a class stays. Labels of steps and intervals of the others join those of
the series (where it has none), on the steps that hold their values now.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.augment.draw import Draw
from pipelines.finance.augment.dtw import align, aligned_sum, barycentre, path
from pipelines.finance.augment.moves import Run
from pipelines.finance.augment.series import Floats, Interval, Series

NEAREST, ALIGNED, CANDIDATES = 3, 6, 24  # series averaged with the first; aligned with it; compared step by step
BAND = 0.25  # share of the length by which alignment may move a step


def mixup(series: Series, draw: Draw) -> Series:
    """Average with one peer, step by step from the end; the series keeps at least half the weight (Zhang 2018)."""
    peers = _drawn(series, draw, 1)
    if not peers:
        return series
    peer = peers[0]
    other = float(np.clip(0.5 * draw.magnitude * draw.rng.random(), 0.0, 0.5))
    mixed_TC = (1 - other) * series.x_TC + other * peer.x_TC
    return replace(
        series,
        x_TC=np.where(np.isnan(mixed_TC), series.x_TC, mixed_TC),
        points_T=_joined(series.points_T, [peer.points_T], [other]),
        intervals=_joined_intervals(series, [(peer, None)]),
        label=_mean_label([series.label, peer.label], [1 - other, other]),
    )


def barycentre_average(series: Series, draw: Draw) -> Series:
    """The weighted barycentre of the series and its nearest peers under alignment, the near ones weighing more."""
    peers = _drawn(series, draw, CANDIDATES)
    if not peers:
        return series
    scaled = [_scaled(one, series, draw) for one in (series, *peers)]
    gap_M = np.nansum((np.stack(scaled[1:]) - scaled[0]) ** 2, axis=(1, 2))
    closest = np.argsort(gap_M, kind="stable")[:ALIGNED]
    peers, scaled = [peers[n] for n in closest], [scaled[0], *(scaled[1 + n] for n in closest)]
    distance_M, _ = align(scaled[0], np.stack(scaled[1:]), BAND)
    near = np.argsort(distance_M, kind="stable")[:NEAREST]
    least = float(distance_M[near[0]]) or 1.0  # one that is equal: weights by spreads
    weight_M = np.append(1.0, np.exp(np.log(0.5) * distance_M[near] / least / draw.magnitude))
    centre_TC = barycentre(np.stack([scaled[0], *(scaled[1 + n] for n in near)]), weight_M, BAND)
    mixed = replace(
        series,
        x_TC=np.where(np.isnan(series.x_TC), np.nan, centre_TC * _unit(draw)),
        label=_mean_label([series.label, *(peers[int(number)].label for number in near)], weight_M),
    )
    near_peers = [peers[int(number)] for number in near]
    if series.points_T is None and not any(one.intervals for one in near_peers):
        return mixed
    _, total = align(centre_TC, np.stack([scaled[1 + n] for n in near]), BAND)
    paths = [path(total[number]) for number in range(len(near))]
    points = [_along(one.points_T, pairs) for one, pairs in zip(near_peers, paths, strict=True)]
    runs = [_run_of(pairs, one, series) for one, pairs in zip(near_peers, paths, strict=True)]
    return replace(
        mixed,
        points_T=_joined(series.points_T, points, weight_M[1:] / weight_M.sum()),
        intervals=_joined_intervals(series, list(zip(near_peers, runs, strict=True))),
    )


def splice(series: Series, draw: Draw) -> Series:
    """Before a random step of this series put the past of a peer (after CutMix, Yun et al. 2019)."""
    peers = _drawn(series, draw, 1)
    return _after(peers[0], series, _cut(series, draw)) if peers else series


def graft(series: Series, draw: Draw) -> Series:
    """Keep the judged step and what is nearest before it, and take the past from any series of any class."""
    peers = _drawn(series, replace(draw, peers=draw.all_peers), 1)
    return _after(peers[0], series, _cut(series, draw)) if peers else series


def _cut(series: Series, draw: Draw) -> int:
    """The first step that stays: the stronger the magnitude the later, and the last at the latest."""
    if series.steps < 2:
        return 0  # a single step has no past
    share = draw.rng.random() ** (1 / draw.magnitude)
    first = int(np.argmax(series.there))  # a later start would leave a hole before it
    return int(np.clip(np.ceil(share * (series.steps - 1)), max(first, 1), series.steps - 1))


def _after(peer: Series, series: Series, cut: int) -> Series:
    """The peer up to a step and the series from it on; times of the peer are shifted to keep its own gap there."""
    head = np.arange(series.steps) < cut
    time_T, shift = series.time_T, 0.0
    if time_T is not None and peer.time_T is not None and cut < series.steps:
        shift = float(np.nan_to_num(time_T[cut] - peer.time_T[cut]))
        time_T = np.where(head, peer.time_T + shift, time_T)
    points_T = series.points_T
    if points_T is not None and peer.points_T is not None:
        points_T = np.where(head, peer.points_T, points_T)
    middle = cut - 0.5 if time_T is None or cut >= series.steps else float(time_T[cut])
    before = [(one.start + shift, one.end + shift, one.label) for one in peer.intervals]
    parts = [Interval(start=a, end=min(b, middle), label=label) for a, b, label in before if a < middle]
    parts += [replace(one, start=max(one.start, middle)) for one in series.intervals if one.end >= middle]
    return replace(
        series,
        x_TC=np.where(head[:, None], peer.x_TC, series.x_TC),
        time_T=time_T,
        points_T=points_T,
        intervals=tuple(sorted(parts, key=lambda one: (one.start, one.end))),
    )


def _drawn(series: Series, draw: Draw, count: int) -> list[Series]:
    """Up to `count` random peers, the series itself not among them."""
    most = min(count + 1, len(draw.peers))
    chosen = [draw.peers[int(at)] for at in draw.rng.choice(len(draw.peers), most, replace=False)] if most else []
    others = [peer for peer in chosen if not np.array_equal(peer.x_TC, series.x_TC, equal_nan=True)]
    return others[:count]


def _unit(draw: Draw) -> Floats:
    return np.where(draw.spread_C > 0, draw.spread_C, 1.0)


def _scaled(one: Series, first: Series, draw: Draw) -> Floats:
    """Channels in units of the first series' spread, so that none rules the alignment."""
    return one.x_TC / _unit(draw)


def _joined(
    own_T: NDArray[Any] | None, others: Sequence[NDArray[Any] | None], weights: Sequence[float] | Floats
) -> NDArray[Any] | None:
    """Continuous labels averaged by weight; class labels of the others put where the series has none."""
    if own_T is None:
        return None
    new_T = own_T.copy()
    present = [(other, float(weight)) for other, weight in zip(others, weights, strict=True) if other is not None]
    if np.issubdtype(own_T.dtype, np.floating):
        share = sum(weight for _, weight in present)
        return np.asarray((1 - share) * own_T + sum(weight * other for other, weight in present))
    for other, _ in present:
        new_T = np.where(new_T == 0, other, new_T)
    return np.asarray(new_T)


def _along(points_T: NDArray[Any] | None, pairs: NDArray[np.int64]) -> NDArray[Any] | None:
    """A peer's labels of steps on the steps of the barycentre: continuous ones averaged, of classes the last named."""
    if points_T is None:
        return None
    steps = int(pairs[-1, 0]) + 1
    if np.issubdtype(points_T.dtype, np.floating):
        total, count = aligned_sum(pairs, points_T[:, None].astype(float), steps)
        return np.asarray((total / np.maximum(count, 1))[:, 0])
    new_T = np.zeros(steps, points_T.dtype)
    named = pairs[points_T[pairs[:, 1]] != 0]
    new_T[named[:, 0]] = points_T[named[:, 1]]
    return new_T


def _run_of(pairs: NDArray[np.int64], peer: Series, series: Series) -> Run:
    """The path as a map from the peer's positions to those of the series."""
    own = np.arange(series.steps, dtype=float) if series.time_T is None else series.time_T
    its = np.arange(peer.steps, dtype=float) if peer.time_T is None else peer.time_T
    src, out = its[pairs[:, 1]], own[pairs[:, 0]]
    seen = np.isfinite(src) & np.isfinite(out)
    rising = seen & np.append(True, np.diff(pairs[:, 1]) > 0)
    return Run(src_K=src[rising], out_K=out[rising])


def _joined_intervals(series: Series, others: Sequence[tuple[Series, Run | None]]) -> tuple[Interval, ...]:
    """The intervals of the series and those of its peers, brought along by a run where there is one."""
    found = list(series.intervals)
    for peer, run in others:
        moved = [one if run is None else run.carry(one) for one in peer.intervals if run is None or len(run.src_K)]
        found += [one for one in moved if one is not None]
    return tuple(sorted(found, key=lambda one: (one.start, one.end)))


def _mean_label(labels: Sequence[float | None], weights: Sequence[float] | Floats) -> float | None:
    """The weighted mean; of one class it is that class, and where a label is not known the first."""
    known = [float(label) for label in labels if label is not None]
    if len(known) < len(labels) or len(set(known)) == 1:
        return labels[0]
    return float(np.average(known, weights=weights))

"""What each feature added to the margin of a cascade: exact for trees, by masking for networks.

Trees: exact SHAP values times the weight of the trees' margin. A network cannot be solved so, and is asked with values
hidden: v(all) with everything shown, v(none) with nothing, v(all but f), v(f alone). Feature f added

    phi_f = 1/2 [(v(all) - v(all but f)) + (v(f alone) - v(none))],

the mean of what it adds when it comes last and when it comes first. That is the Shapley value (Shapley 1953) where
effects add up, and where at most two features act together; with interactions of three and more it is an
approximation. What the phi_f then leave of v(all) - v(none) is dealt out in proportion to their sizes, so that the sum
is exact. A hidden value is NaN in the table and 0 in the input `given`, where the network has one: it must have learned
with hidden values. v(none) is the same for every row, the base.

All is in log-odds before calibration, of the stage at which the row left: rows that left at the trees are explained
exactly. The calibration is strictly rising; its slope changes the scale of all contributions of a row, and no sign.

Shapes: B rows, F features, N rows of a slice, U different values.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.batch import Array
from core.runtime.cascade import GIVEN, TABLE, Combination, Left, PartRuns, Runner, Stage
from core.runtime.manifest import Manifest

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
EXACT, MASKED, UNEXPLAINED = "exact", "trees exact; network by masking", "none"
CELLS_A_SLICE = 2**20  # numbers in a table of hidden values, 8 MiB


@runtime_checkable
class Explaining(Protocol):
    """A runner that can say exactly what each feature contributed, in log-odds; the last column is the base."""

    def contributions(self, x_BF: Floats) -> Floats: ...


def attribution(manifest: Manifest) -> str:
    """Say how contributions are found: EXACT, MASKED, or UNEXPLAINED where no part is a forest."""
    forests = {name for name, part in manifest.parts.items() if part.kind == "lightgbm"}
    if not forests:
        return UNEXPLAINED
    if manifest.combination is None:
        return EXACT
    stages = manifest.combination.stages
    asked = {stages[j].part for stage in stages for j, weight in enumerate(stage.weights) if weight > 0}
    return EXACT if asked <= forests else MASKED


def cascade_contributions(combination: Combination, runners: Mapping[str, Runner], table: Array, left: Left) -> Floats:
    """Return (B, F + 1), whose rows sum to `left.combined_B`; the last column is the base."""
    x_BF = np.asarray(table, dtype=np.float64)
    found_BF = np.zeros((len(x_BF), x_BF.shape[1] + 1))
    for number in range(len(combination.stages)):
        here = np.flatnonzero(left.exit_B == number)
        if len(here):
            found_BF[here] = _at_stage(combination.stages[: number + 1], runners, x_BF[here])
    return found_BF


def masked_contributions(value: Callable[[Floats, Bools], Floats], x_BF: Floats) -> Floats:
    """Return (B, F + 1) for a function of tables (N, F), NaN where values are missing or hidden, and what is shown."""
    features = x_BF.shape[1]
    hidden_1F = np.zeros((1, features), dtype=np.bool_)
    base = float(value(np.full((1, features), np.nan), hidden_1F)[0])
    step = max(1, CELLS_A_SLICE // features**2)
    found = [_slice(value, x_BF[start : start + step], base) for start in range(0, len(x_BF), step)]
    return np.concatenate([*found, np.empty((0, features + 1))])


def _at_stage(stages: tuple[Stage, ...], runners: Mapping[str, Runner], x_BF: Floats) -> Floats:
    """Contributions (B, F + 1) to the weighted sum of the last of these stages."""
    total_BF = np.zeros((len(x_BF), x_BF.shape[1] + 1))
    total_BF[:, -1] = stages[-1].bias
    networks: dict[int, float] = {}
    for number, (stage, weight) in enumerate(zip(stages, stages[-1].weights, strict=True)):
        runner = runners[stage.part]
        if not isinstance(runner, Explaining):
            networks[number] = weight
        elif weight > 0:
            total_BF += weight * runner.contributions(x_BF)
    if any(networks.values()):
        total_BF += masked_contributions(
            lambda x_NF, given_NF: _margins(stages, runners, networks, x_NF, given_NF), x_BF
        )
    return total_BF


def _margins(
    stages: tuple[Stage, ...],
    runners: Mapping[str, Runner],
    weights: Mapping[int, float],
    x_NF: Floats,
    given_NF: Bools,
) -> Floats:
    """Weighted sum (N,) of the networks' margins; all are asked in order, since later ones may need earlier ones."""
    runs = PartRuns(stages, runners, {TABLE: x_NF, GIVEN: given_NF.astype(np.float32)})
    all_N = np.arange(len(x_NF))
    sums_JN = [weight * runs.margin(number, all_N) for number, weight in weights.items()]
    return np.asarray(np.sum(sums_JN, axis=0), dtype=np.float64)


def _slice(value: Callable[[Floats, Bools], Floats], x_NF: Floats, base: float) -> Floats:
    rows, features = x_NF.shape
    all_N = value(x_NF, np.ones(x_NF.shape, dtype=np.bool_))
    given = np.tile(~np.eye(features, dtype=np.bool_), (rows, 1))
    last_NF = value(np.where(given, np.repeat(x_NF, features, axis=0), np.nan), given).reshape(rows, features)
    phi_NF = 0.5 * ((all_N[:, None] - last_NF) + (_alone(value, x_NF) - base))
    size_NF = np.abs(phi_NF)
    whole_N1 = size_NF.sum(axis=1, keepdims=True)
    share_NF = np.where(whole_N1 > 0, size_NF / np.where(whole_N1 > 0, whole_N1, 1), 1 / features)
    phi_NF += (all_N - base - phi_NF.sum(axis=1))[:, None] * share_NF
    return np.concatenate([phi_NF, np.full((rows, 1), base)], axis=1)


def _alone(value: Callable[[Floats, Bools], Floats], x_NF: Floats) -> Floats:
    """Values (N, F) with one feature shown; what many rows share is asked once."""
    features = x_NF.shape[1]
    different = [np.unique(x_NF[:, f], return_inverse=True) for f in range(features)]
    feature_U = np.repeat(np.arange(features), [len(values) for values, _ in different])
    given_UF = feature_U[:, None] == np.arange(features)
    x_UF = np.where(given_UF, np.concatenate([values for values, _ in different])[:, None], np.nan)
    found_U = value(x_UF, given_UF)
    starts = np.searchsorted(feature_U, np.arange(features))
    return np.stack([found_U[starts[f] + place_N] for f, (_, place_N) in enumerate(different)], axis=1)

"""How well a policy does: a model on the training series with what the policy adds, and its forecasts of validation.

Legend: N series, T steps, C channels, F features, B validation rows, G classes.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from core.metrics.binary import average_precision
from pipelines.finance.augment.policy import PLAIN, DataRules, Policy, augmented_rows
from pipelines.finance.augment.series import Floats

MOST_ROUNDS, PATIENCE, FEWEST = 300, 30, 2
TREES: dict[str, Any] = {
    "learning_rate": 0.1,
    "num_leaves": 31,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
}
Featurise = Callable[[Floats], Floats]


class Judge(Protocol):
    """What a search asks: the labels (B,) of the validation rows, and forecasts of them under a policy."""

    @property
    def labels(self) -> NDArray[Any]: ...

    @property
    def fingerprint(self) -> str:
        """Tells data and rules from others, so that a search is not gone on with on other data."""
        ...

    def forecast(self, policy: Policy, seed: int) -> Floats:
        """Return (B,) or (B, G); same policy and seed, same forecasts."""
        ...


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Series (N, T, C) and the class number of each (N,)."""

    x_NTC: Floats
    y_N: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TreeJudge:
    """Judges by boosted trees on features of the series; their number of rounds is chosen on the validation rows.

    Raises InputError where a class has fewer than two series to learn from or none to be judged on.
    """

    fit: Labelled
    valid: Labelled
    features: Featurise
    rules: DataRules = PLAIN
    options: Mapping[str, Any] | None = None  # of LightGBM, over TREES
    threads: int = 1

    def __post_init__(self) -> None:
        classes = np.unique(np.concatenate([self.fit.y_N, self.valid.y_N]))
        if not np.array_equal(classes, np.arange(len(classes))) or len(classes) < 2:
            raise InputError(f"a policy is judged on at least two classes numbered from 0, got {classes.tolist()}")
        for kind, part, least in (("train", self.fit, FEWEST), ("validate", self.valid, 1)):
            count = np.bincount(part.y_N, minlength=len(classes))
            if count.min() < least:
                short = int(np.argmin(count))
                raise InputError(
                    f"class {short} has {count[short]} series to {kind} on, at least {least} are needed; give more"
                )

    @property
    def labels(self) -> NDArray[Any]:
        return self.valid.y_N

    @property
    def fingerprint(self) -> str:
        found = hashlib.sha256(repr((self.rules, dict(self.options or {}))).encode())
        for part in (self.fit, self.valid):
            found.update(np.ascontiguousarray(part.x_NTC).tobytes())
            found.update(part.y_N.tobytes())
        return found.hexdigest()

    def forecast(self, policy: Policy, seed: int) -> Floats:
        x_MTC, y_M = augmented_rows(self.fit.x_NTC, self.fit.y_N, policy, seed, rules=self.rules)
        table, y_N = self._fit_table, self.fit.y_N
        if len(x_MTC):
            table, y_N = np.concatenate([table, self.features(x_MTC)]), np.concatenate([y_N, y_M])
        return fit_trees(table, y_N, self._valid_table, self.valid.y_N, seed, self.options, self.threads)[0]

    @property
    def _fit_table(self) -> Floats:
        return _remembered(self, "fit_features", self.fit.x_NTC)

    @property
    def _valid_table(self) -> Floats:
        return _remembered(self, "valid_features", self.valid.x_NTC)


def fit_trees(
    x_NF: Floats,
    y_N: NDArray[Any],
    valid_BF: Floats,
    valid_B: NDArray[Any],
    seed: int,
    options: Mapping[str, Any] | None = None,
    threads: int = 1,
) -> tuple[Floats, Any]:
    """Forecasts (B,), or (B, G) of more than two classes, and the booster; rounds stop on average precision."""
    import lightgbm  # noqa: PLC0415  (a second of import that the augmentor alone does not need)

    classes = int(max(y_N.max(), valid_B.max())) + 1
    binary = classes == 2
    asked = {
        "objective": "binary" if binary else "multiclass",
        "metric": "average_precision" if binary else "multi_logloss",
        "num_class": 1 if binary else classes,
        "min_data_in_leaf": int(np.clip(len(y_N) // 100, 2, 20)),
        "verbosity": -1,
        "num_threads": threads,
        "deterministic": True,
        "seed": seed,
    }
    rows = lightgbm.Dataset(x_NF, y_N)
    valid = lightgbm.Dataset(valid_BF, valid_B, reference=rows)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    booster = lightgbm.train({**TREES, **asked, **(options or {})}, rows, MOST_ROUNDS, [valid], callbacks=[stop])
    return np.asarray(booster.predict(valid_BF), dtype=np.float64), booster


def summary_features(x_NTC: Floats) -> Floats:
    """Features (N, 12 C) of any series: level, spread, ends, range, slope, roughness, rhythm, missing share.

    Missing values are left out; a feature that nothing is left for is NaN.
    """
    columns = [_channel_features(x_NTC[:, :, channel]) for channel in range(x_NTC.shape[2])]
    return np.concatenate(columns, axis=1)


def timed_features(x_NTC: Floats) -> Floats:
    """`summary_features` of events whose first channel is their times: the gaps between them take its place."""
    gaps_NT = np.diff(x_NTC[:, :, 0], axis=1, prepend=np.nan)
    return summary_features(np.concatenate([gaps_NT[:, :, None], x_NTC[:, :, 1:]], axis=2))


def metric_of(y_B: NDArray[Any], p_B: Floats) -> float:
    """Average precision of class 1, or the mean over classes, each against the rest."""
    if p_B.ndim == 1:
        return average_precision(y_B, p_B)
    return float(np.mean([average_precision((y_B == g).astype(float), p_B[:, g]) for g in range(p_B.shape[1])]))


def _channel_features(x_NT: Floats) -> Floats:
    seen = np.isfinite(x_NT)
    count = seen.sum(axis=1)
    steps = x_NT.shape[1]
    filled = np.where(seen, x_NT, 0.0)
    mean = np.where(count > 0, filled.sum(axis=1) / np.maximum(count, 1), np.nan)
    gap = np.where(seen, x_NT - mean[:, None], 0.0)
    spread = np.where(count > 0, np.sqrt((gap**2).sum(axis=1) / np.maximum(count, 1)), np.nan)
    at = np.arange(steps) - (steps - 1) / 2
    slope = (gap * at).sum(axis=1) / max(float((at**2).sum()), 1.0)
    low = np.where(count > 0, np.where(seen, x_NT, np.inf).min(axis=1), np.nan)
    high = np.where(count > 0, np.where(seen, x_NT, -np.inf).max(axis=1), np.nan)
    step = np.diff(np.where(seen, x_NT, np.nan), axis=1)
    rough = np.nan_to_num(np.abs(step)).sum(axis=1) / np.maximum(np.isfinite(step).sum(axis=1), 1)
    lagged = [(gap[:, lag:] * gap[:, :-lag]).sum(axis=1) for lag in (1, 2) if lag < steps]
    power = np.maximum((gap**2).sum(axis=1), np.finfo(float).tiny)
    rhythm = np.abs(np.fft.rfft(gap, axis=1))
    main = rhythm[:, 1:].argmax(axis=1) + 1.0 if steps > 1 else np.zeros(len(x_NT))
    late = np.where(seen[:, steps // 2 :], x_NT[:, steps // 2 :], 0.0).sum(axis=1)
    half = late / np.maximum(seen[:, steps // 2 :].sum(axis=1), 1) - mean
    found = [mean, spread, low, high, x_NT[:, -1], slope, rough, main, half, 1 - count / steps]
    found += [one / power for one in lagged]
    return np.stack(found, axis=1)


def _remembered(judge: TreeJudge, name: str, x_NTC: Floats) -> Floats:
    """Features of rows that stay the same, made once a judge."""
    if name not in judge.__dict__:
        object.__setattr__(judge, name, judge.features(x_NTC))
    return np.asarray(judge.__dict__[name])

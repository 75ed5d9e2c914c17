"""What a search found: every trial with its numbers, the policy that was chosen, and why. S seeds, B rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.metrics.binary import Ranking, average_precision_of, count, rank
from pipelines.finance.augment.judge import metric_of
from pipelines.finance.augment.policy import NOOP, Policy
from pipelines.finance.augment.series import Floats

DRAWS = 200
NORMAL_95 = 1.96


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One policy on some seeds, beside no augmentation on the same seeds and rows."""

    number: int
    policy: Policy
    seeds: tuple[int, ...]
    metrics: tuple[float, ...]  # validation average precision, one a seed
    gain: float  # mean over seeds, less that without augmentation
    error: float  # standard error of the gain: over rows (paired bootstrap) and over seeds
    confirmed: bool = False  # on seeds that took no part in choosing it

    @property
    def low(self) -> float:
        return self.gain - NORMAL_95 * self.error

    @property
    def high(self) -> float:
        return self.gain + NORMAL_95 * self.error

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "name": self.policy.name,
            "policy": self.policy.to_json(),
            "seeds": list(self.seeds),
            "metrics": list(self.metrics),
            "gain": {"value": self.gain, "low": self.low, "high": self.high, "error": self.error},
            "confirmed": self.confirmed,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Trial":
        return cls(
            number=found["number"],
            policy=Policy.from_json(found["policy"]),
            seeds=tuple(found["seeds"]),
            metrics=tuple(found["metrics"]),
            gain=found["gain"]["value"],
            error=found["gain"]["error"],
            confirmed=found["confirmed"],
        )


@dataclass(frozen=True, kw_only=True)
class Found:
    """The policy to use, and the evidence."""

    policy: Policy
    words: str  # why this one
    trials: tuple[Trial, ...]
    confirmations: tuple[Trial, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "policy": self.policy.to_json(),
            "name": self.policy.name,
            "words": self.words,
            "metric": "average_precision",
            "trials": [trial.to_json() for trial in self.trials],
            "confirmations": [trial.to_json() for trial in self.confirmations],
        }


def compare(number: int, policy: Policy, seeds: Sequence[int], own: Floats, plain: Floats, y_B: NDArray[Any]) -> Trial:
    """A trial out of forecasts (S, B) or (S, B, G) under a policy and without augmentation.

    The variance of the gain is that over bootstrap draws of rows, the same for both, of the mean over seeds, plus that
    of seeds over their number.
    """
    metrics = [metric_of(y_B, p_B) for p_B in own]
    gaps = np.array(metrics) - [metric_of(y_B, p_B) for p_B in plain]
    if policy == NOOP:
        return Trial(number=number, policy=policy, seeds=tuple(seeds), metrics=tuple(metrics), gain=0.0, error=0.0)
    drawn = _drawn_gains(own, plain, y_B, np.random.default_rng([len(y_B), number]))
    over_seeds = float(gaps.var(ddof=1)) / len(gaps) if len(gaps) > 1 else 0.0
    return Trial(
        number=number,
        policy=policy,
        seeds=tuple(seeds),
        metrics=tuple(metrics),
        gain=float(gaps.mean()),
        error=float(np.sqrt(np.var(drawn, ddof=1) + over_seeds)),
    )


def choose(trials: Sequence[Trial], confirmations: Sequence[Trial]) -> Found:
    """The confirmed policy of the largest gain, where that passes its standard error; else no augmentation."""
    passed = [trial for trial in confirmations if trial.gain > trial.error]
    given = {"trials": tuple(trials), "confirmations": tuple(confirmations)}
    if not passed:
        tried = len(trials) - 1
        words = f"none of {tried} policies gained more than its standard error on fresh seeds: no augmentation"
        return Found(policy=NOOP, words=words, **given)
    best = max(passed, key=lambda trial: trial.gain)
    words = f"{best.policy.name}: {best.gain:+.4f} [{best.low:+.4f}, {best.high:+.4f}] on fresh seeds"
    return Found(policy=best.policy, words=words, **given)


def _drawn_gains(own: Floats, plain: Floats, y_B: NDArray[Any], rng: np.random.Generator) -> list[float]:
    """The mean gain over seeds on rows drawn class by class, so that each class stays.

    Every forecast is sorted once: a draw is a vector of weights.
    """
    rankings = [(_rankings(a, y_B), _rankings(b, y_B)) for a, b in zip(own, plain, strict=True)]
    groups = [np.flatnonzero(y_B == g) for g in np.unique(y_B)]
    gains = []
    for _ in range(DRAWS):
        w_B = np.zeros(len(y_B))
        for rows in groups:
            w_B[rows] = np.bincount(rng.integers(0, len(rows), len(rows)), minlength=len(rows))
        gains.append(float(np.mean([_weighted(a, w_B) - _weighted(b, w_B) for a, b in rankings])))
    return gains


def _rankings(p_B: Floats, y_B: NDArray[Any]) -> list[Ranking]:
    """One ranking a class, each against the rest; of two classes that of class 1."""
    if p_B.ndim == 1:
        return [rank(y_B, p_B)]
    return [rank((y_B == g).astype(float), p_B[:, g]) for g in range(p_B.shape[1])]


def _weighted(rankings: list[Ranking], w_B: Floats) -> float:
    return float(np.mean([average_precision_of(count(one, w_B[one.order_B])) for one in rankings]))

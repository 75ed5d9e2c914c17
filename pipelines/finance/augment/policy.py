"""A policy: which series get copies, how many, and by which patterns. N series, T steps, C channels."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from pipelines.finance.augment.augmentor import TimeSeriesAugmentor
from pipelines.finance.augment.patterns import pattern_of
from pipelines.finance.augment.series import Floats

Ints = NDArray[np.int64]
MOST_PASTS = 1_500  # series of the largest class whose pasts are taken
MOST_COMPARED = 4_000  # series of the largest class among which those near the border are sought


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is done to a training set. Without patterns nothing is: the policy `NOOP`."""

    patterns: tuple[str, ...] = ()
    magnitude_low: float = 0.8
    magnitude_high: float = 1.5
    per_series: int = 1  # patterns that each new series goes through
    probability: float = 1.0  # that a new series goes through them; the others are repeats
    copies: int = 1  # new series for every series of a smaller class
    border: float = 0.0  # new series of the largest class near the others, as a share of the copies above

    def __post_init__(self) -> None:
        for name in self.patterns:
            pattern_of(name)
        if not 0 < self.magnitude_low <= self.magnitude_high < np.inf:
            raise InputError(f"magnitudes must be 0 < low <= high, got {self.magnitude_low}..{self.magnitude_high}")
        if not 0 < self.probability <= 1:
            raise InputError(f"the probability of a pattern must lie in (0, 1], got {self.probability}")
        if self.copies < 1 or self.per_series < 1 or self.border < 0:
            raise InputError(
                f"copies and per_series must be at least 1 and border at least 0, got "
                f"{self.copies}, {self.per_series}, {self.border}"
            )

    @property
    def name(self) -> str:
        """A short name for tables.

        >>> Policy(patterns=("jitter", "mixup"), copies=4).name
        'jitter+mixup 0.8-1.5 x4'
        """
        if not self.patterns:
            return "noop"
        extra = f" {self.per_series} each" if self.per_series > 1 else ""
        extra += f" p {self.probability:g}" if self.probability < 1 else ""
        extra += f" border {self.border:g}" if self.border else ""
        magnitudes = f"{self.magnitude_low:.2g}-{self.magnitude_high:.2g}"
        return f"{'+'.join(self.patterns)} {magnitudes} x{self.copies}{extra}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"patterns": list(self.patterns)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Policy":
        """Read what `to_json` wrote. Raises InputError for anything else."""
        strange = sorted(set(found) - set(cls.__dataclass_fields__))
        if strange or not isinstance(found.get("patterns"), (list, tuple)):
            known = ", ".join(cls.__dataclass_fields__)
            raise InputError(f"a policy has patterns (a list) and may have {known}; got {sorted(found)}")
        try:
            return cls(**{**found, "patterns": tuple(found["patterns"])})
        except TypeError as error:
            raise InputError(f"a policy holds numbers beside its patterns: {error}") from error


NOOP = Policy()


@dataclass(frozen=True, kw_only=True)
class DataRules:
    """What must stay true of the data whatever the policy; the fields are those of TimeSeriesAugmentor."""

    constraints: Mapping[Any, Any] = field(default_factory=dict)
    time_channel: int | None = None  # a channel that holds the times of events, taken out and put back
    anchored: bool = False


PLAIN = DataRules()


def augmentor_of(policy: Policy, seed: int, rules: DataRules = PLAIN) -> TimeSeriesAugmentor:
    """The augmentor that carries the policy out; its patterns must not be empty."""
    return TimeSeriesAugmentor(
        policy.patterns,
        (policy.magnitude_low, policy.magnitude_high),
        per_series=policy.per_series,
        probability=policy.probability,
        constraints=rules.constraints,
        anchored=rules.anchored,
        random_state=seed,
    )


def augmented_rows(
    x_NTC: Floats, y_N: NDArray[Any], policy: Policy, seed: int, copies: int | None = None, rules: DataRules = PLAIN
) -> tuple[Floats, NDArray[Any]]:
    """The rows that a policy adds to a training set: x (M, T, C) and y (M,), M = 0 for `NOOP`.

    Every class but the largest gets `copies` (default: the policy's) new series for each of its own; where all are
    equally large each does. With a time channel its place holds the new times, and constraints count channels
    without it. Raises InputError as the augmentor does.

    >>> x, y = np.random.default_rng(0).normal(size=(10, 8, 1)), np.array([1, 1, *[0] * 8])
    >>> added = augmented_rows(x, y, Policy(patterns=("jitter",)), seed=0, copies=3)
    >>> added[0].shape, added[1].tolist()
    ((6, 8, 1), [1, 1, 1, 1, 1, 1])
    """
    many = policy.copies if copies is None else copies
    if not policy.patterns or many < 1 or not len(x_NTC):
        return x_NTC[:0], y_N[:0]
    chosen = _smaller_classes(y_N)
    parts = [_made(x_NTC, y_N, chosen, policy, seed, many, rules)]
    if policy.border and len(chosen) < len(y_N):
        near = _near_border(x_NTC, chosen, round(policy.border * many * len(chosen)), seed)
        parts.append(_made(x_NTC, y_N, near, policy, seed + 1, 1, rules))
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _made(
    x_NTC: Floats, y_N: NDArray[Any], rows: Ints, policy: Policy, seed: int, copies: int, rules: DataRules
) -> tuple[Floats, NDArray[Any]]:
    x_MTC, at = x_NTC[rows], rules.time_channel
    times = None if at is None else x_MTC[:, :, at]
    values = x_MTC if at is None else np.delete(x_MTC, at, axis=2)
    augmentor = _fitted(x_NTC, y_N, rows, policy, seed, rules)
    made = augmentor.augment(values, y_N[rows], times=times, copies=copies)
    assert made.y is not None
    x = made.x
    if at is not None and made.times is not None:
        x = np.insert(x, at, made.times, axis=2)
    return x, made.y.astype(y_N.dtype)


def _fitted(
    x_NTC: Floats, y_N: NDArray[Any], rows: Ints, policy: Policy, seed: int, rules: DataRules
) -> TimeSeriesAugmentor:
    """Fitted on the rows that get copies, and where a pattern takes pasts from every class on some of the others."""
    if any(pattern_of(name).anchored for name in policy.patterns):
        rng, others = np.random.default_rng([seed, 2]), np.setdiff1d(np.arange(len(y_N)), rows)
        rows = np.concatenate([rng.choice(others, min(MOST_PASTS, len(others)), replace=False), rows])
    at = rules.time_channel
    values = x_NTC[rows] if at is None else np.delete(x_NTC[rows], at, axis=2)
    times = None if at is None else x_NTC[rows][:, :, at]
    return augmentor_of(policy, seed, rules).fit(values, y_N[rows], times=times)


def _smaller_classes(y_N: NDArray[Any]) -> Ints:
    """Rows of every class but the largest, or all rows where no class is larger than another."""
    classes, code_N, count = np.unique(y_N, return_inverse=True, return_counts=True)
    if len(classes) < 2 or (count == count[0]).all():
        return np.arange(len(y_N))
    return np.flatnonzero(code_N != int(np.argmax(count)))


def _near_border(x_NTC: Floats, chosen: Ints, count: int, seed: int) -> Ints:
    """Rows of the largest class nearest to a row of `chosen`, step by step in units of each channel's spread."""
    rng = np.random.default_rng([seed, 1])
    others = np.setdiff1d(np.arange(len(x_NTC)), chosen)
    others = rng.choice(others, min(MOST_COMPARED, len(others)), replace=False)
    marks = rng.choice(chosen, min(MOST_COMPARED // 10, len(chosen)), replace=False)
    spread_C = np.nanstd(x_NTC[np.concatenate([others, marks])], axis=(0, 1))
    spread_C = np.where(spread_C > 0, spread_C, 1.0)
    flat = [np.nan_to_num(x_NTC[rows] / spread_C).reshape(len(rows), -1) for rows in (others, marks)]
    squares = (flat[0] ** 2).sum(1)[:, None] - 2 * flat[0] @ flat[1].T + (flat[1] ** 2).sum(1)[None, :]
    return others[np.argsort(squares.min(axis=1), kind="stable")[:count]]

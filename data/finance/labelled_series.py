"""Made-up short series of account activity with a label: for what is tried on series of few, irregular, gappy steps.

S series, L steps of the longest. Every value column has a rule that a changed copy must keep: amounts are never
negative, their total never falls, times are in order and follow the clock.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from data.splits import split_by_time

FIRST_HOUR = np.datetime64("2024-01-01T00:00:00")
SPAN_S = 364 * 86_400  # series begin within a year
SHARES = (0.6, 0.2, 0.2)  # by time of the first step: train, val, test
# label: its share, and what it is
LABELS = {
    "normal": (0.6, "the account's own rhythm by hour of the day, nothing else"),
    "burst": (0.1, "for a tenth to a quarter of the steps: many of them within hours, amounts doubled"),
    "level_shift": (0.1, "from one step on, utilization stands higher or lower than before"),
    "slow_drift": (0.1, "from one step on, amounts grow little by little, up to three times"),
    "broken_rhythm": (0.1, "from one step on, the hours of the day are another person's"),
}
SHORTEST, LONGEST = 24, 64
_GONE = 0.06  # share of values that are missing, apart from whole gaps
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The abnormal steps of each series: from..until of (S,), and the mask (S, L)."""

    mask: Bools
    progress: Floats  # (S, L) 0 before, rising to 1 at the last step of the part


def make_labelled_series(count: int, seed: int) -> pd.DataFrame:
    """`count` series in order of their beginning, one row a step.

    Columns: `series_id`, `step` (from 0), `time` (ISO, local, irregular), `amount_cny` (0 or more), `total_cny`
    (running sum of all amounts, missing ones too), `utilization` (share), `abnormal` (label of the step, 0 or 1),
    `label` (of the series), `split`. Values of the first and the last step are never missing. Raises InputError for
    fewer than 20.
    """
    if count < 20:
        raise InputError(f"labelled series must be at least 20, got {count}; with fewer a label may have none")
    rng = np.random.default_rng([seed, 1])
    names = list(LABELS)
    label = rng.choice(len(names), count, p=[share for share, _ in LABELS.values()])
    label[: 2 * len(names)] = np.tile(np.arange(len(names)), 2)  # none is empty
    label = rng.permutation(label)
    length = rng.integers(SHORTEST, LONGEST + 1, count)
    part = _part(rng, label == names.index("burst"), label > 0, length)
    begin = np.sort(rng.integers(0, SPAN_S, count))
    second = begin[:, None] + _times(rng, label, part, begin)
    amount = _amounts(rng, label, part)
    use = _utilization(rng, label, part)
    kept = np.arange(LONGEST) < length[:, None]
    which = np.array(("train", "val", "test"))[split_by_time(begin, SHARES)]
    series, step = np.nonzero(kept)
    frame = pd.DataFrame(
        {
            "series_id": "S" + pd.Series(series + 1).astype("str").str.zfill(6),
            "step": step,
            "time": pd.Series(np.datetime_as_string(FIRST_HOUR + second[kept].astype("timedelta64[s]")), dtype="str"),
            "amount_cny": amount[kept],
            "total_cny": np.round(np.cumsum(amount, axis=1), 2)[kept],
            "utilization": use[kept],
            "abnormal": part.mask[kept].astype(np.int64),
            "label": pd.Series(np.array(names)[label][series], dtype="str"),
            "split": pd.Series(which[series], dtype="str"),
        }
    )
    ends = (step == 0) | (step == length[series] - 1)
    for column in ("amount_cny", "total_cny", "utilization"):
        frame[column] = frame[column].mask(_missing(rng, length)[kept] & ~ends)
    return frame


def _part(rng: np.random.Generator, burst: Bools, any_part: Bools, length: Ints) -> _Part:
    start = (length * rng.uniform(0.25, 0.6, len(length))).astype(np.int64)
    size = np.where(burst, np.maximum(3, length * rng.uniform(0.1, 0.25, len(length))).astype(np.int64), length - start)
    step = np.arange(LONGEST)
    mask = (step >= start[:, None]) & (step < (start + size)[:, None]) & any_part[:, None]
    progress = np.where(mask, (step - start[:, None] + 1) / size[:, None], 0.0)
    return _Part(mask=mask, progress=progress)


def _times(rng: np.random.Generator, label: Ints, part: _Part, begin: Ints) -> Ints:
    """Seconds (S, L) since the series began, rising by at least one: one or a few steps a day about the usual hour."""
    count = len(label)
    usual = rng.choice([9.0, 13.0, 19.0], count)[:, None] + rng.normal(size=(count, 1))
    strange = part.mask & (label == list(LABELS).index("broken_rhythm"))[:, None]
    hour = np.where(strange, usual + rng.uniform(7, 14, (count, 1)), usual) + 1.8 * rng.normal(size=(count, LONGEST))
    gap = rng.geometric(rng.uniform(0.35, 0.8, (count, 1)), (count, LONGEST)) - 1  # whole days
    quick = part.mask & (label == list(LABELS).index("burst"))[:, None]
    day = np.cumsum(np.where(quick, 0, gap), axis=1)
    clock = begin[:, None] % 86_400
    regular = day * 86_400 + (hour % 24 * 3600).astype(np.int64) - clock
    step = np.where(quick, rng.exponential(1500, (count, LONGEST)), 0).astype(np.int64) + 1
    # a time that would lie before the last one follows it at once; in a burst steps only follow each other
    second = np.zeros((count, LONGEST), dtype=np.int64)
    for at in range(1, LONGEST):
        after = second[:, at - 1] + step[:, at]
        late = after + rng.integers(60, 3600, count)
        second[:, at] = np.where(quick[:, at], after, np.where(regular[:, at] > after, regular[:, at], late))
    return second


def _amounts(rng: np.random.Generator, label: Ints, part: _Part) -> Floats:
    """CNY (S, L)."""
    names = list(LABELS)
    level = 4.6 + 0.8 * rng.normal(size=(len(label), 1))
    level = level + 0.7 * part.mask * (label == names.index("burst"))[:, None]
    level = level + np.log(3.0) * part.progress * (label == names.index("slow_drift"))[:, None]
    amount = np.exp(level + 0.55 * rng.normal(size=part.mask.shape))
    return np.asarray(np.round(np.where(rng.random(part.mask.shape) < 0.03, 0.0, amount), 2))


def _utilization(rng: np.random.Generator, label: Ints, part: _Part) -> Floats:
    """Share (S, L) in 0..1: each account about its own level, with a memory of some steps."""
    shape = part.mask.shape
    shock = 0.25 * rng.normal(size=shape)
    wave = np.zeros(shape)
    for at in range(1, LONGEST):
        wave[:, at] = 0.7 * wave[:, at - 1] + shock[:, at]
    jump = rng.choice([-1.2, 1.2], (shape[0], 1)) * part.mask * (label == list(LABELS).index("level_shift"))[:, None]
    return np.asarray(np.round(1 / (1 + np.exp(0.5 - 0.7 * rng.normal(size=(shape[0], 1)) - wave - jump)), 4))


def _missing(rng: np.random.Generator, length: Ints) -> Bools:
    """Single values, and in a tenth of the series a gap of three to eight steps (S, L)."""
    step = np.arange(LONGEST)
    start = (rng.random(len(length)) * length).astype(np.int64)[:, None]
    gap = (step >= start) & (step < start + rng.integers(3, 9, (len(length), 1))) & (rng.random((len(length), 1)) < 0.1)
    return np.asarray(gap | (rng.random((len(length), LONGEST)) < _GONE))

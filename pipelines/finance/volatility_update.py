"""Learning on: a volatility model takes up new days, and is kept only if it still forecasts the old ones.

The days must be newer than those the model learned from. What it must not forget are periods of the same table, as a
rule its own training days: where their mean loss (log h + target / h) grows by more than the limit, GateError.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from core.errors import InputError
from core.runtime.bundle import Bundle
from core.train.continual import ElasticOptions, check_forgetting, learn_on, remembered
from core.train.loop import Progress
from core.train.options import TrainOptions
from pipelines.finance.rows import fingerprint
from pipelines.finance.volatility import KIND, write_volatility
from pipelines.finance.volatility_days import WINDOW, Days, Ints, SeriesColumns, days_where, read_days
from pipelines.finance.volatility_memory import FILE, Knowledge, sensitivity, unpack
from pipelines.finance.volatility_net import DayLoss, forecast, likelihood_loss

LIMIT = 0.01  # by which the mean loss on old days may grow


@dataclass(frozen=True, kw_only=True)
class LearnOptions:
    """How an update learns; chosen by monthly updates through the validation years of the S&P 500."""

    elastic: ElasticOptions = field(default_factory=ElasticOptions)
    steps: int = 10
    lr: float = 1e-4
    batch: int = 256  # days
    replay: int = 10  # old days that are learned again beside each new one, drawn from all before
    seed: int = 0

    def __post_init__(self) -> None:
        if self.replay < 0:
            raise InputError(f"replay must be at least 0 (old days a new one), got {self.replay}", code="BAD_OPTION")


@dataclass(frozen=True, kw_only=True)
class UpdateRequest:
    """What an update is asked for."""

    base: str  # NAME@VERSION, for the record
    where: Mapping[str, str] = field(default_factory=dict)  # rows to learn from; of them, the days that are newer
    references: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # old periods by name: first and last day
    forget_limit: float = LIMIT
    name: str = KIND
    resume: Path | None = None
    learn: LearnOptions = field(default_factory=LearnOptions)


def learn(
    knowledge: Knowledge,
    days: Days,
    new_D: Ints,
    options: LearnOptions,
    folder: Path | None = None,
    progress: Progress | None = None,
    origin: str = "",
) -> Knowledge:
    """Return a network that learned from new days; the one given stays as it is."""
    net = copy.deepcopy(knowledge.net)
    loss, day_D = DayLoss(days, options.batch, options.seed), with_old(new_D, options)
    learn_on(
        net,
        knowledge.fisher,
        lambda epoch: loss.batches(day_D, epoch),
        loss,
        TrainOptions(steps=options.steps, lr=options.lr, weight_decay=0.0, warmup=0.1, seed=options.seed),
        options.elastic,
        folder,
        progress,
        origin=origin,
    )
    fisher = remembered(knowledge.fisher, sensitivity(net, days, new_D), options.elastic.decay)
    return Knowledge(net=net, options=knowledge.options, fisher=fisher)


def update_volatility(
    base: Bundle, frame: pd.DataFrame, request: UpdateRequest, folder: Path, progress: Progress
) -> Bundle:
    """Let a model learn from the days of a table that are newer than what it knows, and write the new bundle.

    InputError: there are none, or the base holds no weights. GateError: it forgot; nothing is written. The metrics of
    the new bundle are those of the new days, each forecast by the base, which had not learned from it.
    """
    columns = SeriesColumns.from_json(base.manifest.spec["series"])
    until = str(base.manifest.about["learned"]["until"])
    knowledge, days = _knowledge(base), read_days(frame, columns)
    new_D = _new_days(days, frame, request.where, until, request.base)
    old = _old_days(days, request.references, until)
    origin = f"{fingerprint(frame, None)} from {base.manifest_sha256}"
    learned = learn(knowledge, days, new_D, request.learn, request.resume, _part(progress), origin)
    before, after = (_losses(known, days, old) for known in (knowledge, learned))
    check_forgetting(before, after, request.forget_limit)
    progress(0.9, "writing the bundle")
    new = {"before": loss_on(knowledge, days, new_D), "after": loss_on(learned, days, new_D)}
    periods = {name: {"days": len(old[name]), "before": before[name], "after": after[name]} for name in old}
    return write_volatility(
        learned,
        days,
        new_D,
        forecast(knowledge.net, days, new_D),
        columns,
        folder,
        name=request.name,
        about={**base.manifest.about, **_record(request, days, new_D, new, periods)},
        seed=request.learn.seed,
    )


def with_old(new_D: Ints, options: LearnOptions) -> Ints:
    """Return the new days and, for each, `replay` of the days before them all, or as many as there are."""
    old_D = np.arange(WINDOW, new_D.min())
    rng = np.random.default_rng((options.seed, len(old_D)))
    again_D = rng.choice(old_D, min(options.replay * len(new_D), len(old_D)), replace=False)
    return np.asarray(np.concatenate([new_D, again_D]), dtype=np.int64)


def loss_on(knowledge: Knowledge, days: Days, day_D: Ints) -> float:
    """Return the mean log h + target / h of some days."""
    return likelihood_loss(forecast(knowledge.net, days, day_D), days.target_N[day_D])


def period_days(days: Days, first: str, last: str) -> Ints:
    """Return the days from `first` to `last`, both written as 2007-09-30, 2007-09 or 2007 and both within."""
    try:
        start, end = np.datetime64(first, "D"), _end(last)
    except (ValueError, KeyError) as error:
        raise InputError(f"a period is FIRST:LAST such as 2007-09:2009-06, got {first}:{last}") from error
    day_N = days.time_N.astype("datetime64[D]")
    found_D = np.flatnonzero((day_N >= start) & (day_N < end))
    return np.asarray(found_D[found_D >= WINDOW], dtype=np.int64)


def _end(last: str) -> np.datetime64:
    """Return the day after a year, month or day."""
    units: dict[int, Literal["Y", "M", "D"]] = {4: "Y", 7: "M", 10: "D"}
    unit = units[len(last)]
    last_day: np.datetime64 = (np.datetime64(last, unit) + np.timedelta64(1, unit)).astype("datetime64[D]")
    return last_day


def _record(
    request: UpdateRequest, days: Days, new_D: Ints, new: Mapping[str, float], periods: Mapping[str, Any]
) -> dict[str, Any]:
    """Say what the update did, for the bundle."""
    first, last = (str(days.time_N[at])[:10] for at in (new_D[0], new_D[-1]))
    how = vars(request.learn.elastic) | {
        "steps": request.learn.steps,
        "lr": request.learn.lr,
        "replay": request.learn.replay,
    }
    return {
        "days": {"training": len(new_D), "validation": len(new_D)},
        "learned": {"steps": request.learn.steps, "until": last},
        "learned_on": {
            "base": request.base,
            "new": {"days": len(new_D), "first": first, "last": last, **new},
            "old": dict(periods),
            "limit": request.forget_limit,
            "elastic": how,
        },
        "seed": request.learn.seed,
    }


def _knowledge(base: Bundle) -> Knowledge:
    if FILE not in base.manifest.files:
        words = f"bundle {base.folder} holds no {FILE}, so it cannot learn on; train it anew"
        raise InputError(words, code="NO_WEIGHTS")
    return unpack((base.folder / FILE).read_bytes())


def _new_days(days: Days, frame: pd.DataFrame, where: Mapping[str, str], until: str, base: str) -> Ints:
    chosen_D = days_where(days, frame, where)
    new_D = chosen_D[days.time_N[chosen_D].astype("datetime64[D]") > np.datetime64(until, "D")]
    if not len(new_D):
        last = str(days.time_N[chosen_D[-1]])[:10]
        raise InputError(f"{base} has learned until {until}, and the newest day chosen is {last}; give newer days")
    return np.asarray(new_D, dtype=np.int64)


def _old_days(days: Days, references: Mapping[str, tuple[str, str]], until: str) -> dict[str, Ints]:
    start = str(days.time_N[0])[:10] if len(days.time_N) else until
    periods = references or {f"the days until {until}": (start, until)}
    found = {name: period_days(days, *period) for name, period in periods.items()}
    for name, day_D in found.items():
        if not len(day_D):
            words = f"the table holds no day of {name} with {WINDOW} trading days before it"
            raise InputError(f"{words}; keep the history in the file, or name other periods with --reference")
    return found


def _losses(knowledge: Knowledge, days: Days, periods: Mapping[str, Ints]) -> dict[str, float]:
    return {name: loss_on(knowledge, days, day_D) for name, day_D in periods.items()}


def _part(progress: Progress) -> Progress:
    return lambda share, words: progress(0.9 * share, words)

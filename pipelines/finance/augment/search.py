"""Choosing a policy on validation rows, by Optuna, within a budget of trials and seconds. Resumable.

Trials go to a journal file in the run's folder, their forecasts beside it; a run that was cut off goes on with the
next trial and ends as one that was not. The first trial is no augmentation, and it is what the search returns unless a
policy gains more than its standard error on seeds that took no part in choosing it.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError
from pipelines.finance.augment.evidence import Found, Trial, choose, compare
from pipelines.finance.augment.judge import Judge
from pipelines.finance.augment.patterns import PATTERNS, pattern_of
from pipelines.finance.augment.policy import NOOP, Policy
from pipelines.finance.augment.series import Floats

Progress = Callable[[float, str], None]
JOURNAL, STUDY = "trials.journal", "augmentation"
STARTUP = 6  # trials drawn at random before the sampler learns from them
FRESH = 10_000  # seeds of confirmation begin there


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """What may be tried, and for how long."""

    patterns: tuple[str, ...] = tuple(PATTERNS)
    trials: int = 20  # no augmentation among them
    seconds: float = math.inf  # no trial begins later; a resumed run counts from its own start
    seeds: tuple[int, ...] = (0, 1)  # each policy is the mean of these
    confirmed: int = 3  # how many of the best are judged again
    fresh_seeds: int = 3  # on how many seeds of confirmation
    copies: tuple[int, int] = (1, 20)
    border: bool = True  # whether copies of the largest class near the border may be tried
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.patterns:
            pattern_of(name)
        if not self.patterns:
            raise InputError("a search needs at least one pattern to try")
        for name, value in (("trials", self.trials), ("seconds", self.seconds), ("seeds", len(self.seeds)),
                            ("fresh_seeds", self.fresh_seeds)):  # fmt: skip
            if not value > 0:
                raise InputError(f"{name} must be above 0, got {value}")
        if not 1 <= self.copies[0] <= self.copies[1]:
            raise InputError(f"copies must be 1 <= fewest <= most, got {self.copies}")


def search_policy(
    judge: Judge,
    folder: Path,
    options: SearchOptions | None = None,
    progress: Progress = lambda share, words: None,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """Try policies and return the one to use, with its evidence. Raises InputError where the folder is another's."""
    asked = options or SearchOptions()
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, asked, judge)
    study, start = _open_study(folder / JOURNAL), clock()
    trials = _finished(study)
    runner = _Runner(judge, folder, asked)
    while len(trials) < asked.trials and (not trials or clock() - start < asked.seconds):
        number = len(trials)
        spent = (clock() - start) / asked.seconds
        progress(0.8 * max(number / asked.trials, spent), _words(trials, asked))
        trials.append(_run_trial(study, runner, asked, number))
    confirmations = []
    for place, trial in enumerate(_to_confirm(trials, asked)):
        progress(0.8 + 0.2 * place / max(asked.confirmed, 1), f"again, on fresh seeds: {trial.policy.name}")
        confirmations.append(runner.confirm(trial))
    found = choose(trials, confirmations)
    progress(1.0, found.words)
    return found


class _Runner:
    """Judges policies, and keeps forecasts in files, so that no policy and seed is run twice."""

    def __init__(self, judge: Judge, folder: Path, options: SearchOptions) -> None:
        self.judge, self.folder, self.options = judge, folder, options

    def compare(self, number: int, policy: Policy, seeds: tuple[int, ...]) -> Trial:
        own = np.stack([self._forecast(number, policy, seed) for seed in seeds])
        plain = np.stack([self._forecast(0, NOOP, seed) for seed in seeds])
        return compare(number, policy, seeds, own, plain, self.judge.labels)

    def confirm(self, trial: Trial) -> Trial:
        seeds = tuple(FRESH + at for at in range(self.options.fresh_seeds))
        found = self.compare(trial.number, trial.policy, seeds)
        return Trial(**{**{name: getattr(found, name) for name in Trial.__dataclass_fields__}, "confirmed": True})

    def _forecast(self, number: int, policy: Policy, seed: int) -> Floats:
        path = self.folder / f"forecast-{number}-{seed}.npy"
        if not path.exists():
            draft = path.with_suffix(".draft.npy")
            np.save(draft, self.judge.forecast(policy, seed).astype(np.float32), allow_pickle=False)
            draft.replace(path)
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)


def _claim(folder: Path, options: SearchOptions, judge: Judge) -> None:
    """Write down what the run searches, or compare with what it began with; budgets alone may change."""
    asked = {key: value for key, value in asdict(options).items() if key not in ("trials", "seconds")}
    text = json.dumps({"options": asked, "data": judge.fingerprint}, sort_keys=True)
    path = folder / "search.json"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise InputError(f"{folder} holds a search with other options or data; name another folder, or remove it")
    path.write_text(text, encoding="utf-8")


def _open_study(journal: Path) -> Any:
    import optuna  # noqa: PLC0415  (half a second of import)
    from optuna.storages.journal import JournalFileBackend  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    return optuna.create_study(study_name=STUDY, storage=storage, direction="maximize", load_if_exists=True)


def _finished(study: Any) -> list[Trial]:
    """Trials with an answer, in order; one that was cut off is told as failed and its place given away."""
    from optuna.trial import TrialState  # noqa: PLC0415

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [Trial.from_json(json.loads(trial.user_attrs["trial"])) for trial in done]


def _run_trial(study: Any, runner: _Runner, options: SearchOptions, number: int) -> Trial:
    """Ask for a policy by a sampler whose seed is the trial's number, so that a resumed search asks the same.

    The trial after no augmentation has all patterns, two a series, at unit strength; from there on the sampler draws.
    """
    import optuna  # noqa: PLC0415

    if number == 1 and not study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,)):
        study.enqueue_trial(_start(options))
    study.sampler = optuna.samplers.TPESampler(seed=options.seed * 100_003 + number, n_startup_trials=STARTUP)
    asked = study.ask()
    policy = NOOP if number == 0 else _suggest(asked, options)
    trial = runner.compare(number, policy, options.seeds)
    asked.set_user_attr("trial", json.dumps(trial.to_json()))
    study.tell(asked, trial.gain)
    return trial


def _start(options: SearchOptions) -> dict[str, Any]:
    copies = round(math.sqrt(options.copies[0] * options.copies[1]))
    chosen: dict[str, Any] = {f"use_{name}": True for name in options.patterns}
    chosen |= {"magnitude": 1.0, "copies": copies, "per_series": 2, "probability": 1.0}
    return chosen | ({"border": 0.0} if options.border else {})


def _suggest(trial: Any, options: SearchOptions) -> Policy:
    """One pattern for certain, and every other in or out."""
    first = trial.suggest_categorical("pattern", options.patterns)
    chosen = [name for name in options.patterns if trial.suggest_categorical(f"use_{name}", (False, True))]
    patterns = tuple(dict.fromkeys([first, *chosen]))
    magnitude = trial.suggest_float("magnitude", 0.3, 3.0, log=True)
    copies = trial.suggest_int("copies", *options.copies, log=True)
    per_series = trial.suggest_int("per_series", 1, 3)
    probability = trial.suggest_categorical("probability", (1.0, 0.5))
    border = trial.suggest_categorical("border", (0.0, 0.5, 1.0)) if options.border else 0.0
    return Policy(
        patterns=patterns,
        magnitude_low=magnitude * 0.7,
        magnitude_high=magnitude * 1.3,
        per_series=min(per_series, len(patterns)),
        copies=copies,
        probability=probability,
        border=border,
    )


def _to_confirm(trials: list[Trial], options: SearchOptions) -> list[Trial]:
    """The best policies that gained anything; a policy that was tried twice comes once."""
    gained = sorted((trial for trial in trials if trial.gain > 0), key=lambda trial: -trial.gain)
    return list({trial.policy: trial for trial in reversed(gained)}.values())[::-1][: options.confirmed]


def _words(trials: list[Trial], options: SearchOptions) -> str:
    if not trials:
        return f"trial 1 of {options.trials}: no augmentation"
    best = max(trials, key=lambda trial: trial.gain)
    return f"trial {len(trials) + 1} of {options.trials}; best {best.gain:+.4f} {best.policy.name}"

"""A cascade of parts: cheap ones first, and a row goes on only while its answer is in doubt.

Every stage adds one margin (log-odds) of one part, weighs it with the margins that the row has so far, and maps the sum
by its own calibration, so that a probability means the same at whatever stage the row leaves (thresholds set on
exits that were not calibrated bias them: JEI-DNN, arXiv 2310.09163). A row leaves where its calibrated log-odds lie
outside the stage's band; the last stage takes all that are left. Rows leave one by one: each stage runs on the rows
that remain, packed together, so that a batch and its rows alone take the same ways.

Shapes: B rows, N rows that remain, S stages, F features.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.batch import Array
from core.errors import AssayError, InputError
from core.runtime.calibrate import Calibrator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TABLE, GIVEN = "table", "given"
ROWS_A_RUN = 512  # that go through a network at once: what lies between its layers must fit into memory
MOST_STAGES = 16
_SINGLE = float(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What one stage adds, and who leaves after it. Log-odds of `low` and `high` themselves stay."""

    part: str  # of the bundle; it runs once, also where several stages name it
    output: str  # of the part: a margin (B,)
    weights: tuple[float, ...]  # of the margins of all stages so far, this one's last; 0 or more, not all 0
    bias: float  # log-odds
    calibrator: Calibrator  # of the weighted sum
    low: float | None = None  # calibrated log-odds below which a row leaves; None: nobody leaves on this side
    high: float | None = None  # the same above
    operations: float = 0.0  # that this stage costs a row, multiplications and comparisons

    def __post_init__(self) -> None:
        numbers = [*self.weights, self.bias, self.operations, *(x for x in (self.low, self.high) if x is not None)]
        _require(all(map(_is_number, numbers)), "finite numbers in a stage", numbers)
        _require(
            bool(self.weights) and min(self.weights) >= 0 < max(self.weights), "weights of 0 or more", self.weights
        )
        _require(self.operations >= 0, "operations of 0 or more", self.operations)
        inside = self.low is None or self.high is None or self.low <= self.high
        _require(inside, "a band whose low end is not above its high end", (self.low, self.high))

    def combine(self, margin_SN: Floats) -> Floats:
        """Return bias + sum of weight * margin (N,), added one by one: a row alone has the bits of its batch."""
        combined_N = np.full(margin_SN.shape[1], self.bias)
        for weight, margin_N in zip(self.weights, margin_SN, strict=True):
            combined_N = combined_N + weight * margin_N
        return combined_N

    def leaves(self, log_odds_N: Floats) -> NDArray[np.bool_]:
        """Tell who leaves, from calibrated log-odds."""
        low, high = -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
        return (log_odds_N < low) | (log_odds_N > high)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, exact."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return plain | {"weights": list(self.weights), "calibrator": self.calibrator.to_json()}

    @classmethod
    def from_json(cls, raw: object) -> "Stage":
        """InputError (BAD_BUNDLE) where the entries are not what `to_json` writes."""
        names = {field.name for field in fields(cls)}
        if not isinstance(raw, dict) or set(raw) != names:
            _require(False, f"the entries {', '.join(sorted(names))} in a stage", raw)
        assert isinstance(raw, dict)
        texts = [raw["part"], raw["output"]]
        _require(all(isinstance(text, str) for text in texts), "names of part and output", texts)
        lists = isinstance(raw["weights"], list) and isinstance(raw["calibrator"], dict)
        _require(lists, "weights as a list and a calibrator as an object", [raw["weights"], raw["calibrator"]])
        try:
            calibrator = Calibrator.from_json(raw["calibrator"])
        except InputError as error:
            raise InputError(str(error), code="BAD_BUNDLE") from error
        return cls(**(raw | {"weights": tuple(raw["weights"]), "calibrator": calibrator}))


@dataclass(frozen=True, kw_only=True)
class Left:
    """Where the rows left (B,): the stage, the calibrated log-odds there, and the sum that was calibrated."""

    exit_B: Ints
    log_odds_B: Floats
    combined_B: Floats


@dataclass(frozen=True, kw_only=True)
class Combination:
    """The stages of a bundle's cascade, in their order."""

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        size = len(self.stages)
        _require(1 <= size <= MOST_STAGES, f"1 to {MOST_STAGES} stages", size)
        for number, stage in enumerate(self.stages):
            came = len(stage.weights)
            _require(came == number + 1, f"{number + 1} weights in stage {number}", came)
        last = self.stages[-1]
        _require(last.low is None and last.high is None, "no band in the last stage", (last.low, last.high))
        names = [(stage.part, stage.output) for stage in self.stages]
        _require(len(set(names)) == size, "stages that name different outputs", names)

    def walk(self, rows: int, margin_of: Callable[[int, Ints], Floats]) -> Left:
        """Take so many rows through; `margin_of(stage, rows)` is asked for the margins of those that remain."""
        exit_B = np.zeros(rows, dtype=np.int64)
        log_odds_B, combined_B = np.empty(rows), np.empty(rows)
        left_N, margin_SN = np.arange(rows), np.empty((0, rows))
        for number, stage in enumerate(self.stages):
            margin_SN = np.concatenate([margin_SN, margin_of(number, left_N)[None]])
            combined_N = stage.combine(margin_SN)
            z_N = stage.calibrator.log_odds(combined_N)
            exit_B[left_N], log_odds_B[left_N], combined_B[left_N] = number, z_N, combined_N
            stays_N = ~stage.leaves(z_N)
            left_N, margin_SN = left_N[stays_N], margin_SN[:, stays_N]
            if not len(left_N):
                break
        return Left(exit_B=exit_B, log_odds_B=log_odds_B, combined_B=combined_B)

    def decide(self, margin_SB: Floats) -> Left:
        """The same where every margin of every row is known already."""
        return self.walk(margin_SB.shape[1], lambda stage, rows: margin_SB[stage, rows])

    def without_exits(self) -> "Combination":
        """The same stages where every row goes to the last."""
        return Combination(stages=tuple(replace(stage, low=None, high=None) for stage in self.stages))

    def operations(self, exit_B: Ints) -> float:
        """Mean operations a row that leaves at these stages."""
        spent_S = np.cumsum([stage.operations for stage in self.stages])
        return float(spent_S[exit_B].mean()) if len(exit_B) else 0.0

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {"stages": [stage.to_json() for stage in self.stages]}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Combination":
        """InputError (BAD_BUNDLE) where the entries are not what `to_json` writes."""
        good = set(raw) == {"stages"} and isinstance(raw["stages"], list)
        _require(good, "a combination of one entry, stages, a list", dict(raw))
        return cls(stages=tuple(Stage.from_json(stage) for stage in raw["stages"]))


class Runner(Protocol):
    """What runs one part of a bundle, from any thread; `needs` are the inputs that it takes."""

    @property
    def needs(self) -> Collection[str]: ...
    def run(self, inputs: dict[str, Array]) -> dict[str, Array]: ...


class Source(Protocol):
    """Where a stage's margin comes from."""

    @property
    def part(self) -> str: ...
    @property
    def output(self) -> str: ...


class PartRuns:
    """The parts over one batch: each runs once, on the rows that first come to it, and may take what others gave."""

    def __init__(self, stages: Sequence[Source], runners: Mapping[str, Runner], inputs: Mapping[str, Array]) -> None:
        self.stages, self.runners, self.inputs = stages, runners, inputs
        self.rows = len(next(iter(inputs.values())))
        self._done: dict[str, tuple[Ints, dict[str, Array]]] = {}

    def margin(self, stage: int, rows_N: Ints) -> Floats:
        """Margins (N,) of rising row numbers, among those that all stages before were asked for.

        AssayError (MODEL_FAILED): not one finite number a row. InputError: the part has no such output.
        """
        part, output = self.stages[stage].part, self.stages[stage].output
        if part not in self._done:
            self._done[part] = rows_N, self.runners[part].run(self._feed(self.runners[part], rows_N))
        came = self._done[part][1]
        if output not in came:
            _require(False, f"outputs that part {part} gives ({', '.join(came)})", output)
        whole = came[output]
        if whole.shape != self._done[part][0].shape or not np.isfinite(whole).all():
            words = f"part {part} gave {whole.shape} answers {output} for {len(rows_N)} cases, or some not finite"
            raise AssayError(f"{words}; nothing was judged", code="MODEL_FAILED")
        return np.asarray(self._pick(part, output, rows_N), dtype=np.float64)

    def answers(self) -> dict[str, Array]:
        """What the first part gives besides margins and inputs of other parts, such as a map: (B, ...) by name.

        A row's answer is that of the last part which it came to and which gives that name.
        """
        inner = {stage.output for stage in self.stages}.union(*(runner.needs for runner in self.runners.values()))
        (_, first), *later = self._done.values()
        found = {name: array for name, array in first.items() if name not in inner}
        for rows_N, outputs in later:
            for name in found.keys() & outputs.keys():
                found[name] = found[name].copy()
                found[name][rows_N] = outputs[name]
        return found

    def _feed(self, runner: Runner, rows_N: Ints) -> dict[str, Array]:
        """Inputs of the batch by name, else outputs of parts that ran before."""
        whole = len(rows_N) == self.rows
        feed = {name: array if whole else array[rows_N] for name, array in self.inputs.items() if name in runner.needs}
        for part, (_, outputs) in self._done.items():
            feed |= {name: self._pick(part, name, rows_N) for name in outputs if name in set(runner.needs) - set(feed)}
        return feed

    def _pick(self, part: str, output: str, rows_N: Ints) -> Array:
        had, outputs = self._done[part]
        return outputs[output] if len(had) == len(rows_N) else outputs[output][np.searchsorted(had, rows_N)]


@dataclass(frozen=True)
class TableNetwork:
    """A network over a table in single precision: huge numbers are cut to its range, rows go through in slices.

    Where it takes an input `given` (B, F), 1 for values that are shown and 0 for hidden ones, all are shown by default.
    Slices run side by side on `threads` threads, which suits a network of one thread: a row alone wakes no other core.
    """

    network: Runner
    threads: int = 1

    @property
    def needs(self) -> Collection[str]:
        """Names of its inputs."""
        return self.network.needs

    @property
    def device(self) -> str:
        """Where the network really runs."""
        return str(getattr(self.network, "device", "cpu"))

    @property
    def hides(self) -> bool:
        """Whether values can be hidden from it."""
        return GIVEN in self.network.needs

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Return every output by name, first dimension B."""
        table = np.clip(np.asarray(inputs[TABLE], dtype=np.float64), -_SINGLE, _SINGLE).astype(np.float32)
        feed = inputs | {TABLE: table}
        if self.hides and GIVEN not in inputs:
            feed[GIVEN] = np.ones(table.shape, dtype=np.float32)
        starts = range(0, max(len(table), 1), ROWS_A_RUN)
        slices = ({name: array[start : start + ROWS_A_RUN] for name, array in feed.items()} for start in starts)
        if len(starts) == 1 or self.threads == 1 or self.device != "cpu":
            runs = [self.network.run(part) for part in slices]
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                runs = list(pool.map(self.network.run, slices))
        return runs[0] if len(runs) == 1 else {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require(good: bool, allowed: str, came: object) -> None:
    if not good:
        raise InputError(f"a combination must hold {allowed}, got {str(came)[:200]}", code="BAD_BUNDLE")

"""Engine: a bundle that answers. One call takes a batch and returns outputs and a calibrated probability."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.batch import Array, Batch
from core.errors import AssayError, InputError
from core.runtime.attribute import UNEXPLAINED, Explaining, attribution, cascade_contributions
from core.runtime.bundle import Bundle, open_bundle
from core.runtime.calibrate import Calibrator
from core.runtime.cascade import TABLE, Combination, Left, PartRuns, Runner, TableNetwork
from core.runtime.sessions import OnnxRunner, cores, finite, no_infinity
from core.runtime.trees import TreeRunner

MARGIN = "margin"  # (B,) log-odds: every model gives it
EXIT = "exit"  # (B,) the stage at which a row left a combination


def _trees(path: Path, device: str, threads: int) -> Runner:
    return TreeRunner(path, threads=threads)  # always on the processor, whatever the device


def _onnx(path: Path, device: str, threads: int) -> Runner:
    return OnnxRunner(path, device=device, threads=threads)


RUNNERS: dict[str, Callable[[Path, str, int], Runner]] = {"lightgbm": _trees, "onnx": _onnx}


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Answers for a batch by name (first dimension B) and the calibrated probability (B,).

    Outputs are all that the runners gave; of a combination, `margin`, which is calibrated there, `exit`, and what the
    first part tells besides, such as a map, from the last part that a row came to.
    """

    outputs: dict[str, Array]
    probability: NDArray[np.float64]


@dataclass(frozen=True)
class Engine:
    """A loaded bundle; safe to share between threads. `device` is where it really runs: "cpu" or "cuda"."""

    bundle: Bundle
    device: str
    runners: dict[str, Runner]
    calibrator: Calibrator | None
    combination: Combination | None = None

    @classmethod
    def open(cls, bundle: Bundle | Path, *, device: str = "auto", threads: int = 0) -> "Engine":
        """Load a bundle: every file is checked again, then parsed, then the golden vectors must come out.

        InputError: the bundle is damaged, or its golden vectors differ. AssayError: the device is not there.
        `threads` 0 means every core that this process may use.
        """
        if isinstance(bundle, Path):
            bundle = open_bundle(bundle)
        else:
            bundle.verify()
        manifest = bundle.manifest
        files = {name: (part.kind, bundle.path(name)) for name, part in manifest.parts.items()}
        runners = open_parts(files, combined=manifest.combination is not None, device=device, threads=threads)
        used = {getattr(runner, "device", "cpu") for runner in runners.values()}
        calibrator = None if manifest.calibration is None else Calibrator.from_json(manifest.calibration)
        engine = cls(bundle, "cuda" if "cuda" in used else "cpu", runners, calibrator, manifest.combination)
        engine._check_golden()
        return engine

    def predict(self, batch: Batch) -> Prediction:
        """Judge a batch of any size. The table may hold NaN (missing); any other odd number in or out is an error."""
        for name, array in batch.inputs.items():
            if not (no_infinity(array) if name == "table" else finite(array)):
                raise InputError(f"input {name} holds numbers that are not finite", code="NON_FINITE")
        if len(batch) == 0:
            return self._nothing(batch)
        if self.combination is not None:
            left, answers = self._walk(self.combination, batch)
            self._check_answers(answers, len(batch))
            outputs = answers | {MARGIN: left.log_odds_B, EXIT: left.exit_B}
            return Prediction(outputs=outputs, probability=logistic(left.log_odds_B))
        outputs = {}
        for runner in self.runners.values():
            outputs |= runner.run(batch.inputs)
        self._check_answers(outputs, len(batch))
        return Prediction(outputs=outputs, probability=self._probability(outputs))

    def patient(self) -> "Engine":
        """Return an engine of the same parts in which no row leaves before the last stage."""
        return self if self.combination is None else replace(self, combination=self.combination.without_exits())

    @property
    def attribution(self) -> str:
        """How contributions are found, in a few words (core.runtime.attribute); "none" where they cannot be."""
        return attribution(self.bundle.manifest)

    def contributions(self, batch: Batch) -> NDArray[np.float64]:
        """Return what each feature added to the margin, (B, F + 1) in log-odds; the last column is the base.

        The margin is that before calibration; of a combination, the weighted sum at the stage where the row left.
        `attribution` says how it is found. InputError: the bundle has no forest, or the batch no table.
        """
        if TABLE in batch.inputs and self.attribution != UNEXPLAINED:
            if self.combination is not None:
                left, _ = self._walk(self.combination, batch)
                return cascade_contributions(self.combination, self.runners, batch.inputs[TABLE], left)
            for runner in self.runners.values():
                if isinstance(runner, Explaining):
                    return runner.contributions(np.asarray(batch.inputs[TABLE], dtype=np.float64))
        raise InputError(f"{self._who()} has no part that explains itself (only trees do)", code="NO_CONTRIBUTIONS")

    def _check_answers(self, outputs: dict[str, Array], rows: int) -> None:
        for name, array in outputs.items():
            if array.shape[:1] != (rows,) or not finite(array):
                words = f"the model gave {len(array)} answers {name} for {rows} cases, or some that are not finite"
                raise AssayError(f"{self._who()}: {words}; nothing was judged", code="MODEL_FAILED")

    def _walk(self, combination: Combination, batch: Batch) -> tuple[Left, dict[str, Array]]:
        runs = PartRuns(combination.stages, self.runners, batch.inputs)
        try:
            return combination.walk(len(batch), runs.margin), runs.answers()
        except AssayError as error:
            raise type(error)(f"{self._who()}: {error}", code=error.code) from error

    def _probability(self, outputs: dict[str, Array]) -> NDArray[np.float64]:
        if MARGIN not in outputs or outputs[MARGIN].ndim != 1:
            words = f"a model must give the output {MARGIN} of shape (B,); this one gives {', '.join(outputs)}"
            raise InputError(f"{self._who()}: {words}", code="BAD_BUNDLE")
        margin = outputs[MARGIN].astype(np.float64)
        probability = logistic(margin) if self.calibrator is None else self.calibrator(margin)
        if not finite(probability):
            raise AssayError(f"{self._who()}: the calibration gave no finite number", code="MODEL_FAILED")
        return probability

    def _nothing(self, batch: Batch) -> Prediction:
        """Answer an empty batch with empty arrays of the right shape, learned from one row of zeros."""
        one = {name: np.zeros((1, *array.shape[1:]), array.dtype) for name, array in batch.inputs.items()}
        full = self.predict(Batch(inputs=one))
        outputs = {name: array[:0] for name, array in full.outputs.items()}
        return Prediction(outputs=outputs, probability=full.probability[:0])

    def _check_golden(self) -> None:
        golden = self.bundle.golden()
        if golden is None:
            return
        inputs, expected = golden.arrays()
        prediction = self.predict(Batch(inputs=inputs))
        came = prediction.outputs | {"probability": prediction.probability}
        for name, array in expected.items():
            if name not in came or not _close(came[name], array, golden.tolerance):
                words = f"the golden answers {name} do not come out on this machine (tolerance {golden.tolerance:g})"
                raise InputError(
                    f"{self._who()}: {words}; retrain, or use the versions it was made with", code="GOLDEN"
                )

    def _who(self) -> str:
        return f"bundle {self.bundle.folder}"


def open_parts(
    files: Mapping[str, tuple[str, Path]], *, combined: bool, device: str = "cpu", threads: int = 0
) -> dict[str, Runner]:
    """Load parts of a bundle, (kind, file) by name; `threads` 0 means every core.

    In a combination a network beside forests sees one case at a time or long tables: it gets one thread, and tables
    go through it in slices side by side.
    """
    if not combined:
        return {name: RUNNERS[kind](path, device, threads) for name, (kind, path) in files.items()}
    beside_trees = any(kind == "lightgbm" for kind, _ in files.values())
    runners: dict[str, Runner] = {}
    for name, (kind, path) in files.items():
        alone = kind == "onnx" and beside_trees
        runner = RUNNERS[kind](path, device, 1 if alone else threads)
        if TABLE in runner.needs and not isinstance(runner, Explaining):
            runner = TableNetwork(runner, threads=(threads or cores()) if alone else 1)
        runners[name] = runner
    return runners


def logistic(margin_B: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-margin)), without overflow and strictly inside (0, 1)."""
    edge = 36.0  # exp(-36) is the last that 1 - x can tell from 1 in float64
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(margin_B, -edge, edge))), dtype=np.float64)


def _close(came: Array, expected: Array, tolerance: float) -> bool:
    return came.shape == expected.shape and np.allclose(
        came.astype(np.float64), expected.astype(np.float64), rtol=tolerance, atol=tolerance
    )

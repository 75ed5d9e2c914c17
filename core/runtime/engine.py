"""Engine: a bundle that answers. One call takes a batch and returns outputs and a calibrated probability."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.batch import Array, Batch
from core.errors import AssayError, InputError
from core.runtime.bundle import Bundle, open_bundle
from core.runtime.calibrate import Calibrator
from core.runtime.sessions import OnnxRunner, finite, no_infinity
from core.runtime.trees import TreeRunner

MARGIN = "margin"  # (B,) log-odds: every model gives it


class Runner(Protocol):
    """What runs one part of a bundle, from any thread."""

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]: ...


@runtime_checkable
class Explaining(Protocol):
    """A runner that can say exactly what each feature contributed, in log-odds; the last column is the base."""

    def contributions(self, x_BF: NDArray[np.float64]) -> NDArray[np.float64]: ...


def _trees(path: Path, device: str, threads: int) -> Runner:
    return TreeRunner(path, threads=threads)  # always on the processor, whatever the device


def _onnx(path: Path, device: str, threads: int) -> Runner:
    return OnnxRunner(path, device=device, threads=threads)


RUNNERS: dict[str, Callable[[Path, str, int], Runner]] = {"lightgbm": _trees, "onnx": _onnx}


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Answers for a batch: all runner outputs by name (first dimension B) and the calibrated probability (B,)."""

    outputs: dict[str, Array]
    probability: NDArray[np.float64]


@dataclass(frozen=True)
class Engine:
    """A loaded bundle; safe to share between threads. `device` is where it really runs: "cpu" or "cuda"."""

    bundle: Bundle
    device: str
    runners: dict[str, Runner]
    calibrator: Calibrator | None

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
        runners = {
            name: RUNNERS[part.kind](bundle.path(name), device, threads) for name, part in manifest.parts.items()
        }
        used = {getattr(runner, "device", "cpu") for runner in runners.values()}
        calibrator = None if manifest.calibration is None else Calibrator.from_json(manifest.calibration)
        engine = cls(bundle, "cuda" if "cuda" in used else "cpu", runners, calibrator)
        engine._check_golden()
        return engine

    def predict(self, batch: Batch) -> Prediction:
        """Judge a batch of any size. The table may hold NaN (missing); any other odd number in or out is an error."""
        for name, array in batch.inputs.items():
            if not (no_infinity(array) if name == "table" else finite(array)):
                raise InputError(f"input {name} holds numbers that are not finite", code="NON_FINITE")
        if len(batch) == 0:
            return self._nothing(batch)
        outputs: dict[str, Array] = {}
        for runner in self.runners.values():
            outputs |= runner.run(batch.inputs)
        for name, array in outputs.items():
            if array.shape[:1] != (len(batch),) or not finite(array):
                words = (
                    f"the model gave {len(array)} answers {name} for {len(batch)} cases, or some that are not finite"
                )
                raise AssayError(f"{self._who()}: {words}; nothing was judged", code="MODEL_FAILED")
        return Prediction(outputs=outputs, probability=self._probability(outputs))

    def contributions(self, batch: Batch) -> NDArray[np.float64]:
        """Return what each feature added to the margin, exact, (B, F + 1) in log-odds; the last column is the base."""
        for runner in self.runners.values():
            if isinstance(runner, Explaining):
                table = np.asarray(batch.inputs["table"], dtype=np.float64)
                return runner.contributions(table)
        raise InputError(f"{self._who()} has no part that explains itself (only trees do)", code="NO_CONTRIBUTIONS")

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


def logistic(margin_B: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-margin)), without overflow and strictly inside (0, 1)."""
    edge = 36.0  # exp(-36) is the last that 1 - x can tell from 1 in float64
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(margin_B, -edge, edge))), dtype=np.float64)


def _close(came: Array, expected: Array, tolerance: float) -> bool:
    return came.shape == expected.shape and np.allclose(
        came.astype(np.float64), expected.astype(np.float64), rtol=tolerance, atol=tolerance
    )

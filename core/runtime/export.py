"""Export of a torch module to one ONNX file, with a gate: ONNX Runtime gives torch's answers, or nothing is kept."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from core.batch import Array
from core.errors import GateError
from core.runtime.sessions import OnnxRunner

OPSET = 20
OTHER_BATCH = 3  # rows of the second check: the export must not have learned the size of the example


@dataclass(frozen=True, kw_only=True)
class ParityReport:
    """How far ONNX Runtime lies from torch: the largest |difference| / max(1, |torch|) by output name."""

    differences: Mapping[str, float]
    tolerance: float
    bytes: int
    nodes: int

    @property
    def worst(self) -> float:
        return max(self.differences.values())


def export_onnx(
    module: nn.Module,
    example_inputs: Mapping[str, Tensor],
    path: Path,
    *,
    dynamic: Mapping[str, Sequence[int]] | None = None,
    tolerance: float = 1e-4,
) -> ParityReport:
    """Write `module` to `path` and compare both on the example and on a batch of another size.

    The module takes the inputs by these names and returns its outputs as a dict by name. `dynamic` lists, by input,
    the dimensions whose size may change; by default the first, the batch. GateError, and no file, where any output
    differs by more than `tolerance` (see ParityReport) or is not finite.
    """
    was_training = module.training
    module.eval()
    try:
        names = _output_names(module, example_inputs)
        draft = path.with_name(f".{path.name}.draft")
        _write(module, example_inputs, names, draft, dynamic or dict.fromkeys(example_inputs, (0,)))
        try:
            report = _compare(module, example_inputs, draft, tolerance)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    finally:
        module.train(was_training)
    return report


def parity(module: nn.Module, inputs: Mapping[str, Tensor], runner: OnnxRunner) -> dict[str, float]:
    """Return the largest difference of each output, relative where torch's number is larger than one."""
    with torch.no_grad():
        wanted = module(**inputs)
    came = runner.run({name: tensor.numpy(force=True) for name, tensor in inputs.items()})
    return {name: _difference(came[name], tensor.numpy(force=True)) for name, tensor in wanted.items()}


def _write(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: list[str],
    path: Path,
    dynamic: Mapping[str, Sequence[int]],
) -> None:
    batch = torch.export.Dim("batch", min=1)
    shapes = {
        name: {dim: batch if dim == 0 else torch.export.Dim.DYNAMIC for dim in dynamic.get(name, ())} for name in inputs
    }
    # an example of one row would be taken for a constant
    example = {
        name: torch.cat([tensor, tensor]) if 0 in dynamic.get(name, ()) else tensor for name, tensor in inputs.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            module,
            (),
            kwargs=example,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=list(inputs),
            output_names=outputs,
            opset_version=OPSET,
            verbose=False,
        )
    if program is None:
        raise GateError("torch returned no ONNX program; nothing was exported")
    program.save(str(path), external_data=False)


def _compare(module: nn.Module, inputs: Mapping[str, Tensor], path: Path, tolerance: float) -> ParityReport:
    runner = OnnxRunner(path, device="cpu", threads=1)
    differences = parity(module, inputs, runner)
    other = {name: torch.cat([tensor] * OTHER_BATCH)[:OTHER_BATCH] for name, tensor in inputs.items()}
    for name, difference in parity(module, other, runner).items():
        differences[name] = max(differences[name], difference)
    for name, difference in differences.items():
        if not difference <= tolerance:  # NaN fails too
            words = f"output {name} of the ONNX file differs from torch by {difference:.3g}, allowed are {tolerance:g}"
            raise GateError(f"{words}; nothing was exported", code="PARITY")
    model = onnx.load(path)
    return ParityReport(
        differences=differences, tolerance=tolerance, bytes=path.stat().st_size, nodes=len(model.graph.node)
    )


def _output_names(module: nn.Module, inputs: Mapping[str, Tensor]) -> list[str]:
    with torch.no_grad():
        outputs = module(**inputs)
    if not isinstance(outputs, dict) or not all(isinstance(value, Tensor) for value in outputs.values()):
        raise TypeError(f"an exported module must return a dict of tensors by name, got {type(outputs).__name__}")
    return list(outputs)


def _difference(came: Array, wanted: Array) -> float:
    if came.shape != wanted.shape:
        return float("inf")
    a, b = came.astype(np.float64), wanted.astype(np.float64)
    if a.size == 0:
        return 0.0
    return float(np.max(np.abs(a - b) / np.maximum(1.0, np.abs(b))))

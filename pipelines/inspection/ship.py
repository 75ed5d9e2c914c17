"""From trained weights to what a bundle holds: ONNX behind a parity gate, calibration, thresholds, golden answers.

The pyramid is one part; the network with experts is two, of which easy pictures need the first only (see exits.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from core.batch import Array
from core.moe.layer import MoELayer
from core.runtime.bundle import Golden
from core.runtime.calibrate import Calibrator, fit_calibrator
from core.runtime.cascade import Combination, PartRuns
from core.runtime.engine import EXIT, MARGIN, logistic
from core.runtime.export import ParityReport, export_onnx
from core.runtime.sessions import OnnxRunner
from pipelines.inspection.box_regions import choose_box_line
from pipelines.inspection.exits import EARLY, FIRST, SECOND, Costs, choose_line, combine
from pipelines.inspection.expert_network import ExpertNet, ServedFirst, ServedSecond
from pipelines.inspection.network import DefectNet, ServedNet
from pipelines.inspection.options import InspectionOptions
from pipelines.inspection.prepare import STRIDE
from pipelines.inspection.thresholds import Zones, choose_region_threshold, choose_zones
from pipelines.inspection.validate import Validation

KIND = "inspection"
WHOLE = "network"  # the part of a network that is one
FEWEST_TO_CALIBRATE = 10  # validation pictures of each kind; below, the head's own probability is used
GOLDEN_TOLERANCE = 1e-3
TOLERANCE = 1e-3  # of ONNX Runtime against torch


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The ONNX files by part, with runners, how far they lie from torch, and the multiplications of a picture."""

    files: Mapping[str, Path]
    runners: Mapping[str, OnnxRunner]
    parity: Mapping[str, ParityReport]
    operations: Mapping[str, float]

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Answer as the whole network does, with every picture through all parts."""
        outputs: dict[str, Array] = {}
        for runner in self.runners.values():
            known = inputs | outputs
            outputs |= runner.run({name: known[name] for name in runner.needs})
        if MARGIN in outputs:
            return outputs
        first, second = (np.asarray(outputs[name], np.float64) for name in ("margin_0", "margin_1"))
        return outputs | {MARGIN: EARLY * first + (1 - EARLY) * second}


def export_network(network: DefectNet | ExpertNet, folder: Path, size_px: int) -> Exported:
    """Write the parts into `folder`. Raises GateError where one differs from torch."""
    network.to("cpu").eval()
    generator = torch.Generator().manual_seed(0)
    side = max(STRIDE, size_px // STRIDE * STRIDE)
    example: dict[str, torch.Tensor] = {"image": torch.randn(1, 3, side, side + STRIDE, generator=generator) * 0.4}
    files, parity, operations = {}, {}, {}
    parts: dict[str, nn.Module] = {WHOLE: ServedNet(network)} if isinstance(network, DefectNet) else {}
    if isinstance(network, ExpertNet):
        parts = {FIRST: ServedFirst(network), SECOND: ServedSecond(network)}
    for name, part in parts.items():
        part.eval()
        files[name] = folder / f"{name}.onnx"
        shapes = dict.fromkeys(example, (0, 2, 3))
        parity[name] = export_onnx(part, example, files[name], dynamic=shapes, tolerance=TOLERANCE)
        outputs, operations[name] = _counted(part, example)
        example = {key: value.clone() for key, value in outputs.items() if key.startswith("features_")}
    runners = {name: OnnxRunner(file, device="cpu") for name, file in files.items()}
    return Exported(files=files, runners=runners, parity=parity, operations=operations)


def _counted(part: nn.Module, example: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], float]:
    """Run a part and count its multiplications; those of the experts apart, since torch's counter does not see them."""
    experts = 0

    def add(layer: nn.Module, inputs: tuple[torch.Tensor, ...], mixed: object) -> None:
        nonlocal experts
        assert isinstance(layer, MoELayer)
        options, tokens = layer.options, inputs[0].shape[0] * inputs[0].shape[1]
        experts += tokens * options.top_k * 3 * options.width * options.hidden

    hooks = [layer.register_forward_hook(add) for layer in part.modules() if isinstance(layer, MoELayer)]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        outputs = part(**example)
    for hook in hooks:
        hook.remove()
    return outputs, counter.get_total_flops() / 2 + experts


def bundle_parts(
    exported: Exported, found: Validation, labels: tuple[str, ...], options: InspectionOptions
) -> dict[str, Any]:
    """What of a bundle depends on validation: calibration, decision, exits, golden answers."""
    calibrator = _calibrator(found.margin_B, found)
    p_B = logistic(found.margin_B) if calibrator is None else calibrator(found.margin_B)
    zones = choose_zones(
        found.yes_B,
        p_B,
        found.groups,
        missed=options.cost_missed,
        false=options.cost_false,
        target_rate=options.target_rate,
        seed=options.seed,
    )
    decision = zones.to_json() | {
        "labels": list(labels),
        "size_px": options.size_px,
        "region_threshold": choose_region_threshold([found.pixels]),
    }
    if found.found:
        decision["box_threshold"] = choose_box_line(found.found, found.true)
    combination = _combination(exported, found, calibrator, zones, options)
    plain = None if calibrator is None or combination is not None else calibrator.to_json()
    return {
        "kind": KIND,
        "name": options.name,
        "parts": {name: ("onnx", file) for name, file in exported.files.items()},
        "spec": {"input": "image", "size_px": options.size_px, "labels": list(labels)},
        "decision": decision,
        "calibration": plain,
        "combination": combination,
        "golden": _golden(exported, combination, options.size_px),
    }


def _calibrator(margin_B: np.ndarray[Any, Any], found: Validation) -> Calibrator | None:
    positives = int(found.yes_B.sum())
    if min(positives, len(found.yes_B) - positives) < FEWEST_TO_CALIBRATE:
        return None
    return fit_calibrator(margin_B, found.yes_B.astype(np.float64))


def _combination(
    exported: Exported, found: Validation, second: Calibrator | None, zones: Zones, options: InspectionOptions
) -> Combination | None:
    if found.first_B is None:
        return None
    first = _calibrator(found.first_B, found)
    whole = combine(first, second, (exported.operations[FIRST], exported.operations[SECOND]))
    if first is None or second is None:
        return whole
    costs = Costs(missed=options.cost_missed, false=options.cost_false)
    low = choose_line(first.log_odds(found.first_B), second.log_odds(found.margin_B), found.yes_B, zones, costs)
    return Combination(stages=(replace(whole.stages[0], low=low), whole.stages[1]))


def _golden(exported: Exported, combination: Combination | None, size_px: int) -> Golden:
    side = max(STRIDE, size_px // 2 // STRIDE * STRIDE)
    image = np.random.default_rng(0).normal(0, 0.4, (1, 3, side, side)).astype(np.float32)
    if combination is None:
        outputs = exported.run({"image": image})
    else:
        runs = PartRuns(combination.stages, exported.runners, {"image": image})
        left = combination.walk(1, runs.margin)
        outputs = runs.answers() | {MARGIN: left.log_odds_B, EXIT: left.exit_B}
    return Golden(inputs={"image": image}, outputs=outputs, tolerance=GOLDEN_TOLERANCE)

"""Train an inspection model: labelled pictures in, a checked bundle out.

Pictures -> samples -> the network by `core.train.loop` -> ONNX behind a parity gate -> calibration, zones and region
threshold on validation pictures -> metrics on them through the engine -> floors -> the bundle.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from core.encoders.image import open_trunk
from core.errors import GateError, InputError
from core.runtime.bundle import Bundle, Golden, write_bundle
from core.runtime.calibrate import Calibrator, fit_calibrator
from core.runtime.engine import Engine, logistic
from core.runtime.export import ParityReport, export_onnx
from core.runtime.sessions import OnnxRunner
from core.train.loop import Losses, TrainOptions, TrainReport, train
from data.inspection.split_file import LabelledImage, located
from pipelines.inspection.ahead import ahead, half_of_the_cores
from pipelines.inspection.augment import cut_patches
from pipelines.inspection.batches import Part, Pools, step_losses, steps_of
from pipelines.inspection.evaluate import Evaluation, evaluate_images
from pipelines.inspection.holdout import check_apart, hold_out
from pipelines.inspection.network import DefectNet, ServedNet
from pipelines.inspection.options import PRESETS, InspectionOptions, Preset
from pipelines.inspection.prepare import STRIDE
from pipelines.inspection.samples import Sample, label_names, load_samples
from pipelines.inspection.thresholds import choose_region_threshold, choose_zones
from pipelines.inspection.validate import Validation, validate

KIND = "inspection"
STEPS_PER_EPOCH = 20
FEWEST_TO_CALIBRATE = 10  # validation pictures of each kind; below, the head's own probability is used
GOLDEN_TOLERANCE = 1e-3
Progress = Callable[[float, str], None]


def train_inspection(
    train_images: Sequence[LabelledImage],
    valid_images: Sequence[LabelledImage],
    options: InspectionOptions,
    folder: Path,
    progress: Progress = lambda share, words: None,
) -> Bundle:
    """Train and write a bundle into `folder`. Without validation pictures a fifth of the groups is held out.

    Raises InputError for pictures, masks or options that cannot be used (a group in both splits, no picture of any
    defect), GateError for a floor that is missed or an export that differs from torch.
    """
    learned, held = _regime(train_images, options), tuple(valid_images)
    if held:
        check_apart(learned, held)
    else:
        learned, held = hold_out(learned, share=0.2, seed=options.seed)
    labels = label_names([*learned, *held])
    samples = load_samples(learned, labels, options.size_px, _part_of(progress, 0.0, 0.03))
    torch.manual_seed(options.seed)
    network = _network(options, len(labels))
    with half_of_the_cores():
        report = _learn(network, samples, options, _part_of(progress, 0.03, 0.92))
    with tempfile.TemporaryDirectory() as draft:
        onnx = Path(draft) / "network.onnx"
        parity = _export(network, onnx, options.size_px)
        found = validate(held, onnx, options.size_px, _part_of(progress, 0.92, 0.96))
        written = _bundle_parts(onnx, found, labels, options)
        about = _about(train_images, held, samples, options, report, parity)
        trial = write_bundle(Path(draft) / "trial", metrics={}, about=about, **written)
        measured = evaluate_images(held, Engine.open(trial, device="cpu"), _part_of(progress, 0.96, 1.0))
        _check_floors(measured, options)
        return write_bundle(folder, metrics={"validation": measured.to_json()}, about=about, **written)


def _regime(images: Sequence[LabelledImage], options: InspectionOptions) -> tuple[LabelledImage, ...]:
    if options.regime == "normal":
        kept = tuple(image for image in images if not image.defective)
    elif options.regime == "weak":
        kept = located(images, 0)
    else:
        kept = located(images, options.boxes_per_class)
        if options.regime == "full":
            kept = tuple(image for image in kept if not image.defective or image.located)
    if not kept:
        raise InputError(f"regime {options.regime} leaves none of {len(images)} training pictures; choose another")
    if options.regime != "normal" and not any(image.defective for image in kept):
        raise InputError("no training picture shows a defect; add some, or train with the regime normal")
    return kept


def _network(options: InspectionOptions, classes: int) -> DefectNet:
    trunk = open_trunk(options.weights, frozen=PRESETS[options.preset].frozen)
    return DefectNet(trunk, classes, options.size_px).to(_device(options))


def _device(options: InspectionOptions) -> torch.device:
    wants = options.device == "cuda" or (options.device == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if wants else "cpu")


def _learn(network: DefectNet, samples: list[Sample], options: InspectionOptions, progress: Progress) -> TrainReport:
    preset = PRESETS[options.preset]
    pools, bank = Pools(samples), cut_patches(samples)
    device = _device(options)

    def steps(epoch: int) -> Iterator[list[Part]]:
        first = epoch * STEPS_PER_EPOCH
        count = min(STEPS_PER_EPOCH, preset.steps - first)
        return ahead(steps_of(pools, bank, preset, first=first, steps=count, seed=options.seed))

    def loss(model: nn.Module, parts: list[Part]) -> Losses:
        losses = step_losses(model, [part.to(device) for part in parts], label=preset.label)
        return Losses(total=torch.stack(list(losses.values())).sum(), parts=losses)

    return train(
        network,
        steps,
        loss,
        TrainOptions(steps=preset.steps, lr=preset.lr, ema=preset.ema, clip=5.0, precision="auto", seed=options.seed),
        options.resume,
        progress,
        lr_scale=lambda name: _rate(name, options, preset),
        origin=_origin(samples, options),
    )


def _rate(name: str, options: InspectionOptions, preset: Preset) -> float:
    """A trunk that was trained before learns slowly."""
    return preset.trunk_lr if name.startswith("trunk.") and options.weights != "none" else 1.0


def _origin(samples: Sequence[Sample], options: InspectionOptions) -> str:
    """Hash of what was learned from: a checkpoint of other data or options must not be taken up."""
    digest = hashlib.sha256(repr((options.size_px, options.preset, options.weights, options.regime)).encode())
    for sample in samples:
        digest.update(repr((sample.label, sample.group, int(sample.known), sample.pixels.shape)).encode())
        digest.update(np.ascontiguousarray(sample.pixels[::16, ::16]).tobytes())
    return digest.hexdigest()


def _export(network: DefectNet, path: Path, size_px: int) -> ParityReport:
    served = ServedNet(network.to("cpu"))
    generator = torch.Generator().manual_seed(0)
    side = max(STRIDE, size_px // STRIDE * STRIDE)
    example = torch.randn(1, 3, side, side + STRIDE, generator=generator) * 0.4
    return export_onnx(served, {"image": example}, path, dynamic={"image": (0, 2, 3)}, tolerance=1e-3)


def _bundle_parts(onnx: Path, found: Validation, labels: tuple[str, ...], options: InspectionOptions) -> dict[str, Any]:
    """What of a bundle depends on validation: calibration, decision, golden answers."""
    calibrator = _calibrator(found)
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
    return {
        "kind": KIND,
        "name": options.name,
        "parts": {"network": ("onnx", onnx)},
        "spec": {"input": "image", "size_px": options.size_px, "labels": list(labels)},
        "decision": decision,
        "calibration": None if calibrator is None else calibrator.to_json(),
        "golden": _golden(onnx, options.size_px),
    }


def _calibrator(found: Validation) -> Calibrator | None:
    positives = int(found.yes_B.sum())
    if min(positives, len(found.yes_B) - positives) < FEWEST_TO_CALIBRATE:
        return None
    return fit_calibrator(found.margin_B, found.yes_B.astype(np.float64))


def _golden(onnx: Path, size_px: int) -> Golden:
    side = max(STRIDE, size_px // 2 // STRIDE * STRIDE)
    image = np.random.default_rng(0).normal(0, 0.4, (1, 3, side, side)).astype(np.float32)
    outputs = OnnxRunner(onnx, device="cpu").run({"image": image})
    return Golden(inputs={"image": image}, outputs=outputs, tolerance=GOLDEN_TOLERANCE)


def _check_floors(measured: Evaluation, options: InspectionOptions) -> None:
    for name, floor in options.floors.items():
        metric = measured.metrics.get(name)
        if metric is None:
            raise InputError(f"a floor may be set on {', '.join(measured.metrics)}; got {name}")
        if metric.missing is not None or metric.value < floor:
            came = metric.missing or f"{metric.value:.4f}"
            raise GateError(f"{name} on validation is {came}, the floor is {floor:g}; no model was kept", code="FLOOR")


def _about(
    train_images: Sequence[LabelledImage],
    held: Sequence[LabelledImage],
    samples: Sequence[Sample],
    options: InspectionOptions,
    report: TrainReport,
    parity: ParityReport,
) -> dict[str, Any]:
    names = json.dumps([[image.name, image.label] for image in (*train_images, *held)])
    chosen = {name: value for name, value in asdict(options).items() if name not in ("resume", "floors")}
    return {
        "data_sha256": hashlib.sha256(names.encode()).hexdigest(),
        "rows": {"train": len(samples), "validation": len(held)},
        "known": {
            kind: sum(sample.known.name == kind for sample in samples) for kind in ("NORMAL", "MASK", "BOXES", "LABEL")
        },
        "options": chosen | {"weights": Path(options.weights).name, "floors": dict(options.floors)},
        "seed": options.seed,
        "preset": options.preset,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
        "training": {"steps": report.steps, "precision": report.precision, "last": dict(report.history[-1])},
        "parity": {"worst": parity.worst, "tolerance": parity.tolerance},
    }


def _part_of(progress: Progress, start: float, end: float) -> Progress:
    return lambda share, words: progress(start + (end - start) * share, words)

"""Train an inspection model: labelled pictures in, a checked bundle out.

Pictures -> samples -> the network by `core.train.loop` -> ONNX behind a parity gate -> calibration, zones and region
threshold on validation pictures -> metrics on them through the engine -> floors -> the bundle.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from core.encoders.image import open_trunk
from core.errors import GateError, InputError
from core.runtime.bundle import Bundle, write_bundle
from core.runtime.engine import Engine
from core.train.cores import half_of_the_cores
from core.train.loop import Losses, TrainOptions, TrainReport, train
from data.inspection.split_file import LabelledImage, located
from pipelines.inspection.ahead import ahead
from pipelines.inspection.augment import cut_patches
from pipelines.inspection.batches import Part, Pools, step_losses, steps_of
from pipelines.inspection.evaluate import Evaluation, evaluate_images
from pipelines.inspection.expert_network import ExpertNet
from pipelines.inspection.holdout import check_apart, hold_out
from pipelines.inspection.network import DefectNet
from pipelines.inspection.options import PRESETS, InspectionOptions, Preset
from pipelines.inspection.pretrain import pretrain
from pipelines.inspection.samples import Sample, label_names, load_samples
from pipelines.inspection.ship import TOLERANCE, Exported, bundle_parts, export_network
from pipelines.inspection.validate import validate

STEPS_PER_EPOCH = 20
Progress = Callable[[float, str], None]


def train_inspection(
    train_images: Sequence[LabelledImage],
    valid_images: Sequence[LabelledImage],
    options: InspectionOptions,
    folder: Path,
    progress: Progress = lambda share, words: None,
    *,
    unlabelled: Sequence[LabelledImage] = (),
) -> Bundle:
    """Train and write a bundle into `folder`. Without validation pictures a fifth of the groups is held out.

    `unlabelled` pictures join the self-supervised start of a preset that has one; their labels are not looked at.

    Raises InputError for pictures, masks or options that cannot be used (a group in both splits, no picture of any
    defect), GateError for a floor that is missed or an export that differs from torch.
    """
    learned, held = _regime(train_images, options), tuple(valid_images)
    if held:
        check_apart([*learned, *unlabelled], held)
    else:
        learned, held = hold_out(learned, share=0.2, seed=options.seed)
    labels = label_names([*learned, *held])
    samples = load_samples(learned, labels, options.size_px, _part_of(progress, 0.0, 0.03))
    torch.manual_seed(options.seed)
    network = make_network(options, len(labels))
    with half_of_the_cores():
        if isinstance(network, ExpertNet):
            start(network, [*samples, *bare_samples(unlabelled, options)], options, _part_of(progress, 0.03, 0.1))
        report = learn(network, samples, options, _part_of(progress, 0.1, 0.92))
    with tempfile.TemporaryDirectory() as draft:
        exported = export_network(network, Path(draft), options.size_px)
        found = validate(held, exported.run, labels, options.size_px, _part_of(progress, 0.92, 0.96))
        written = bundle_parts(exported, found, labels, options)
        about = _about(train_images, held, samples, options, report, exported)
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


def make_network(options: InspectionOptions, classes: int) -> DefectNet | ExpertNet:
    """Return the preset's network before anything is learned, on its device."""
    preset = PRESETS[options.preset]
    trunk = open_trunk(options.weights, frozen=preset.frozen)
    make = ExpertNet if preset.network == "experts" else DefectNet
    return make(trunk, classes, options.size_px).to(_device(options))


def _device(options: InspectionOptions) -> torch.device:
    wants = options.device == "cuda" or (options.device == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if wants else "cpu")


def bare_samples(images: Sequence[LabelledImage], options: InspectionOptions) -> list[Sample]:
    """Read pictures without a look at what their labels say."""
    plain = [replace(image, label="free", defective=False, mask=None, boxes=()) for image in images]
    return load_samples(plain, (), options.size_px, lambda share, words: None)


def start(network: ExpertNet, samples: Sequence[Sample], options: InspectionOptions, progress: Progress) -> None:
    """Pretrain on the pictures alone, where the preset asks for it and the trunk already sees something."""
    preset = PRESETS[options.preset]
    if preset.pretrain_steps and options.weights != "none":
        folder = None if options.resume is None else options.resume / "pretrained"
        pretrain(network, samples, preset, options.seed, folder, progress, _origin(samples, options))


def learn(
    network: DefectNet | ExpertNet, samples: list[Sample], options: InspectionOptions, progress: Progress
) -> TrainReport:
    """Train by the labels that the samples have."""
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
    exported: Exported,
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
        "parity": {"worst": max(one.worst for one in exported.parity.values()), "tolerance": TOLERANCE},
        "operations": dict(exported.operations),
    }


def _part_of(progress: Progress, start: float, end: float) -> Progress:
    return lambda share, words: progress(start + (end - start) * share, words)

"""`full` beside `fast` on two sets, its exits, and its self-supervised start. Run: make bench, or pytest on this file.

The test splits are read here and nowhere else. neu_det has no defect-free picture: no ranking of good and bad there.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from core.batch import Array
from core.metrics.binary import auc_of, count, rank
from core.metrics.boxes import match, mean_average_precision
from core.metrics.pixels import pixel_auroc, pixel_average_precision
from core.runtime.cascade import Combination, PartRuns
from core.runtime.engine import Engine
from data.images import read_image
from data.inspection.split_file import LabelledImage, read_split
from pipelines.inspection.evaluate import Evaluation, evaluate_images
from pipelines.inspection.expert_network import ExpertNet, Features, ServedFirst, ServedSecond
from pipelines.inspection.options import PRESETS, InspectionOptions
from pipelines.inspection.prepare import prepare
from pipelines.inspection.samples import label_names, load_samples
from pipelines.inspection.train import bare_samples, learn, make_network, start, train_inspection
from pipelines.inspection.validate import validate

SEEDS = 3  # of each training
TRUNK = "mobilenet_v1_1.0_224_trunk12.pt"
BUDGET = {"magnetic_tile": 50, "neu_det": None}  # locations a class
SHOWN = {
    "magnetic_tile": "image_auroc image_average_precision pixel_auroc aupro balanced_accuracy ap33 ap50",
    "neu_det": "accuracy pixel_auroc pixel_average_precision aupro pixel_f1_2px ap33 ap50",
}
SHORT_PX, SHORT_STEPS = 160, 60  # of the trainings with few labels, and of their start
SHARES = (1.0, 0.1, 0.01)  # of the labels
LEAVING = (0.0, 0.25, 0.5, 0.75, 1.0)  # shares of the validation pictures that leave after stage 0


def quiet(share: float, words: str) -> None:
    pass


@pytest.mark.bench
@pytest.mark.realdata
@pytest.mark.timeout(28_800)
@pytest.mark.parametrize("name", ["magnetic_tile", "neu_det"])
def test_full_beside_fast(realdata: Path, tmp_path: Path, name: str) -> None:
    folder = realdata / "data" / "inspection" / name
    train, valid, test = (read_split(folder / f"{part}.csv") for part in ("train", "val", "test"))
    shown, means = SHOWN[name].split(), {}
    for preset in ("fast", "full"):
        rows = []
        for seed in range(SEEDS):
            weights = str(realdata / "weights" / TRUNK)
            options = InspectionOptions(boxes_per_class=BUDGET[name], weights=weights, preset=preset, seed=seed)
            wall, cpu = time.perf_counter(), time.process_time()
            bundle = train_inspection(train, valid, options, tmp_path / f"{preset}{seed}")
            spent = f"train {time.perf_counter() - wall:.0f} s (processor {time.process_time() - cpu:.0f})"
            engine = Engine.open(bundle, device="cpu")
            found = evaluate_images(test, engine)
            rows.append([found.metrics[metric].value for metric in shown])
            print(f"\n{name} {preset} seed {seed}: {line_of(shown, rows[-1])} {spent}, {speed_of(found)}", flush=True)
            if preset == "full" and name == "magnetic_tile":
                print_exits(engine, valid, test)
        means[preset] = dict(zip(shown, np.mean(rows, axis=0), strict=True))
    for metric in ("pixel_auroc", "aupro", "ap33") + (("image_auroc",) if name == "magnetic_tile" else ()):
        print(f"{name} {metric}: fast {means['fast'][metric]:.3f}, full {means['full'][metric]:.3f}")
    assert means["full"]["ap33"] > means["fast"]["ap33"]
    assert means["full"]["pixel_auroc"] > means["fast"]["pixel_auroc"] - 0.01


def line_of(names: Sequence[str], values: Sequence[float]) -> str:
    return " ".join(f"{name} {value:.3f}" for name, value in zip(names, values, strict=True))


def speed_of(found: Evaluation) -> str:
    return f"one picture {found.ms_per_image['p50']:.1f} ms"


@dataclass(frozen=True)
class Walked:
    """Margins of both stages, their times, and the truth, picture by picture."""

    margin_SB: NDArray[np.float64]
    seconds_SB: NDArray[np.float64]
    yes_B: NDArray[np.bool_]


def walk(engine: Engine, images: Sequence[LabelledImage]) -> Walked:
    """Send every picture through both stages."""
    assert engine.combination is not None
    size_px = int(engine.bundle.manifest.decision["size_px"])
    margins, seconds = [], []
    for image in images:
        inputs = {"image": prepare(read_image(image.path).pixels, size_px)[None]}
        runs = PartRuns(engine.combination.stages, engine.runners, inputs)
        times = [time.perf_counter()]
        for stage in (0, 1):
            margins.append(float(runs.margin(stage, np.zeros(1, np.int64))[0]))
            times.append(time.perf_counter())
        seconds.append(np.diff(times))
    table = np.array(margins).reshape(-1, 2).T
    return Walked(table, np.array(seconds).T, np.array([image.defective for image in images]))


def print_exits(engine: Engine, valid: Sequence[LabelledImage], test: Sequence[LabelledImage]) -> None:
    """The table: lines by validation pictures, what they save and lose on test pictures."""
    combination = engine.combination
    assert combination is not None
    first, second = combination.stages
    held, seen = walk(engine, valid), walk(engine, test)
    odds = first.calibrator.log_odds(held.margin_SB[0])
    lines: list[tuple[str, float | None]] = [("chosen", first.low)]
    lines += [(f"{share:.2f}", float(np.quantile(odds, share)) if share else None) for share in LEAVING[:-1]]
    lines += [("1.00", 1e9)]
    stop = float(engine.bundle.manifest.decision["threshold"])
    print("line | leave | operations | ms | image AUROC | escape | overkill")
    for name, low in lines:
        left = Combination(stages=(replace(first, low=low), second)).decide(seen.margin_SB)
        stay = left.exit_B == 1
        ranking = rank(seen.yes_B, left.log_odds_B)
        flagged = left.log_odds_B >= np.log(stop / (1 - stop))
        spent = combination.operations(left.exit_B) / (first.operations + second.operations)
        ms = 1000 * (np.median(seen.seconds_SB[0]) + stay.mean() * np.median(seen.seconds_SB[1]))
        auroc = auc_of(count(ranking, np.ones(len(stay))))
        rates = f"{(~flagged)[seen.yes_B].mean():.3f} | {flagged[~seen.yes_B].mean():.3f}"
        print(f"{name} | {1 - stay.mean():.2f} | {spent:.2f} | {ms:.1f} | {auroc:.3f} | {rates}", flush=True)


@pytest.mark.bench
@pytest.mark.realdata
@pytest.mark.timeout(14_400)
def test_few_labels_with_and_without_a_self_supervised_start(realdata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On validation pictures of neu_det, at 160 px and few steps; labels are drawn class by class."""
    folder = realdata / "data" / "inspection" / "neu_det"
    train, valid = (read_split(folder / f"{part}.csv") for part in ("train", "val"))
    print("\nlabels | start | accuracy | AP33 | pixel AUROC | pixel AP")
    for share in SHARES:
        some = labelled(train, share)
        rest = [image for image in train if image not in some]
        for steps in (0, SHORT_STEPS):
            monkeypatch.setitem(PRESETS, "full", replace(PRESETS["full"], steps=SHORT_STEPS, pretrain_steps=steps))
            weights = str(realdata / "weights" / TRUNK)
            options = InspectionOptions(preset="full", size_px=SHORT_PX, weights=weights)
            print(f"{share:.2f} | {steps} | {learn_few(some, rest, valid, options)}", flush=True)


def labelled(images: Sequence[LabelledImage], share: float) -> list[LabelledImage]:
    """The first pictures of each class in a fixed random order."""
    order = np.random.default_rng(0).permutation(len(images))
    kept: list[LabelledImage] = []
    for label in sorted({image.label for image in images}):
        mine = [images[place] for place in order if images[place].label == label]
        kept += mine[: max(1, round(share * len(mine)))]
    return kept


def learn_few(
    some: list[LabelledImage], rest: list[LabelledImage], valid: Sequence[LabelledImage], options: InspectionOptions
) -> str:
    """Train without an export, and measure torch's own answers."""
    labels = label_names([*some, *valid])
    samples = load_samples(some, labels, options.size_px, quiet)
    torch.manual_seed(options.seed)
    network = make_network(options, len(labels))
    assert isinstance(network, ExpertNet)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    start(network, [*samples, *bare_samples(rest, options)], options, quiet)
    learn(network, samples, options, quiet)
    run, told = answers_of(network)
    found = validate(valid, run, labels, options.size_px, quiet)
    torch.set_num_threads(threads)
    right = np.mean([labels[place] == image.label for place, image in zip(told, valid, strict=True)])
    ap33 = mean_average_precision(match(found.found, found.true, 0.33))
    return f"{right:.3f} | {ap33:.3f} | {pixel_auroc(found.pixels):.3f} | {pixel_average_precision(found.pixels):.3f}"


def answers_of(network: ExpertNet) -> tuple[Callable[[dict[str, Array]], dict[str, Array]], list[int]]:
    """A runner of both stages, and the list in which it keeps the classes that it told."""
    first, second = ServedFirst(network).eval(), ServedSecond(network).eval()
    told: list[int] = []

    def run(inputs: dict[str, Array]) -> dict[str, Array]:
        with torch.no_grad():
            early = first(torch.from_numpy(inputs["image"]))
            late = second(**{f"features_{name}": early[f"features_{name}"] for name in Features._fields})
        told.append(int(late["label_logits"].argmax()))
        return {name: value.numpy() for name, value in late.items()} | {"margin": late["margin_1"].numpy()}

    return run, told

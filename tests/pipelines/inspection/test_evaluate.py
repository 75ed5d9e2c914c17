"""Evaluation through the engine, and its metrics against plain arithmetic."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score, roc_auc_score

from core.errors import InputError
from core.runtime.engine import Engine
from data.inspection.split_file import LabelledImage
from pipelines.inspection.evaluate import evaluate_images
from pipelines.inspection.judge import Judgement
from pipelines.inspection.verdicts import class_metrics, escape_overkill, image_metrics, verdicts_of

NAMES = {
    "image_auroc", "image_average_precision", "accuracy", "balanced_accuracy", "f1", "escape_rate", "overkill_rate",
    "pixel_auroc", "pixel_average_precision", "aupro", "aupro_005", "pixel_f1_2px", "ap50", "ap33",
}  # fmt: skip


def test_the_document_has_every_metric_of_the_contract(surfaces: SimpleNamespace, engine: Engine) -> None:
    document = json.loads(json.dumps(evaluate_images(surfaces.test, engine).to_json(), allow_nan=False))
    assert set(document) >= NAMES | {"per_class", "ms_per_image"}
    for name in NAMES:
        assert document[name]["low"] <= document[name]["value"] <= document[name]["high"]
    assert set(document["ms_per_image"]) == {"p50", "p99"}


def test_without_good_pictures_image_metrics_are_missing_with_a_cause(
    surfaces: SimpleNamespace, engine: Engine
) -> None:
    defective = [image for image in (*surfaces.test, *surfaces.valid) if image.defective]
    document = evaluate_images(defective, engine).to_json()
    for name in ("image_auroc", "image_average_precision", "f1"):
        assert document[name] == {"value": None, "missing": "one class"}
    assert document["overkill_rate"] == {"value": None, "missing": "no defect-free picture"}
    assert document["escape_rate"]["value"] is not None


def test_without_locations_pixel_metrics_are_missing_with_a_cause(surfaces: SimpleNamespace, engine: Engine) -> None:
    blind = [replace(image, mask=None, boxes=()) for image in surfaces.test]
    document = evaluate_images(blind, engine).to_json()
    for name in ("pixel_auroc", "aupro", "pixel_f1_2px", "ap50"):
        assert document[name] == {"value": None, "missing": "no mask or box"}


def test_a_picture_that_cannot_be_read_is_listed_and_left_out(
    surfaces: SimpleNamespace, engine: Engine, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    evaluation = evaluate_images(
        [replace(surfaces.test[0], path=broken, name="broken.png"), *surfaces.test[1:]], engine
    )
    assert list(evaluation.failed) == ["broken.png"]
    assert evaluation.images == len(surfaces.test) - 1
    with pytest.raises(InputError, match="not one of 1 pictures"):
        evaluate_images([replace(surfaces.test[0], path=broken)], engine)


def made_up(count: int = 60) -> tuple[list[LabelledImage], list[Judgement]]:
    rng = np.random.default_rng(0)
    truth, judged = [], []
    for number in range(count):
        label = str(rng.choice(["free", "pit", "crack"]))
        score = float(np.clip(rng.normal(0.35 + 0.3 * (label != "free"), 0.2), 0.01, 0.99))
        pit = float(np.clip(rng.normal(0.3 + 0.4 * (label == "pit"), 0.2), 0, 1))
        name = f"{number}.png"
        truth.append(LabelledImage(path=Path(name), name=name, label=label, defective=label != "free"))
        labels = {"pit": pit * score, "crack": (1 - pit) * score}
        judged.append(Judgement(image_id=name, path=None, verdict="review", score=score, threshold=0.5, labels=labels))
    return truth, judged


def test_verdict_metrics_agree_with_scikit_learn() -> None:
    truth, judged = made_up()
    metrics = {
        name: metric.value for name, metric in image_metrics(verdicts_of(truth, judged, ["pit", "crack"]), 0).items()
    }
    yes, p = [image.defective for image in truth], [judgement.score for judgement in judged]
    told = [max(j.labels, key=lambda name: j.labels[name]) if j.score >= 0.5 else "free" for j in judged]  # type: ignore[operator]
    true = [image.label for image in truth]
    flagged = np.array(told) != "free"
    assert metrics["image_auroc"] == pytest.approx(roc_auc_score(yes, p))
    assert metrics["image_average_precision"] == pytest.approx(average_precision_score(yes, p))
    assert metrics["accuracy"] == pytest.approx(np.mean([a == b for a, b in zip(told, true, strict=True)]))
    assert metrics["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(true, told))
    assert metrics["f1"] == pytest.approx(f1_score(yes, flagged))
    assert metrics["escape_rate"] == pytest.approx(1 - flagged[yes].mean())
    assert metrics["overkill_rate"] == pytest.approx(flagged[~np.array(yes)].mean())


def test_metrics_by_class_look_at_that_class_against_the_good_ones() -> None:
    truth, judged = made_up()
    found = class_metrics(verdicts_of(truth, judged, ["pit", "crack"]), 0)
    keep = [place for place, image in enumerate(truth) if image.label in ("free", "pit")]
    expected = roc_auc_score([truth[k].defective for k in keep], [judged[k].score for k in keep])
    assert set(found) == {"pit", "crack"}
    assert found["pit"]["image_auroc"].value == pytest.approx(expected)


def test_the_curve_gives_escape_and_overkill_at_each_threshold() -> None:
    truth, judged = made_up()
    seen = verdicts_of(truth, judged, ["pit", "crack"])
    curve = escape_overkill(seen)["escape_overkill"]
    for line, escape, overkill in zip(curve["threshold"], curve["escape"], curve["overkill"], strict=True):
        assert escape == pytest.approx((seen.p_B[seen.yes_B] < line).mean())
        assert overkill == pytest.approx((seen.p_B[~seen.yes_B] >= line).mean())
    good = [place for place, image in enumerate(truth) if not image.defective]
    good_only = verdicts_of([truth[place] for place in good], [judged[place] for place in good], ["pit", "crack"])
    assert escape_overkill(good_only) == {}

"""The preset `full` end to end on a small generated set (see conftest), with few steps."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.batch import Batch
from core.runtime.cascade import Combination
from core.runtime.engine import Engine
from data.images import read_image
from pipelines.inspection import options as choices
from pipelines.inspection.evaluate import evaluate_images
from pipelines.inspection.judge import judge_many
from pipelines.inspection.options import InspectionOptions
from pipelines.inspection.train import train_inspection

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
STEPS = 12


class CutOffError(Exception):
    """Stands for the end of a process."""


@pytest.fixture(autouse=True, scope="module")
def short() -> object:
    """Let `full` have a few steps only."""
    before = choices.PRESETS["full"]
    choices.PRESETS["full"] = replace(before, steps=STEPS, pictures=4, ema=0.5, pretrain_steps=4)
    yield
    choices.PRESETS["full"] = before


@pytest.fixture(scope="module")
def options() -> InspectionOptions:
    return InspectionOptions(preset="full", size_px=64)


@pytest.fixture(scope="module")
def full(surfaces: SimpleNamespace, options: InspectionOptions, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("full") / "bundle"
    bundle = train_inspection(surfaces.train, surfaces.valid, options, folder, unlabelled=surfaces.test[:2])
    return Engine.open(bundle, device="cpu", threads=1)


def leaving(engine: Engine, low: float | None) -> Engine:
    """The same engine with another line at its exit."""
    assert engine.combination is not None
    first, second = engine.combination.stages
    return replace(engine, combination=Combination(stages=(replace(first, low=low), second)))


def test_a_bundle_holds_two_stages_and_says_what_they_cost(full: Engine) -> None:
    manifest = full.bundle.manifest
    assert list(manifest.parts) == ["network_0", "network_1"]
    assert manifest.combination is not None
    assert all(stage.operations > 0 for stage in manifest.combination.stages)
    assert manifest.about["parity"]["worst"] <= manifest.about["parity"]["tolerance"]


def test_pictures_are_judged_and_measured_like_any(full: Engine, surfaces: SimpleNamespace) -> None:
    pictures = [read_image(image.path) for image in surfaces.test]
    for picture, judgement in zip(pictures, judge_many(pictures, full), strict=True):
        assert judgement.verdict in ("pass", "review", "reject")
        assert (judgement.verdict == "pass") == (not judgement.regions)
        for region in judgement.regions:
            x0, y0, x1, y1 = region.box
            assert 0 <= x0 < x1 <= picture.width_px
            assert 0 <= y0 < y1 <= picture.height_px
    assert not evaluate_images(surfaces.test, full).failed


def test_what_leaves_early_runs_no_second_stage_and_the_rest_answers_as_before(full: Engine) -> None:
    image = np.random.default_rng(0).normal(0, 0.4, (6, 3, 64, 64)).astype(np.float32)
    batch = Batch(inputs={"image": image})
    whole, none = leaving(full, None).predict(batch), leaving(full, 1e6).predict(batch)
    assert whole.outputs["exit"].tolist() == [1] * 6
    assert none.outputs["exit"].tolist() == [0] * 6
    some = leaving(full, float(np.median(none.outputs["margin"]))).predict(batch)
    assert sorted(some.outputs["exit"].tolist()) == [0, 0, 0, 1, 1, 1]
    for place, exit_number in enumerate(some.outputs["exit"]):
        wanted = (none, whole)[exit_number]
        for name in ("margin", "defect_map", "label_logits", "boxes"):
            np.testing.assert_allclose(some.outputs[name][place], wanted.outputs[name][place], atol=1e-4)


@pytest.mark.slow
def test_a_run_that_was_cut_off_goes_on_and_gives_the_same_answers(
    surfaces: SimpleNamespace, options: InspectionOptions, full: Engine, tmp_path: Path
) -> None:
    def stop_half_way(share: float, words: str) -> None:
        if share > 0.5:
            raise CutOffError

    resumed = replace(options, resume=tmp_path / "run")
    with pytest.raises(CutOffError):
        train_inspection(surfaces.train, surfaces.valid, resumed, tmp_path / "bundle", stop_half_way)
    bundle = train_inspection(surfaces.train, surfaces.valid, resumed, tmp_path / "bundle")
    batch = Batch(inputs={"image": np.random.default_rng(0).normal(0, 0.4, (2, 3, 64, 64)).astype(np.float32)})
    one = full.patient().predict(batch)
    two = Engine.open(bundle, device="cpu", threads=1).patient().predict(batch)
    assert np.allclose(one.outputs["defect_map"], two.outputs["defect_map"], atol=1e-4)
    assert np.allclose(one.outputs["margin"], two.outputs["margin"], atol=1e-2)

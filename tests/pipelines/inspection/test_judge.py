"""The main path, with the small model of conftest."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from core.runtime.engine import Engine
from data.images import read_image
from data.records import StationImage
from pipelines.inspection.judge import judge, judge_many, unknown


def test_the_answer_has_the_contracts_fields(surfaces: SimpleNamespace, engine: Engine) -> None:
    image = read_image(surfaces.test[0].path)
    answer = json.loads(json.dumps(judge(image, engine).to_json(), allow_nan=False))
    assert list(answer) == ["id", "path", "verdict", "score", "threshold", "label", "labels", "regions", "error"]
    assert answer["verdict"] in ("pass", "review", "reject")
    assert sum(answer["labels"].values()) == pytest.approx(answer["score"])


def test_many_pictures_get_the_answers_they_get_alone(surfaces: SimpleNamespace, engine: Engine) -> None:
    images = [read_image(one.path) for one in surfaces.test]
    images[1] = StationImage(image_id="tall", pixels=images[1].pixels[:, :50])
    together = judge_many(images, engine, heatmap=True)
    for image, answer in zip(images, together, strict=True):
        alone = judge(image, engine, heatmap=True)
        assert answer.image_id == image.image_id
        assert answer.score == pytest.approx(alone.score, abs=1e-4)
        assert answer.heatmap is not None
        assert alone.heatmap is not None
        assert np.allclose(answer.heatmap, alone.heatmap, atol=1e-3)


def test_a_heatmap_has_the_size_of_the_picture(engine: Engine) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (51, 133, 3), dtype=np.uint8)
    answer = judge(StationImage(image_id="x", pixels=pixels), engine, heatmap=True)
    assert answer.heatmap is not None
    assert answer.heatmap.shape == (51, 133)
    assert answer.heatmap.min() >= 0
    assert answer.heatmap.max() <= 1


def test_a_rejected_picture_always_shows_where(surfaces: SimpleNamespace, engine: Engine) -> None:
    for one in surfaces.test:
        image = read_image(one.path)
        answer = judge(image, engine)
        if answer.verdict == "pass":
            assert answer.regions == ()
            assert answer.label is None
        else:
            assert answer.regions
            assert answer.label in answer.labels
            for region in answer.regions:
                x0, y0, x1, y1 = region.box
                assert 0 <= x0 < x1 <= image.width_px
                assert 0 <= y0 < y1 <= image.height_px


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_of_one_value_is_unknown_and_never_passes(engine: Engine, value: int) -> None:
    answer = judge(StationImage(image_id="dead", pixels=np.full((60, 60, 3), value, np.uint8)), engine)
    assert answer.verdict == "unknown"
    assert answer.error is not None
    assert answer.error.startswith("NO_CONTRAST")


def test_what_cannot_be_decoded_has_an_answer_too() -> None:
    answer = unknown("a", "b.png", "BAD_IMAGE: no picture").to_json()
    assert (answer["verdict"], answer["score"], answer["regions"]) == ("unknown", None, [])


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (3, 700), (700, 3)])
def test_odd_shapes_are_judged(engine: Engine, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    assert judge(StationImage(image_id="x", pixels=pixels), engine).error is None


def test_judging_imports_no_torch() -> None:
    code = "import sys, pipelines.inspection.judge; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Boxes move with their picture."""

import cv2
import numpy as np
import pytest

from pipelines.inspection.attention import Known
from pipelines.inspection.augment import Variation, vary
from pipelines.inspection.box_targets import boxes_around, move_boxes
from pipelines.inspection.prepare import Canvas
from pipelines.inspection.samples import UNNAMED, Sample


@pytest.mark.parametrize("seed", range(8))
def test_a_moved_box_lies_around_the_moved_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(10, 40, 2)
    box = np.array([[x, y, x + 30, y + 16, 3]], np.float32)
    picture = np.zeros((80, 96), np.uint8)
    picture[y : y + 16, x : x + 30] = 255
    flip, scale = rng.choice((-1.0, 1.0)), rng.uniform(0.8, 1.2)
    matrix = np.array([[flip * scale, 0.03, 96 if flip < 0 else 0], [0.02, scale, rng.uniform(-5, 5)]])
    moved = cv2.warpAffine(picture, matrix, (96, 80))
    rows, columns = np.nonzero(moved > 100)
    ((x0, y0, x1, y1, number),) = move_boxes(box, matrix, Canvas(80, 96)).tolist()
    assert number == 3
    around = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert np.abs(np.array([x0, y0, x1, y1]) - around).max() < 2.5


def test_a_box_that_leaves_the_canvas_is_cut_or_left_out() -> None:
    boxes = np.array([[-10, 0, 10, 20, 1], [-18, 0, 2, 20, 1], [200, 0, 220, 20, 2]], np.float32)
    kept = move_boxes(boxes, np.array([[1.0, 0, 0], [0, 1.0, 0]]), Canvas(64, 64))
    assert kept.tolist() == [[0, 0, 10, 20, 1]]
    assert move_boxes(np.zeros((0, 5), np.float32), np.eye(2, 3), Canvas(64, 64)).shape == (0, 5)


def test_every_part_of_a_mask_has_a_box_and_crumbs_have_none() -> None:
    places = np.zeros((20, 20), np.uint8)
    places[2:5, 3:9] = 1
    places[10:14, 10:12] = UNNAMED
    places[18, 18] = 2
    assert boxes_around(places).tolist() == [[3, 2, 9, 5, 1], [10, 10, 12, 14, -1]]


@pytest.mark.parametrize("known", [Known.BOXES, Known.MASK])
def test_an_example_tells_boxes_where_its_target_lies(known: Known) -> None:
    places = np.zeros((96, 128), np.uint8)
    places[40:60, 50:80] = 2
    pixels = np.random.default_rng(0).integers(90, 140, (96, 128), dtype=np.uint8)
    given = np.array([[50, 40, 80, 60, 2]], np.float32)
    sample = Sample(pixels, places, known, 2, "g", Canvas(96, 128), given)
    for seed in range(20):
        example = vary(sample, (), Variation(paste_on_defective=0.0), np.random.default_rng(seed))
        rows, columns = np.nonzero(example.target)
        x0, y0, x1, y1, number = example.boxes[0].tolist()
        assert number == 2
        assert x0 / 4 - 2 <= columns.min()
        assert columns.max() <= x1 / 4 + 2
        assert y0 / 4 - 2 <= rows.min()
        assert rows.max() <= y1 / 4 + 2

"""Told boxes become regions."""

import numpy as np
import pytest

from core.metrics.boxes import BoxList
from pipelines.inspection.box_regions import choose_box_line, name_boxes, read_boxes


def told(rows: list[tuple[float, ...]]) -> np.ndarray:
    """Points that tell boxes: sides as shares, then two scores; (6, 1, N)."""
    return np.array(rows, np.float32).T[:, None]


HEAT = np.zeros((50, 100), np.float32)


def test_of_boxes_in_one_place_the_surest_is_told_and_classes_are_apart() -> None:
    boxes = told(
        [
            (0.1, 0.2, 0.5, 0.8, 0.9, 0.3),
            (0.2, 0.2, 0.5, 0.5, 0.8, 0.1),  # a part of the same place: dropped
            (0.6, 0.2, 0.9, 0.8, 0.7, 0.0),
            (0.6, 0.2, 0.9, 0.8, 0.04, 0.0),
        ]
    )
    found = read_boxes(boxes, HEAT, 0.2)
    assert found.score_N.tolist() == pytest.approx([0.9, 0.7, 0.3])
    assert found.label_N.tolist() == [0, 0, 1]
    assert found.box_N4[0].tolist() == [10, 10, 50, 40]


def test_boxes_that_agree_are_averaged_by_their_scores() -> None:
    (box,) = read_boxes(told([(0.1, 0.2, 0.5, 0.8, 0.6, 0.0), (0.13, 0.2, 0.53, 0.8, 0.3, 0.0)]), HEAT, 0.2).box_N4
    assert box.tolist() == [11, 10, 51, 40]


def test_a_told_box_lies_inside_the_picture_and_has_an_area() -> None:
    boxes = told([(-0.5, 0.999, 1.7, 1.2, 0.9, 0.0), (0.5, 0.5, 0.5, 0.5, 0.0, 0.8)])
    for region in name_boxes(read_boxes(boxes, HEAT, 0.5), HEAT, ("a", "b"), 0.5):
        x0, y0, x1, y1 = region.box
        assert 0 <= x0 < x1 <= 100
        assert 0 <= y0 < y1 <= 50
        assert region.area_px == (x1 - x0) * (y1 - y0)


def test_the_area_is_what_the_map_shows_inside_the_box() -> None:
    heat = HEAT.copy()
    heat[20:24, 20:30] = 0.9
    (region,) = name_boxes(read_boxes(told([(0.1, 0.2, 0.5, 0.8, 0.9, 0.0)]), heat, 0.5), heat, ("a", "b"), 0.5)
    assert region.area_px == 40
    assert region.label == "a"


def test_nothing_sure_is_no_region() -> None:
    found = read_boxes(told([(0.1, 0.2, 0.5, 0.8, 0.1, 0.1)]), HEAT, 0.5)
    assert found.box_N4.shape == (0, 4)
    assert name_boxes(found, HEAT, ("a", "b"), 0.5) == ()


def test_the_line_lies_where_hits_end() -> None:
    square = np.array([[0.0, 0, 10, 10]])
    away = np.array([[30.0, 30, 40, 40]])
    true = [BoxList(square, np.array([0]), np.ones(1)) for _ in range(3)]
    found = [
        BoxList(np.concatenate([square, away]), np.array([0, 0]), np.array([0.9 - 0.1 * place, 0.3]))
        for place in range(3)
    ]
    assert choose_box_line(found, true) == pytest.approx(0.7)
    assert choose_box_line([BoxList(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0))] * 3, true) == 0.5
    assert choose_box_line([], []) == 0.5

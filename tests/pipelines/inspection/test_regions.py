"""Regions of a defect map."""

import numpy as np

from pipelines.inspection.regions import find_regions, heat_of, scale_to


def spot(label: int, rows: slice, columns: slice, value: float = 0.9, classes: int = 2) -> np.ndarray:
    map_Khw = np.full((classes, 20, 30), 0.01, np.float32)
    map_Khw[label, rows, columns] = value
    return map_Khw


def test_a_spot_becomes_a_box_in_the_pixels_of_the_picture() -> None:
    (region,) = find_regions(spot(1, slice(5, 10), slice(10, 20)), 80, 120, ["pit", "crack"], 0.5)
    x0, y0, x1, y1 = region.box
    assert abs(x0 - 40) <= 2
    assert abs(x1 - 80) <= 2
    assert abs(y0 - 20) <= 2
    assert abs(y1 - 40) <= 2
    assert region.label == "crack"
    assert abs(region.score - 0.91) < 0.01
    assert 600 < region.area_px <= (x1 - x0) * (y1 - y0)


def test_regions_come_strongest_first() -> None:
    both = np.maximum(spot(0, slice(2, 5), slice(2, 5), 0.7), spot(1, slice(12, 15), slice(20, 25), 0.95))
    regions = find_regions(both, 80, 120, ["pit", "crack"], 0.5)
    assert [region.label for region in regions] == ["crack", "pit"]


def test_nothing_above_the_threshold_is_no_region() -> None:
    assert find_regions(spot(0, slice(2, 5), slice(2, 5), 0.3), 80, 120, ["pit", "crack"], 0.5) == ()


def test_the_whole_picture_may_be_one_region() -> None:
    (region,) = find_regions(np.full((1, 4, 4), 0.8, np.float32), 33, 17, ["stain"], 0.5)
    assert region.box == (0, 0, 17, 33)
    assert region.area_px == 33 * 17


def test_a_region_smaller_than_a_point_of_the_map_still_has_a_label() -> None:
    map_Khw = np.zeros((2, 8, 8), np.float32)
    map_Khw[1, 3, 3] = 0.9
    regions = find_regions(map_Khw, 8, 8, ["pit", "crack"], 0.85)
    assert [region.label for region in regions] == ["crack"]
    tiny = find_regions(map_Khw, 3, 3, ["pit", "crack"], 0.01)
    assert all(region.label == "crack" for region in tiny)


def test_heat_is_the_sum_over_classes_and_never_above_one() -> None:
    assert heat_of(np.full((3, 2, 2), 0.4, np.float32)).max() == 1.0
    assert scale_to(np.zeros((2, 2), np.float32), 7, 5).shape == (7, 5)

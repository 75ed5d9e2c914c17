"""The picture under its heatmap, and the figures beside it."""

import numpy as np
import pytest

from dashboards.inspection import figures
from dashboards.inspection.figures import Region
from dashboards.words import Words

EN = Words("en")
GREY = np.full((40, 60, 3), 120, dtype=np.uint8)


def test_without_a_heatmap_the_picture_is_untouched() -> None:
    assert figures.overlay(GREY, None, 0.7) is GREY
    assert figures.overlay(GREY, np.zeros((4, 6), np.uint8), 0.0) is GREY


def test_where_nothing_is_wrong_the_picture_stays_as_it_is() -> None:
    heat = np.zeros((40, 60), dtype=np.uint8)
    heat[:20] = 255
    mixed = figures.overlay(GREY, heat, 0.8)
    assert (mixed[30:] == 120).all()
    assert (mixed[5] != 120).any()


def test_a_small_heatmap_is_laid_over_the_whole_picture() -> None:
    heat = np.zeros((4, 6), dtype=np.uint8)
    heat[0, 0] = 255
    mixed = figures.overlay(GREY, heat, 1.0).astype(int)
    changed = np.abs(mixed - 120).sum(axis=2)
    assert changed[2, 2] > changed[20, 30] == 0
    assert mixed.shape == GREY.shape


def test_regions_are_drawn_in_pixels_of_the_uploaded_picture() -> None:
    regions = [
        Region(box=(100, 200, 300, 260), score=0.9, label="scratch", area_px=9),
        Region(box=(0, 0, 20, 20), score=0.3, label="pit", area_px=4),
    ]
    figure = figures.picture(GREY, (600, 400), regions, 0.5, EN, heat=True)
    assert tuple(figure.layout.xaxis.range) == (0, 600)
    assert tuple(figure.layout.yaxis.range) == (400, 0)
    drawn = [(shape.x0, shape.y0, shape.x1, shape.y1, shape.line.dash) for shape in figure.layout.shapes]
    assert (100, 200, 300, 260, "solid") in drawn
    assert (0, 0, 20, 20, "dot") in drawn


def test_labels_of_defects_are_no_markup() -> None:
    region = Region(box=(0, 0, 9, 9), score=0.9, label="<img src=x>", area_px=1)
    figure = figures.picture(GREY, (60, 40), [region], 0.5, EN, heat=False)
    assert "<img" not in figure.layout.annotations[0].text


def test_the_curve_says_escape_and_overkill_at_the_chosen_threshold() -> None:
    curve = {"threshold": [0.0, 0.5, 1.0], "escape": [0.0, 0.1, 0.9], "overkill": [1.0, 0.2, 0.0]}
    figure = figures.escape_overkill(curve, 0.5, EN)
    assert figure.layout.annotations[0].text == "escape 10.0 %, overkill 20.0 %"
    assert figure.layout.shapes[0].x0 == pytest.approx(0.5)


def test_the_bars_of_verdicts_add_up() -> None:
    figure = figures.verdict_counts({"now": {"pass": 7, "reject": 2}, "then": {"pass": 5, "reject": 4}}, EN, "t")
    assert [sum(bar.x[row] for bar in figure.data) for row in (0, 1)] == [9, 9]

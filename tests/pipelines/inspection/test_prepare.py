"""Preparation of pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.inspection.prepare import STRIDE, Canvas, canvas_for, fit, has_contrast, normalise, prepare


@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([64, 96, 256, 320]))
def test_every_canvas_has_sides_of_32_and_about_the_asked_area(height: int, width: int, size_px: int) -> None:
    canvas = canvas_for(height, width, size_px)
    assert canvas.height % STRIDE == 0
    assert canvas.width % STRIDE == 0
    assert 0.6 * size_px**2 <= canvas.height * canvas.width <= 1.7 * size_px**2


def test_aspect_is_kept_within_a_fifth_at_the_usual_size() -> None:
    for height, width in ((250, 600), (400, 110), (300, 300), (370, 260)):
        canvas = canvas_for(height, width, 320)
        assert abs(np.log(canvas.width / canvas.height) - np.log(width / height)) < 0.2


def test_exposure_and_contrast_do_not_change_the_input() -> None:
    pixels = np.random.default_rng(0).integers(60, 120, (64, 64, 3), dtype=np.uint8)
    brighter = (pixels.astype(float) * 1.5 + 40).astype(np.uint8)
    assert np.abs(normalise(pixels) - normalise(brighter)).max() < 0.05


def test_a_grey_picture_gives_the_same_with_one_and_with_three_channels() -> None:
    grey = np.random.default_rng(0).integers(0, 255, (32, 64), dtype=np.uint8)
    assert np.allclose(normalise(grey), normalise(np.repeat(grey[..., None], 3, axis=2)), atol=1e-5)


def test_a_flat_picture_stays_small_numbers() -> None:
    pixels = np.full((40, 40, 3), 128, np.uint8)
    pixels[0, 0] = 129
    assert np.abs(prepare(pixels, 64)).max() < 0.2


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (500, 1, 3)])
def test_odd_shapes_are_prepared_without_error(shape: tuple[int, int, int]) -> None:
    assert np.isfinite(prepare(np.zeros(shape, np.uint8), 64)).all()


def test_shrinking_keeps_a_thin_line() -> None:
    pixels = np.full((640, 640, 3), 200, np.uint8)
    pixels[:, 333] = 0
    assert fit(pixels, Canvas(160, 160)).min() < 160


def test_a_picture_of_one_value_has_no_contrast() -> None:
    assert not has_contrast(np.full((5, 5, 3), 9, np.uint8))
    assert has_contrast(np.arange(75, dtype=np.uint8).reshape(5, 5, 3))

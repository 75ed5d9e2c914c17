"""Variation of training pictures."""

import numpy as np
import pytest

from pipelines.inspection.attention import Known
from pipelines.inspection.augment import Variation, cut_patches, draw, map_targets, paste, vary
from pipelines.inspection.prepare import Canvas
from pipelines.inspection.samples import UNNAMED, Sample

PLAIN = Variation(paste=0.0, draw=0.0, paste_on_defective=0.0)


def sample_of(known: Known = Known.MASK, *, colour: bool = False, seed: int = 0) -> Sample:
    """A grey surface of 96 x 128 with one dark spot."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(110, 140, (96, 128, 3) if colour else (96, 128), dtype=np.uint8)
    pixels[40:52, 60:76] //= 4
    places = np.zeros((96, 128), np.uint8)
    places[40:52, 60:76] = 2
    located = known in (Known.MASK, Known.BOXES)
    label = 0 if known == Known.NORMAL else 2
    return Sample(pixels, places if located else None, known, label, "g", Canvas(96, 128))


@pytest.mark.parametrize("known", list(Known))
@pytest.mark.parametrize("colour", [False, True])
def test_every_kind_of_sample_gives_an_example_of_the_canvas(known: Known, colour: bool) -> None:
    sample = sample_of(known, colour=colour)
    bank = cut_patches([sample_of()])
    for seed in range(20):
        example = vary(sample, bank, Variation(), np.random.default_rng(seed))
        assert example.image.shape == (3, 96, 128)
        assert np.isfinite(example.image).all()
        assert example.target.shape == example.counted.shape == (24, 32)
        assert example.target.any() == (example.known in (Known.MASK, Known.BOXES))


def test_the_target_moves_with_the_defect() -> None:
    """Wherever flips, zooms and shifts put the spot, the target lies on the dark part of the picture."""
    for seed in range(30):
        example = vary(sample_of(), [], PLAIN, np.random.default_rng(seed))
        small = example.image[0].reshape(24, 4, 32, 4).mean(axis=(1, 3))
        assert small[example.target == 2].mean() < small[example.target == 0].mean() - 0.3


def test_the_same_generator_gives_the_same_example() -> None:
    one, two = (vary(sample_of(), [], Variation(), np.random.default_rng(7)) for _ in range(2))
    assert (one.image == two.image).all()
    assert (one.target == two.target).all()


def test_points_that_are_barely_covered_do_not_count() -> None:
    places = np.zeros((16, 16), np.uint8)
    places[0:4, 0:4] = 3
    places[0, 4] = 3
    target, counted = map_targets(places)
    assert target[0, 0] == 3
    assert counted[0, 0] == 1
    assert target[0, 1] == 0
    assert counted[0, 1] == 0
    assert counted.sum() == 15


def test_a_defect_smaller_than_a_point_still_has_a_target() -> None:
    places = np.zeros((16, 16), np.uint8)
    places[5, 6] = UNNAMED
    target, _ = map_targets(places)
    assert (target == -1).sum() == 1


@pytest.mark.parametrize("colour", [False, True])
def test_a_pasted_defect_darkens_where_it_says_it_lies(colour: bool) -> None:
    (patch,) = cut_patches([sample_of(colour=colour)])
    clean = np.full((96, 128, 3) if colour else (96, 128), 125, np.uint8)
    pixels, places = paste(clean, np.zeros((96, 128), np.uint8), patch, np.random.default_rng(1))
    assert set(np.unique(places)) == {0, 2}
    assert pixels[places == 2].mean() < 100
    assert abs(pixels[places == 0].mean() - 125) < 3


def test_a_patch_larger_than_the_picture_still_fits() -> None:
    (patch,) = cut_patches([sample_of()])
    pixels, places = paste(np.full((8, 8), 125, np.uint8), np.zeros((8, 8), np.uint8), patch, np.random.default_rng(0))
    assert pixels.shape == places.shape == (8, 8)


def test_drawn_defects_have_no_name_and_change_the_picture_there() -> None:
    clean = np.full((96, 128), 125, np.uint8)
    for seed in range(20):
        pixels, places = draw(clean, np.zeros((96, 128), np.uint8), np.random.default_rng(seed))
        assert set(np.unique(places)) <= {0, UNNAMED}
        changed = np.abs(pixels.astype(int) - 125)
        if places.any():
            assert changed[places > 0].mean() > changed[places == 0].mean()


def test_only_small_masked_defects_are_cut_out() -> None:
    large = sample_of()
    assert large.places is not None
    large.places[10:90, 10:120] = 2
    assert cut_patches([large, sample_of(Known.BOXES), sample_of(Known.NORMAL)]) == []

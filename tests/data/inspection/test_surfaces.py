"""Generated surfaces: the same bytes for the same seed, honest masks, no leak, and work left for a model."""

import csv
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from data.images import read_image
from data.inspection.defects import DEFECTS, add_defect
from data.inspection.distractors import DISTRACTORS, add_distractor
from data.inspection.split_file import LabelledImage, located, read_mask, read_split, shared_groups
from data.inspection.surfaces import make_sample, make_surfaces
from data.inspection.textures import TEXTURES, make_product, make_surface


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[LabelledImage, ...]]:
    folder = tmp_path_factory.mktemp("surfaces")
    paths = make_surfaces(folder, images=200, seed=7, size=96)
    return {path.stem: read_split(path) for path in paths}


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        make_surfaces(tmp_path / name, images=40, seed=seed, size=64)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_a_picture_depends_on_seed_and_index_only() -> None:
    alone = make_sample(13, seed=5, size=64)
    make_sample(12, seed=5, size=64)
    assert np.array_equal(alone.pixels, make_sample(13, seed=5, size=64).pixels)
    assert not np.array_equal(alone.pixels, make_sample(14, seed=5, size=64).pixels)


def test_one_product_line_shows_its_texture_and_its_defects(tmp_path: Path) -> None:
    make_surfaces(tmp_path, images=80, seed=0, size=64, texture="painted", defects=("pit", "stain"))
    rows = [row for path in tmp_path.glob("*.csv") for row in csv.DictReader(path.open())]
    assert {row["texture"] for row in rows} == {"painted"}
    assert {row["label"] for row in rows} == {"pit", "stain", "free"}


def test_a_texture_or_defect_that_is_not_known_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="brushed, cast, woven, tile, painted, got velvet"):
        make_surfaces(tmp_path, images=40, seed=0, texture="velvet")
    for defects in ((), ("pit", "moth")):
        with pytest.raises(InputError, match="scratch, pit, stain, crack, missing, bump, got"):
            make_surfaces(tmp_path, images=40, seed=0, defects=defects)
    assert not list(tmp_path.iterdir())


def test_the_splits_are_read_back_whole_and_share_no_lot(made: dict[str, tuple[LabelledImage, ...]]) -> None:
    assert {split: len(images) for split, images in made.items()} == {"train": 120, "val": 40, "test": 40}
    assert not shared_groups(made["train"], made["val"])
    assert not shared_groups(made["train"], made["test"])
    assert not shared_groups(made["val"], made["test"])


def test_every_split_shows_every_kind_of_defect_on_three_of_eight_parts(
    made: dict[str, tuple[LabelledImage, ...]],
) -> None:
    for images in made.values():
        assert {image.label for image in images} == {*DEFECTS, "free"}
        assert sum(image.defective for image in images) == len(images) * 3 // 8


def test_masks_have_the_size_of_their_picture_and_some_white(made: dict[str, tuple[LabelledImage, ...]]) -> None:
    for image in made["val"]:
        shape = read_image(image.path).pixels.shape[:2]
        assert shape == (96, 96)
        assert image.defective == (image.mask is not None)
        if image.mask is not None:
            assert 0 < read_mask(image.mask, shape).mean() < 0.6


def test_the_training_split_ranks_its_defects_for_a_budget(made: dict[str, tuple[LabelledImage, ...]]) -> None:
    ranks = {kind: sorted(i.budget_rank for i in made["train"] if i.label == kind) for kind in DEFECTS}  # type: ignore[type-var]
    assert all(found == list(range(len(found))) for found in ranks.values())
    kept = Counter(image.label for image in located(made["train"], 2) if image.located)
    assert kept == dict.fromkeys(DEFECTS, 2)
    assert all(image.budget_rank is None for image in made["test"])


@pytest.mark.parametrize("kind", DEFECTS)
def test_a_defect_changes_its_mask_and_little_else(kind: str) -> None:
    inside, outside = [], []
    for turn in range(12):
        rng = np.random.default_rng(turn)
        surface = make_surface(make_product("painted", rng), 128, rng)
        albedo, height = surface.albedo.copy(), surface.height.copy()
        mask = add_defect(kind, surface, 1.0, rng)
        change = np.abs(surface.albedo - albedo).mean(axis=2) + 0.1 * np.abs(surface.height - height)
        inside.append(change[mask].mean() if mask.any() else np.nan)
        outside.append(change[~mask].mean())
    assert np.nanmean(inside) > 20 * np.nanmean(outside)


def test_a_stronger_defect_is_seen_better() -> None:
    def change(strength: float) -> float:
        rng = np.random.default_rng(1)
        surface = make_surface(make_product("tile", rng), 128, rng)
        before = surface.albedo.copy()
        add_defect("stain", surface, strength, rng)
        return float(np.abs(surface.albedo - before).sum())

    assert 0 < 4 * change(0.1) < change(0.5) < change(1.0)


@pytest.mark.parametrize("texture", TEXTURES)
@pytest.mark.parametrize("size", [64, 256, 400])
def test_every_texture_is_finite_at_every_size_also_under_all_dirt(texture: str, size: int) -> None:
    rng = np.random.default_rng(size)
    surface = make_surface(make_product(texture, rng), size, rng)
    for kind in DISTRACTORS:
        add_distractor(kind, surface, 1.0, rng)
    assert surface.albedo.shape == (size, size, 3)
    assert surface.height.shape == (size, size)
    assert np.isfinite(surface.albedo).all()
    assert np.isfinite(surface.height).all()
    assert surface.albedo.dtype == surface.height.dtype == np.float32


def test_light_differs_more_between_lots_than_within_one() -> None:
    means = np.array([[make_sample(8 * lot + i, seed=0, size=64).pixels.mean() for i in range(8)] for lot in range(5)])
    assert means.mean(axis=1).std() > means.std(axis=1).mean()


def test_pictures_are_neither_burnt_out_nor_black() -> None:
    for index in range(0, 200, 9):
        pixels = make_sample(index, seed=2, size=96).pixels
        assert (pixels > 250).mean() < 0.02
        assert (pixels < 3).mean() < 0.05
        assert pixels.std() > 3


@pytest.mark.parametrize(
    ("images", "size", "words"), [(39, 64, "40 or more"), (40, 32, "64..2048"), (40, 9999, "2048")]
)
def test_too_few_pictures_and_odd_sizes_are_refused(tmp_path: Path, images: int, size: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_surfaces(tmp_path, images=images, seed=0, size=size)
    assert not list(tmp_path.iterdir())


def test_progress_runs_to_one(tmp_path: Path) -> None:
    seen: list[float] = []
    make_surfaces(tmp_path, images=40, seed=0, size=64, progress=lambda share, words: seen.append(share))
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_brightness_alone_does_not_tell_good_from_bad(made: dict[str, tuple[LabelledImage, ...]]) -> None:
    images = made["train"]
    values = np.array([[(p := read_image(image.path).pixels).mean(), p.std()] for image in images])
    bad = np.array([image.defective for image in images])
    for column in values.T:
        above = (column[bad][:, None] > column[~bad][None, :]).mean()
        assert 0.3 < above < 0.7

"""Training pictures in memory."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from core.errors import InputError
from data.inspection.split_file import Box, LabelledImage
from pipelines.inspection.attention import Known
from pipelines.inspection.samples import UNNAMED, label_names, load_samples


def quiet(share: float, words: str) -> None:
    return None


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    return tmp_path / "a.png"


def image(path: Path, label: str = "pit", **more: object) -> LabelledImage:
    return LabelledImage(path=path, name=path.name, label=label, defective=label != "free", **more)  # type: ignore[arg-type]


def test_labels_are_those_of_pictures_or_where_they_name_none_of_boxes(picture: Path) -> None:
    box = Box(label="open", x1=0, y1=0, x2=4, y2=4)
    assert label_names([image(picture, "pit"), image(picture, "free"), image(picture, "crack")]) == ("crack", "pit")
    assert label_names([image(picture, "defective", boxes=(box,))]) == ("open",)
    assert label_names([image(picture, "free")]) == ("defective",)


def test_each_kind_of_annotation_is_known_as_what_it_is(picture: Path) -> None:
    mask = picture.with_name("mask.png")
    cv2.imwrite(str(mask), np.pad(np.full((10, 10), 255, np.uint8), ((20, 60), (30, 80))))
    box = Box(label="pit", x1=5, y1=6, x2=9, y2=12)
    images = [
        image(picture, "free"),
        image(picture, "pit", mask=mask),
        image(picture, "pit", boxes=(box,)),
        image(picture, "pit"),
    ]
    normal, masked, boxed, weak = load_samples(images, ["crack", "pit"], 320, quiet)
    assert [sample.known for sample in (normal, masked, boxed, weak)] == list(Known)
    assert [sample.label for sample in (normal, masked, boxed, weak)] == [0, 2, 2, 2]
    assert masked.places is not None
    assert (masked.places == 2).sum() == 100
    assert boxed.places is not None
    assert (boxed.places[6:12, 5:9] == 2).all()
    assert (boxed.places > 0).sum() == 24


def test_a_small_box_lies_over_a_large_one(picture: Path) -> None:
    boxes = (Box(label="pit", x1=2, y1=2, x2=4, y2=4), Box(label="crack", x1=0, y1=0, x2=50, y2=50))
    (sample,) = load_samples([image(picture, "defective", boxes=boxes)], ["crack", "pit"], 320, quiet)
    assert sample.places is not None
    assert sample.places[3, 3] == 2
    assert sample.places[10, 10] == 1
    assert sample.label == -1


def test_a_mask_of_an_unnamed_defect_is_marked_as_such(picture: Path) -> None:
    mask = picture.with_name("mask.png")
    cv2.imwrite(str(mask), np.full((90, 120), 255, np.uint8))
    (sample,) = load_samples([image(picture, "defective", mask=mask)], ["crack", "pit"], 320, quiet)
    assert sample.places is not None
    assert (sample.places == UNNAMED).all()


def test_large_pictures_shrink_without_losing_thin_masks(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.random.default_rng(0).integers(0, 255, (800, 800, 3), dtype=np.uint8))
    thin = np.zeros((800, 800), np.uint8)
    thin[:, 401] = 255
    cv2.imwrite(str(tmp_path / "m.png"), thin)
    (sample,) = load_samples([image(tmp_path / "a.png", "pit", mask=tmp_path / "m.png")], ["pit"], 96, quiet)
    assert sample.pixels.shape[:2] == (120, 120)
    assert sample.places is not None
    assert sample.places.any(axis=1).all()


def test_a_mask_of_another_size_is_refused_by_name(picture: Path) -> None:
    mask = picture.with_name("mask.png")
    cv2.imwrite(str(mask), np.full((9, 9), 255, np.uint8))
    with pytest.raises(InputError, match=r"mask\.png"):
        load_samples([image(picture, "pit", mask=mask)], ["pit"], 320, quiet)

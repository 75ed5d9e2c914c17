"""What annotations say."""

from pathlib import Path

import cv2
import numpy as np

from data.inspection.split_file import Box, LabelledImage
from pipelines.inspection.truth import class_of, mask_of, true_boxes

LABELS = ["crack", "pit"]


def image(label: str, **more: object) -> LabelledImage:
    return LabelledImage(path=Path("a"), name="a", label=label, defective=label not in ("free", "ok"), **more)  # type: ignore[arg-type]


def box(label: str, x1: int = 1, y1: int = 2, x2: int = 4, y2: int = 6) -> Box:
    return Box(label=label, x1=x1, y1=y1, x2=x2, y2=y2)


def test_every_good_picture_is_of_one_class() -> None:
    assert class_of(image("free"), LABELS) == class_of(image("ok"), LABELS) == "free"


def test_a_picture_that_is_only_defective_has_the_class_of_its_boxes_where_they_agree() -> None:
    assert class_of(image("defective", boxes=(box("pit"), box("pit"))), LABELS) == "pit"
    assert class_of(image("defective", boxes=(box("pit"), box("crack"))), LABELS) == "defective"
    assert class_of(image("defective"), LABELS) == "defective"


def test_a_class_that_the_model_never_saw_keeps_its_name() -> None:
    assert class_of(image("rust"), LABELS) == "rust"


def test_masks_are_empty_for_good_pictures_and_absent_where_nobody_said() -> None:
    empty = mask_of(image("free"), (8, 9, 3))
    assert empty is not None
    assert not empty.any()
    assert mask_of(image("pit"), (8, 9, 3)) is None
    drawn = mask_of(image("pit", boxes=(box("pit"),)), (8, 9, 3))
    assert drawn is not None
    assert drawn.sum() == 12


def test_boxes_come_from_the_file_or_surround_the_parts_of_the_mask(tmp_path: Path) -> None:
    listed = true_boxes(image("defective", boxes=(box("pit"), box("rust"))), np.zeros((8, 9), bool), LABELS)
    assert listed.label_N.tolist() == [1, 2]
    mask = np.zeros((8, 9), np.uint8)
    mask[1:3, 2:5] = mask[6:8, 7:9] = 255
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    around = true_boxes(image("pit", mask=tmp_path / "m.png"), mask > 0, LABELS)
    assert sorted(around.box_N4.tolist()) == [[2, 1, 5, 3], [7, 6, 9, 8]]
    assert around.label_N.tolist() == [1, 1]

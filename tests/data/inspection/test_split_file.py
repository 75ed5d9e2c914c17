"""Split files as people write them, right and wrong."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.errors import InputError
from data.images import read_image
from data.inspection.split_file import (
    Box,
    LabelledImage,
    draw_boxes,
    located,
    read_mask,
    read_split,
    shared_groups,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures a.png .. d.png of 8 x 6 pixels and a mask m.png."""
    for name in "abcd":
        Image.new("L", (8, 6), 100).save(tmp_path / f"{name}.png")
    mask = np.zeros((6, 8), np.uint8)
    mask[1:3, 2:5] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    return tmp_path


def split(folder: Path, text: str | bytes) -> Path:
    path = folder / "split.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(folder: Path, text: str | bytes) -> str:
    path = split(folder, text)
    with pytest.raises(InputError) as caught:
        read_split(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_the_rows_come_in_order_with_all_columns(folder: Path) -> None:
    text = (
        "path,label,mask_or_boxes,template,group,budget_rank,other\n"
        "a.png,crack,m.png,,g1,3,x\n"
        "b.png,free,,,g1,,\n"
        "c.png,defective,open:1:2:3:4;short:0:0:8:6,d.png,,0,\n"
    )
    first, second, third = read_split(split(folder, text))
    assert first == LabelledImage(
        path=folder / "a.png",
        name="a.png",
        label="crack",
        defective=True,
        mask=folder / "m.png",
        group="g1",
        budget_rank=3,
        row=2,
    )
    assert (second.defective, second.classes, second.mask, second.budget_rank) == (False, (), None, None)
    assert third.boxes[0] == Box(label="open", x1=1, y1=2, x2=3, y2=4)
    assert third.classes == ("open", "short")
    assert third.template == folder / "d.png"
    assert third.group is None
    assert third.row == 4


@pytest.mark.parametrize("label", ["free", "ok", "OK", "Free"])
def test_free_and_ok_mean_no_defect(folder: Path, label: str) -> None:
    (image,) = read_split(split(folder, f"path,label\na.png,{label}\n"))
    assert not image.defective


def test_a_mark_of_order_blank_lines_windows_ends_and_quotes_are_read(folder: Path) -> None:
    text = b'\xef\xbb\xbfpath,label\r\n\r\n"a.png", crack \r\n,\r\nb.png,"fray, ""deep"""\r\n'
    assert [(i.name, i.label, i.row) for i in read_split(split(folder, text))] == [
        ("a.png", "crack", 3),
        ("b.png", 'fray, "deep"', 5),
    ]


def test_chinese_paths_and_labels_are_read(folder: Path) -> None:
    (folder / "a.png").rename(folder / "裂纹 1.png")
    (image,) = read_split(split(folder, "path,label\n裂纹 1.png,裂纹\n"))
    assert read_image(image.path).width_px == 8


def test_a_mask_of_a_defect_free_picture_is_not_kept(folder: Path) -> None:
    (image,) = read_split(split(folder, "path,label,mask_or_boxes\na.png,free,m.png\n"))
    assert image.mask is None


HEAD = "path,label,mask_or_boxes,budget_rank,template\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["is empty", "path,label"]),
        ("\n \n", ["is empty"]),
        ("path,label\n", ["no rows"]),
        ("file,label\na.png,x\n", ["line 1", "no column path", "file, label"]),
        ("path;label\na.png;x\n", ["separate them by commas"]),
        ("path,label,label\na.png,x,y\n", ["label stands there twice"]),
        ("path,label\na.png\n", ["line 2", "1 cells", "the header has 2"]),
        ("path,label\na.png,x\nb.png,y,z\n", ["line 3", "3 cells"]),
        ("path,label\n,x\n", ["line 2", "column path", "empty"]),
        ("path,label\na.png,\n", ["line 2", "column label", "empty"]),
        ("path,label\na.png,x\nz.png,x\ny.png,x\n", ["line 3", "column path", "z.png", "2 files are missing"]),
        (HEAD + "a.png,x,n.png,,\n", ["line 2", "column mask_or_boxes", "n.png"]),
        (HEAD + "a.png,x,,,t.png\n", ["line 2", "column template", "t.png"]),
        ("path,label\na.png,x\nb.png,x\na.png,y\n", ["line 4", "'a.png'", "line 2 already"]),
        (HEAD + "a.png,x,open:1:2:3,,\n", ["line 2", "open:1:2:3", "no list of boxes"]),
        (HEAD + "a.png,x,open:1:2:3:x,,\n", ["line 2", "column mask_or_boxes", "'open:1:2:3:x' is no box"]),
        (HEAD + "a.png,x,open:-1:2:3:4,,\n", ["'open:-1:2:3:4' is no box"]),
        (HEAD + "a.png,x,open:1.5:2:3:4,,\n", ["whole pixels"]),
        (HEAD + "a.png,x,:1:2:3:4,,\n", ["is no box"]),
        (HEAD + "a.png,x,open:3:2:3:4,,\n", ["empty box", "exclusive"]),
        (HEAD + "a.png,x,open:1:5:3:4,,\n", ["empty box"]),
        (HEAD + "a.png,ok,open:1:2:3:4,,\n", ["line 2", "'ok' means no defect", "correct one"]),
        (HEAD + "a.png,x,,first,\n", ["column budget_rank", "'first'"]),
        (HEAD + "a.png,x,,-1,\n", ["column budget_rank", "'-1'"]),
        (HEAD + "a.png,x,,²,\n", ["column budget_rank"]),
        ('path,label\n"a.png,x\n', ["line 2", "check the quotes"]),
        (b"path,label\na.png,\xff\xfe\n", ["line 2", "not UTF-8"]),
        (b"path,label\na.png,x\nb\0.png,x\n", ["line 3", "NUL"]),
    ],
)
def test_what_is_wrong_is_named_with_line_column_and_value(folder: Path, text: str | bytes, words: list[str]) -> None:
    message = refusal(folder, text)
    for word in words:
        assert word in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.csv"):
        read_split(tmp_path / "absent.csv")


def image(name: str, label: str = "crack", rank: int | None = None, boxes: tuple[Box, ...] = ()) -> LabelledImage:
    free = label == "free"
    mask = None if free or boxes else Path("m.png")
    return LabelledImage(
        path=Path(name), name=name, label=label, defective=not free, mask=mask, boxes=boxes, budget_rank=rank
    )


def box(label: str) -> Box:
    return Box(label=label, x1=0, y1=0, x2=1, y2=1)


class TestLocated:
    def test_none_keeps_all_and_zero_keeps_none(self) -> None:
        images = [image(f"{i}.png") for i in range(4)]
        assert located(images, None) == tuple(images)
        assert not any(i.located for i in located(images, 0))

    def test_the_rank_decides_where_there_is_one(self) -> None:
        images = [image("a", rank=2), image("b", rank=0), image("c", "pit", rank=1), image("d", "pit", rank=5)]
        assert [i.located for i in located(images, 2)] == [False, True, True, False]

    def test_a_number_a_class_is_kept_by_hash_and_labels_stay(self) -> None:
        images = [image(f"{label}/{i}.png", label) for label in ("crack", "pit") for i in range(9)]
        kept = located(images, 3)
        assert [i.label for i in kept] == [i.label for i in images]
        assert sum(i.located for i in kept if i.label == "crack") == 3
        assert sum(i.located for i in kept if i.label == "pit") == 3
        assert {i.name for i in located(images[::-1], 3) if i.located} == {i.name for i in kept if i.located}

    def test_the_class_of_a_defective_picture_is_that_of_its_boxes(self) -> None:
        images = [image(f"{i}", "defective", boxes=(box("open" if i % 2 else "short"),)) for i in range(20)]
        kept = [i for i in located(images, 4) if i.located]
        assert sorted(i.boxes[0].label for i in kept) == ["open"] * 4 + ["short"] * 4

    def test_a_negative_number_is_refused(self) -> None:
        with pytest.raises(InputError, match="0 or more"):
            located([], -1)

    @given(
        st.lists(st.sets(st.sampled_from("pqrs"), min_size=1), max_size=30),
        st.integers(0, 6),
    )
    def test_no_class_passes_its_number(self, labels: list[set[str]], number: int) -> None:
        boxes = [tuple(box(label) for label in sorted(group)) for group in labels]
        images = [image(str(i), "defective", boxes=group) for i, group in enumerate(boxes)]
        kept = [i for i in located(images, number) if i.located]
        for label in "pqrs":
            assert sum(label in i.classes for i in kept) <= number


def test_shared_groups_and_pictures_are_found() -> None:
    first = [
        LabelledImage(path=Path(p), name=p, label="x", defective=True, group=g) for p, g in (("a", "1"), ("b", None))
    ]
    second = [
        LabelledImage(path=Path(p), name=p, label="x", defective=True, group=g) for p, g in (("c", "1"), ("b", None))
    ]
    assert shared_groups(first, second) == ("1", "b")
    assert shared_groups(first, []) == ()


class TestMasks:
    def test_white_is_defect(self, folder: Path) -> None:
        mask = read_mask(folder / "m.png", (6, 8))
        assert mask.dtype == bool
        assert np.argwhere(mask).tolist() == [[y, x] for y in (1, 2) for x in (2, 3, 4)]

    @pytest.mark.parametrize("form", ["1 bit", "0 and 1", "palette", "16 bit", "class numbers", "jpeg"])
    def test_masks_of_every_form_say_the_same(self, tmp_path: Path, form: str) -> None:
        where = np.zeros((32, 32), bool)
        where[8:16, 8:24] = True
        path = tmp_path / ("m.jpg" if form == "jpeg" else "m.png")
        grey = Image.fromarray(where.astype(np.uint8) * 255)
        if form == "1 bit":
            grey.convert("1").save(path)
        elif form == "0 and 1":
            Image.fromarray(where.astype(np.uint8)).save(path)
        elif form == "palette":
            grey.convert("P").save(path)
        elif form == "16 bit":
            Image.fromarray(where.astype(np.uint16)).save(path)
        elif form == "class numbers":
            Image.fromarray(where.astype(np.uint8) * 3).save(path)
        else:
            grey.save(path, quality=70)
        assert np.array_equal(read_mask(path, (32, 32)), where)

    def test_another_size_is_refused(self, folder: Path) -> None:
        with pytest.raises(InputError, match=r"m\.png has 8 x 6 pixels, its picture 6 x 8"):
            read_mask(folder / "m.png", (8, 6))

    def test_boxes_are_drawn_with_exclusive_ends(self) -> None:
        mask = draw_boxes([Box(label="x", x1=1, y1=0, x2=3, y2=2), Box(label="y", x1=7, y1=5, x2=8, y2=6)], (6, 8))
        assert mask.sum() == 5
        assert mask[:2, 1:3].all()
        assert mask[5, 7]
        assert not draw_boxes([], (6, 8)).any()

    def test_a_box_that_leaves_the_picture_is_refused(self) -> None:
        with pytest.raises(InputError, match="x:0:0:9:6 leaves its picture of 8 x 6"):
            draw_boxes([Box(label="x", x1=0, y1=0, x2=9, y2=6)], (6, 8))


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "rows", "defective", "kept"),
    [
        ("magnetic_tile", (617, 196, 263), (186, 54, 74), 25),
        ("deeppcb", (1400, 200, 400), (700, 100, 200), None),
        ("neu_det", (1080, 180, 540), (1080, 180, 540), 30),
        ("crackforest", (70, 12, 36), (70, 12, 36), 5),
    ],
)
def test_the_real_sets_are_read_whole(
    realdata: Path, name: str, rows: tuple[int, ...], defective: tuple[int, ...], kept: int | None
) -> None:
    splits = [read_split(realdata / "data" / "inspection" / name / f"{part}.csv") for part in ("train", "val", "test")]
    assert tuple(len(images) for images in splits) == rows
    assert tuple(sum(image.defective for image in images) for images in splits) == defective
    assert not shared_groups(splits[0], splits[2])
    budget = located(splits[0], 5)
    assert [image.label for image in budget] == [image.label for image in splits[0]]
    if kept is not None:
        assert sum(image.located for image in budget) == kept
    for label in {label for image in budget for label in image.classes}:
        assert sum(label in image.classes for image in budget if image.located) <= 5
    for image in splits[2][::7]:
        shape = read_image(image.path).pixels.shape[:2]
        assert (
            image.defective == (draw_boxes(image.boxes, shape).any() or image.mask is not None)
            or image.label == "uneven"
        )
        if image.mask is not None:
            assert read_mask(image.mask, shape).any()


def test_where_keeps_the_rows_with_these_values(folder: Path) -> None:
    path = split(folder, "path,label,split\na.png,ok,train\nb.png,crack,val\nc.png,crack,train\n")
    assert [image.name for image in read_split(path, where={"split": "train"})] == ["a.png", "c.png"]
    assert [image.name for image in read_split(path, where={"split": "train", "label": "ok"})] == ["a.png"]


@pytest.mark.parametrize(("where", "word"), [({"part": "train"}, "'part'"), ({"split": "test"}, "split=test")])
def test_where_that_chooses_nothing_is_refused(folder: Path, where: dict[str, str], word: str) -> None:
    with pytest.raises(InputError, match=word):
        read_split(split(folder, "path,label,split\na.png,ok,train\n"), where=where)

"""The split file: which pictures there are, what they show, and where.

Columns `path` and `label`; where there are any, `mask_or_boxes` (a mask's path, or `class:x1:y1:x2:y2;...`), `template`
(an aligned defect-free picture), `group` (rows that must not be split), `budget_rank`; other columns are ignored.
Paths are relative to the file. Label `free` or `ok` means no defect. Boxes are 0-based, x2 and y2 exclusive.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from data.images import read_image

FREE_LABELS = frozenset({"free", "ok"})
UNNAMED_DEFECT = "defective"  # the class of such a picture is its boxes'
REQUIRED = ("path", "label")
NO_FILTER: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Box:
    """A located defect, in pixels of the picture after EXIF rotation; x2 and y2 are exclusive."""

    label: str
    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True, kw_only=True)
class LabelledImage:
    """One row of a split file, its paths resolved and found to be there."""

    path: Path
    name: str  # the path as the file writes it: the same on every machine
    label: str
    defective: bool
    mask: Path | None = None
    boxes: tuple[Box, ...] = ()
    template: Path | None = None
    group: str | None = None
    budget_rank: int | None = None
    row: int = 0  # line of the split file, from 1; the header is line 1

    @property
    def located(self) -> bool:
        """Whether a mask or boxes say where the defect is."""
        return self.mask is not None or bool(self.boxes)

    @property
    def classes(self) -> tuple[str, ...]:
        """The kinds of defect shown: the label, or the boxes' where the label is `defective`; () if defect-free."""
        if not self.defective:
            return ()
        if self.label.lower() != UNNAMED_DEFECT:
            return (self.label,)
        return tuple(sorted({box.label for box in self.boxes})) or (self.label,)


def read_split(path: Path, *, where: Mapping[str, str] = NO_FILTER) -> tuple[LabelledImage, ...]:
    """Read a split file, in its order. Raises InputError that names file, line, column and value.

    `where` keeps the rows whose columns hold just these values. A mask of a defect-free picture is not kept: the
    label says that nothing is there.
    """
    rows = list(_rows(path))
    if not rows:
        raise InputError(f"{path} holds a header and no rows; add a line for every picture")
    if absent := [column for column in where if column not in rows[0][1]]:
        raise InputError(f"{path} has no column {absent[0]!r} to choose rows by; it has {', '.join(rows[0][1])}")
    rows = [row for row in rows if all(row[1][column] == value for column, value in where.items())]
    if not rows:
        raise InputError(f"{path}: no row has {', '.join(f'{c}={v}' for c, v in where.items())}; check the values")
    images = tuple(_labelled_image(path, line, cells) for line, cells in rows)
    _refuse_missing_files(path, images)
    first: dict[Path, int] = {}
    for image in images:
        if image.path in first:
            words = f"{path}, line {image.row}, column path: '{image.name}' stands in line {first[image.path]} already"
            raise InputError(f"{words}; keep one of the two lines")
        first[image.path] = image.row
    return images


def located(images: Sequence[LabelledImage], boxes_per_class: int | None) -> tuple[LabelledImage, ...]:
    """Return the same pictures, with the locations of at most `boxes_per_class` of each class; None keeps all.

    Kept are those with `budget_rank` below the number; pictures without a rank follow in the order of the SHA-256 of
    their name, while none of their classes has its number yet. Labels stay.
    """
    if boxes_per_class is None:
        return tuple(images)
    if boxes_per_class < 0:
        raise InputError(f"boxes per class must be 0 or more, got {boxes_per_class}")
    kept: set[str] = set()
    count: Counter[str] = Counter()
    for image in sorted((image for image in images if image.located), key=_budget_order):
        rank = image.budget_rank
        wanted = rank < boxes_per_class if rank is not None else all(count[c] < boxes_per_class for c in image.classes)
        if wanted and boxes_per_class:
            kept.add(image.name)
            count.update(image.classes)
    return tuple(image if image.name in kept else replace(image, mask=None, boxes=()) for image in images)


def shared_groups(first: Sequence[LabelledImage], second: Sequence[LabelledImage]) -> tuple[str, ...]:
    """Return groups, and pictures by name, that stand in both: what leaks from one split into the other."""
    groups = {image.group for image in first} & {image.group for image in second} - {None}
    paths = {image.path for image in first} & {image.path for image in second}
    return tuple(sorted({str(group) for group in groups} | {str(path) for path in paths}))


def read_mask(path: Path, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Read a mask as (H, W), True where the defect is; `shape` is that of its picture.

    White is defect: values above 127, or any but 0 where no value passes 127 (class numbers, 0 and 1). Raises
    InputError for a file that is no picture and for another size.
    """
    grey = read_image(path, bits=8).pixels.max(axis=2)
    if grey.shape != shape:
        raise InputError(
            f"mask {path} has {grey.shape[1]} x {grey.shape[0]} pixels, its picture {shape[1]} x {shape[0]}; "
            "a mask must have the size of its picture"
        )
    return np.asarray(grey > (127 if grey.max() > 127 else 0))


def draw_boxes(boxes: Sequence[Box], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return (H, W), True inside the boxes. Raises InputError for a box that leaves the picture."""
    height, width = shape
    mask = np.zeros(shape, bool)
    for box in boxes:
        if box.x2 > width or box.y2 > height:
            corners = f"{box.label}:{box.x1}:{box.y1}:{box.x2}:{box.y2}"
            raise InputError(f"box {corners} leaves its picture of {width} x {height} pixels; x2 and y2 are exclusive")
        mask[box.y1 : box.y2, box.x1 : box.x2] = True
    return mask


def _budget_order(image: LabelledImage) -> tuple[int, int, str]:
    digest = hashlib.sha256(image.name.encode()).hexdigest()
    return (0, image.budget_rank, digest) if image.budget_rank is not None else (1, 0, digest)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells by column of every row that is not blank."""
    text = _text(path)
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(path, header)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                words = f"{path}, line {reader.line_num}: {len(cells)} cells, the header has {len(header)}"
                raise InputError(f"{words}; quote a cell that holds a comma")
            yield reader.line_num, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}; check the quotes") from error


def _text(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: there is no such split file; check the path")
    content = path.read_bytes()
    if not content.strip():
        raise InputError(f"{path} is empty; a split file begins with the header path,label")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: the text is not UTF-8; save the file as UTF-8") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}, line {line}: a NUL byte; the file is damaged or no text, save it as CSV again")
    return text


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        words = f"{path}, line 1: no column {' or '.join(missing)}; the columns are {', '.join(header)}"
        way_out = "separate them by commas" if len(header) == 1 else "a split file needs path and label"
        raise InputError(f"{words}; {way_out}", code="SCHEMA_MISSING")
    twice = [before for before, name in pairwise(sorted(header)) if before == name and name]
    if twice:
        raise InputError(f"{path}, line 1: the column {twice[0]} stands there twice; rename or remove one")


def _labelled_image(file: Path, line: int, cells: dict[str, str]) -> LabelledImage:
    for column in REQUIRED:
        if not cells[column]:
            raise InputError(f"{file}, line {line}, column {column}: the cell is empty; fill it or remove the line")
    label, where = cells["label"], cells.get("mask_or_boxes", "")
    defective = label.lower() not in FREE_LABELS
    boxes = _boxes(where, f"{file}, line {line}, column mask_or_boxes")
    if boxes and not defective:
        words = f"{file}, line {line}: label '{label}' means no defect, but mask_or_boxes holds '{where}'"
        raise InputError(f"{words}; correct one of the two")
    rank = cells.get("budget_rank", "")
    if rank and not (rank.isascii() and rank.isdigit()):
        raise InputError(f"{file}, line {line}, column budget_rank: '{rank}' is no whole number of 0 or more")
    template = cells.get("template", "")
    return LabelledImage(
        path=file.parent / cells["path"],
        name=cells["path"],
        label=label,
        defective=defective,
        mask=file.parent / where if where and defective and not boxes else None,
        boxes=boxes,
        template=file.parent / template if template else None,
        group=cells.get("group") or None,
        budget_rank=int(rank) if rank else None,
        row=line,
    )


def _boxes(cell: str, place: str) -> tuple[Box, ...]:
    """Read `class:x1:y1:x2:y2;...`; a cell of another form is a mask's path and has no boxes."""
    parts = [part.strip() for part in cell.split(";") if part.strip()]
    if not parts or any(part.count(":") < 4 for part in parts):
        if any(part.count(":") >= 3 for part in parts):
            raise InputError(f"{place}: '{cell}' is no list of boxes; write class:x1:y1:x2:y2;... or a mask's path")
        return ()
    return tuple(_box(part, place) for part in parts)


def _box(part: str, place: str) -> Box:
    label, *numbers = part.rsplit(":", 4)
    if not label or not all(number.isascii() and number.isdigit() for number in numbers):
        raise InputError(f"{place}: '{part}' is no box; write class:x1:y1:x2:y2 in whole pixels of 0 or more")
    x1, y1, x2, y2 = map(int, numbers)
    if x2 <= x1 or y2 <= y1:
        raise InputError(f"{place}: '{part}' is an empty box; x2 must pass x1 and y2 must pass y1 (they are exclusive)")
    return Box(label=label, x1=x1, y1=y1, x2=x2, y2=y2)


def _refuse_missing_files(file: Path, images: tuple[LabelledImage, ...]) -> None:
    missing = [
        (image.row, column, path)
        for image in images
        for column, path in (("path", image.path), ("mask_or_boxes", image.mask), ("template", image.template))
        if path is not None and not path.is_file()
    ]
    if missing:
        line, column, path = missing[0]
        more = f" ({len(missing)} files are missing in all)" if len(missing) > 1 else ""
        words = f"{file}, line {line}, column {column}: there is no file {path}{more}"
        raise InputError(f"{words}; paths are relative to the split file")

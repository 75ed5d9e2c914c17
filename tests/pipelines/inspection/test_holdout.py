"""Holding out validation pictures by group."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from data.inspection.split_file import LabelledImage
from pipelines.inspection.holdout import check_apart, hold_out


def picture(number: int, label: str, group: str) -> LabelledImage:
    name = f"{number}.png"
    return LabelledImage(path=Path(name), name=name, label=label, defective=label != "free", group=group)


@given(st.integers(0, 1000), st.integers(4, 30))
def test_no_group_is_split_and_every_picture_is_kept_once(seed: int, groups: int) -> None:
    images = [picture(n, ("free", "pit", "crack")[n % groups % 3], f"g{n % groups}") for n in range(90)]
    learned, held = hold_out(images, share=0.2, seed=seed)
    assert not {image.group for image in learned} & {image.group for image in held}
    assert Counter(image.name for image in (*learned, *held)) == Counter(image.name for image in images)


def test_every_class_with_several_groups_is_in_both_parts() -> None:
    images = [picture(n, ("free", "pit", "crack")[n % 3], f"g{n % 18}") for n in range(180)]
    learned, held = hold_out(images, share=0.2, seed=0)
    assert {image.label for image in held} == {image.label for image in learned} == {"free", "pit", "crack"}


def test_a_class_in_one_group_stays_in_training() -> None:
    images = [picture(n, "free", f"g{n}") for n in range(20)] + [picture(100 + n, "pit", "only") for n in range(5)]
    learned, held = hold_out(images, share=0.2, seed=0)
    assert {image.label for image in held} == {"free"}
    assert len(learned) == 21


def test_one_group_alone_cannot_be_split() -> None:
    with pytest.raises(InputError, match="cannot be split"):
        hold_out([picture(n, "free", "g") for n in range(9)], share=0.2, seed=0)


def test_a_shared_group_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="share g1"):
        check_apart([picture(0, "free", "g1")], [picture(1, "free", "g1")])

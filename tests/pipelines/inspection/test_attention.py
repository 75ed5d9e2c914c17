"""The attention map against its formula, written out picture by picture."""

import numpy as np
import pytest
import torch

from core.train.losses import ANY
from pipelines.inspection.attention import FLOOR, Guide, Known, attend


def guide_of(known: Known, label: int, target: torch.Tensor, progress: float = 1.0) -> Guide:
    counted = torch.ones(target.shape)
    return Guide(target[None], counted[None], torch.tensor([int(known)]), torch.tensor([label]), progress)


@pytest.fixture
def own() -> torch.Tensor:
    return torch.rand(1, 12, 10, generator=torch.Generator().manual_seed(0))


def target_with_defect(label: int = 2) -> torch.Tensor:
    target = torch.zeros(12, 10, dtype=torch.int64)
    target[3:5, 2:6] = label
    return target


def test_a_normal_picture_attends_to_its_own_false_alarms(own: torch.Tensor) -> None:
    attention, target = attend(own, guide_of(Known.NORMAL, 0, torch.zeros(12, 10, dtype=torch.int64)))
    expected = FLOOR + own
    assert torch.allclose(attention, expected / expected.sum())
    assert not target.any()


def test_a_mask_gets_half_of_the_attention_spread_evenly(own: torch.Tensor) -> None:
    truth = target_with_defect()
    attention, _ = attend(own, guide_of(Known.MASK, 2, truth))
    assert torch.allclose(attention[0][truth > 0], torch.full((8,), 0.5 / 8))
    assert float(attention.sum()) == pytest.approx(1.0)


def test_inside_a_box_the_model_says_where_the_defect_is(own: torch.Tensor) -> None:
    truth = target_with_defect()
    attention, _ = attend(own, guide_of(Known.BOXES, 2, truth))
    inside = FLOOR + own[0][truth > 0]
    assert torch.allclose(attention[0][truth > 0], 0.5 * inside / inside.sum())


def test_a_label_alone_names_the_strongest_points_and_its_say_grows(own: torch.Tensor) -> None:
    truth = torch.zeros(12, 10, dtype=torch.int64)
    attention, target = attend(own, guide_of(Known.LABEL, 3, truth, progress=0.25))
    assert float(attention.sum()) == pytest.approx(0.25)
    best = np.unravel_index(int(own[0].argmax()), (12, 10))
    assert float(attention[0][best]) == pytest.approx(0.25)  # one point in a hundred of 120
    assert int(target[0][best]) == 3


def test_a_label_without_a_name_names_any_defect(own: torch.Tensor) -> None:
    _, target = attend(own, guide_of(Known.LABEL, ANY, torch.zeros(12, 10, dtype=torch.int64)))
    assert set(target.unique().tolist()) == {ANY, 0}


def test_points_that_are_not_counted_get_no_attention(own: torch.Tensor) -> None:
    truth = target_with_defect()
    counted = torch.ones(1, 12, 10)
    counted[0, :3] = 0
    guide = Guide(truth[None], counted, torch.tensor([int(Known.MASK)]), torch.tensor([2]), 1.0)
    assert not attend(own, guide)[0][0, :3].any()


def test_no_gradient_flows_through_the_attention(own: torch.Tensor) -> None:
    own.requires_grad_(True)
    attention, _ = attend(own, guide_of(Known.NORMAL, 0, torch.zeros(12, 10, dtype=torch.int64)))
    assert not attention.requires_grad


def test_an_empty_mask_leaves_only_background(own: torch.Tensor) -> None:
    attention, _ = attend(own, guide_of(Known.MASK, 2, torch.zeros(12, 10, dtype=torch.int64)))
    assert torch.isfinite(attention).all()
    assert float(attention.sum()) == pytest.approx(0.5)

"""Losses on maps, against plain formulae."""

import math

import pytest
import torch
from torch.nn import functional

from core.train.losses import ANY, attention_loss, overlap_loss, point_losses, yes_no_loss


def test_point_losses_are_cross_entropy_where_the_class_is_named() -> None:
    logits, target = torch.randn(2, 4, 5, 6), torch.randint(0, 4, (2, 5, 6))
    assert torch.allclose(point_losses(logits, target), functional.cross_entropy(logits, target, reduction="none"))


def test_a_class_that_nobody_named_costs_what_background_takes() -> None:
    logits = torch.randn(1, 4, 2, 2)
    background = logits.softmax(dim=1)[:, 0]
    assert torch.allclose(point_losses(logits, torch.full((1, 2, 2), ANY)), -torch.log(1 - background), atol=1e-6)


def test_attention_chooses_the_points_that_count() -> None:
    logits, target = torch.randn(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64)
    attention = torch.zeros(1, 2, 2)
    attention[0, 1, 0] = 1.0
    assert attention_loss(logits, target, attention)[0] == point_losses(logits, target)[0, 1, 0]


def test_overlap_loss_is_small_where_map_and_truth_agree_and_near_one_where_they_do_not() -> None:
    target = torch.zeros(1, 20, 20, dtype=torch.int64)
    target[0, :10] = 2
    truth, everywhere = (target != 0).float(), torch.ones(1, 20, 20)
    assert overlap_loss(truth, target, everywhere)[0] == pytest.approx(0.0)
    assert overlap_loss(1 - truth, target, everywhere)[0] > 0.99


def test_points_that_are_not_counted_do_not_change_the_overlap() -> None:
    target = torch.zeros(1, 2, 2, dtype=torch.int64)
    target[0, 0, 0] = 1
    counted = torch.tensor([[[1.0, 0.0], [1.0, 1.0]]])
    one, other = torch.tensor([[[0.8, 0.0], [0.1, 0.2]]]), torch.tensor([[[0.8, 1.0], [0.1, 0.2]]])
    assert overlap_loss(one, target, counted) == overlap_loss(other, target, counted)


def test_yes_no_loss_of_an_undecided_logit_is_log_two() -> None:
    assert yes_no_loss(torch.zeros(1), torch.ones(1))[0] == pytest.approx(math.log(2))

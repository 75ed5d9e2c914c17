"""Boxes that the points of a map tell, and what a wrong one costs."""

import math

import pytest
import torch

from pipelines.inspection.attention import Known
from pipelines.inspection.boxes import assign, box_losses, decode, giou, points_of

BOXES = torch.tensor([[10.0, 12.0, 50.0, 30.0, 2.0], [0.0, 0.0, 64.0, 64.0, 1.0], [33.0, 50.0, 36.0, 53.0, -1.0]])


def told_of(boxes_N5: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """What every point must tell to hit its box, (1, 4, h, w): the reference of `decode`."""
    point_P2 = points_of(height, width, boxes_N5)
    target = assign(boxes_N5, point_P2)
    told = torch.zeros(height * width, 4)
    for place in range(height * width):
        if target.class_P[place]:
            x0, y0, x1, y1 = target.box_P4[place].tolist()
            x, y = point_P2[place].tolist()
            wide, high = x1 - x0, y1 - y0
            told[place] = torch.tensor(
                [((x0 + x1) / 2 - x) / wide, ((y0 + y1) / 2 - y) / high, math.log(wide / 8), math.log(high / 8)]
            )
    return told.T.reshape(1, 4, height, width)


def test_points_tell_the_smallest_box_whose_middle_they_lie_in() -> None:
    point_P2 = points_of(8, 8, BOXES)
    assert point_P2[0].tolist() == [4.0, 4.0]
    assert point_P2[9].tolist() == [12.0, 12.0]
    target = assign(BOXES, point_P2)
    for place, (x, y) in enumerate(point_P2.tolist()):
        best, found = math.inf, 0
        for x0, y0, x1, y1, number in BOXES.tolist():
            near_x = abs(x - (x0 + x1) / 2) <= max((x1 - x0) / 4, 6)
            near_y = abs(y - (y0 + y1) / 2) <= max((y1 - y0) / 4, 6)
            if near_x and near_y and (x1 - x0) * (y1 - y0) < best:
                best, found = (x1 - x0) * (y1 - y0), int(number)
        assert int(target.class_P[place]) == found
    assert set(target.class_P.tolist()) == {-1, 0, 1, 2}  # even the box of three pixels has a point


def test_what_a_point_must_tell_reads_as_its_box() -> None:
    boxes_BP4 = decode(told_of(BOXES, 8, 8))
    target = assign(BOXES, points_of(8, 8, BOXES))
    has_P = target.class_P != 0
    torch.testing.assert_close(boxes_BP4[0][has_P], target.box_P4[has_P])


@pytest.mark.parametrize(
    ("one", "two", "overlap", "loss"),
    [
        ((0, 0, 4, 4), (0, 0, 4, 4), 1.0, 0.0),
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3, 2 / 3),
        ((0, 0, 1, 1), (3, 0, 4, 1), 0.0, 1.5),  # the hull of four holds two: half of it is empty
    ],
)
def test_overlap_and_its_loss(one: tuple[int, ...], two: tuple[int, ...], overlap: float, loss: float) -> None:
    came = giou(torch.tensor([one]).float(), torch.tensor([two]).float())
    assert came[0].item() == pytest.approx(overlap)
    assert came[1].item() == pytest.approx(loss)


def test_right_boxes_cost_nothing_and_others_do() -> None:
    told, known_B = told_of(BOXES, 8, 8), torch.tensor([int(Known.BOXES)])
    logits = torch.full((1, 2, 8, 8), -20.0)
    target = assign(BOXES, points_of(8, 8, BOXES)).class_P.reshape(8, 8)
    for number in (1, 2):
        logits[0, number - 1][target == number] = 20.0
    right = box_losses(told, logits, [BOXES], known_B)
    assert right["box"].item() == pytest.approx(0.0, abs=1e-4)
    assert right["quality"].item() == pytest.approx(0.0, abs=1e-4)
    wrong = box_losses(told + 0.3, -logits, [BOXES], known_B)
    assert min(wrong["box"].item(), wrong["quality"].item()) > 0.1


def test_a_picture_with_a_label_only_has_no_say_and_a_good_one_says_no() -> None:
    told, logits = torch.zeros(1, 4, 8, 8), torch.zeros(1, 2, 8, 8, requires_grad=True)
    none = torch.zeros(0, 5)
    silent = box_losses(told, logits, [none], torch.tensor([int(Known.LABEL)]))
    assert silent["box"].item() == silent["quality"].item() == 0
    box_losses(told, logits, [none], torch.tensor([int(Known.NORMAL)]))["quality"].backward()
    assert logits.grad is not None
    assert bool((logits.grad > 0).all())


def test_a_box_without_a_name_teaches_its_place_and_no_class() -> None:
    told = torch.zeros(1, 4, 8, 8, requires_grad=True)
    logits = torch.zeros(1, 2, 8, 8, requires_grad=True)
    boxes = torch.tensor([[16.0, 16.0, 40.0, 40.0, -1.0]])
    losses = box_losses(told, logits, [boxes], torch.tensor([int(Known.MASK)]))
    (losses["box"] + losses["quality"]).backward()
    assert told.grad is not None
    assert logits.grad is not None
    at = assign(boxes, points_of(8, 8, boxes)).class_P.reshape(8, 8) == -1
    assert bool((told.grad[0].abs().sum(dim=0)[at] > 0).all())
    assert bool((logits.grad[0][:, at] == 0).all())

"""Drawing of steps and their losses."""

import numpy as np
import pytest
import torch

from core.encoders.image import open_trunk
from pipelines.inspection.attention import Known
from pipelines.inspection.batches import Pools, step_losses, steps_of
from pipelines.inspection.network import DefectNet, ServedNet
from pipelines.inspection.options import Preset
from pipelines.inspection.prepare import Canvas
from pipelines.inspection.samples import Sample

PRESET = Preset(steps=4, pictures=6)


SQUARE = Canvas(64, 64)


def sample(label: int, group: str, canvas: Canvas = SQUARE, known: Known | None = None) -> Sample:
    pixels = np.random.default_rng(label + 1).integers(90, 140, (canvas.height, canvas.width), dtype=np.uint8)
    places = None
    if known in (Known.MASK, Known.BOXES):
        places = np.zeros(pixels.shape, np.uint8)
        places[10:30, 10:30] = max(label, 0)
    return Sample(pixels, places, Known.NORMAL if known is None else known, label, group, canvas)


def test_half_of_a_step_is_defective() -> None:
    pools = Pools([sample(0, "a"), sample(0, "b"), sample(1, "c", known=Known.LABEL)])
    rng = np.random.default_rng(0)
    picked = [pools.pick(place % 2 == 0, rng).label for place in range(40)]
    assert sum(label == 1 for label in picked) == 20


def test_where_one_kind_is_missing_the_other_fills_the_step() -> None:
    rng = np.random.default_rng(0)
    assert Pools([sample(0, "a")]).pick(True, rng).label == 0
    assert Pools([sample(1, "a", known=Known.LABEL)]).pick(False, rng).label == 1


def test_a_large_group_does_not_rule() -> None:
    pools = Pools([sample(0, "large") for _ in range(100)] + [sample(0, "small")])
    rng = np.random.default_rng(0)
    small = sum(pools.pick(False, rng).group == "small" for _ in range(500))
    assert 25 < small < 75  # one in eleven, not one in a hundred


def test_a_step_depends_on_its_number_only() -> None:
    pools = Pools([sample(0, "a"), sample(1, "b", known=Known.MASK)])
    whole = list(steps_of(pools, [], PRESET, first=0, steps=4, seed=3))
    later = list(steps_of(pools, [], PRESET, first=2, steps=2, seed=3))
    for one, two in zip(whole[2:], later, strict=True):
        assert all(torch.equal(a.image_BCHW, b.image_BCHW) for a, b in zip(one, two, strict=True))


def test_pictures_of_one_canvas_go_together_and_shares_add_up_to_one() -> None:
    pools = Pools([sample(0, "a", Canvas(64, 96)), sample(1, "b", known=Known.MASK)])
    (parts,) = steps_of(pools, [], PRESET, first=0, steps=1, seed=0)
    assert sorted(tuple(part.image_BCHW.shape[2:]) for part in parts) == [(64, 64), (64, 96)]
    assert sum(part.share for part in parts) == pytest.approx(1.0)


@pytest.mark.parametrize("known", [Known.MASK, Known.BOXES, Known.LABEL])
def test_losses_are_finite_and_reach_every_weight(known: Known) -> None:
    pools = Pools([sample(0, "a"), sample(1, "b", known=known), sample(-1, "c", known=known)])
    network = DefectNet(open_trunk("none"), 2, 64)
    (parts,) = steps_of(pools, [], PRESET, first=3, steps=1, seed=0)
    losses = step_losses(network, parts)
    assert all(bool(torch.isfinite(loss)) for loss in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_the_served_network_gives_probabilities_that_leave_room_for_background() -> None:
    served = ServedNet(DefectNet(open_trunk("none"), 3, 64)).eval()
    outputs = served(torch.randn(2, 3, 64, 96))
    assert outputs["defect_map"].shape == (2, 3, 16, 24)
    assert outputs["margin"].shape == (2,)
    assert outputs["label_logits"].shape == (2, 3)
    assert 0 < float(outputs["defect_map"].detach().sum(dim=1).max()) < 1

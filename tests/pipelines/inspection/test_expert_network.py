"""The network of two stages: what reaches its weights, and what it exports."""

from pathlib import Path

import pytest
import torch

from core.encoders.image import open_trunk
from core.runtime.export import parity
from pipelines.inspection.attention import Known
from pipelines.inspection.batches import Pools, step_losses, steps_of
from pipelines.inspection.expert_network import ExpertNet, ServedFirst, ServedSecond
from pipelines.inspection.options import Preset
from pipelines.inspection.prepare import Canvas
from pipelines.inspection.samples import Sample
from pipelines.inspection.ship import export_network

torch.manual_seed(0)
NETWORK = ExpertNet(open_trunk("none"), 2, 64)


def sample(label: int, known: Known) -> Sample:
    generator = torch.Generator().manual_seed(label + 1)
    pixels = torch.randint(90, 140, (64, 64), generator=generator, dtype=torch.uint8).numpy()
    places = torch.zeros((64, 64), dtype=torch.uint8).numpy() if known == Known.MASK else None
    if places is not None:
        places[10:30, 10:30] = max(label, 0)
    return Sample(pixels, places, known, label, f"g{label}", Canvas(64, 64))


def test_losses_are_finite_and_reach_every_weight() -> None:
    pools = Pools([sample(0, Known.NORMAL), sample(1, Known.MASK), sample(2, Known.MASK)])
    (parts,) = steps_of(pools, [], Preset(steps=4, pictures=8), first=3, steps=1, seed=0)
    losses = step_losses(NETWORK.train(), parts, label=1.0)
    assert set(losses) == {"map", "overlap", "image", "parts", "label", "first", "box", "quality", "mixing"}
    assert all(bool(torch.isfinite(loss)) for loss in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    lost = [name for name, weight in NETWORK.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not lost


def test_a_picture_is_judged_alone_as_in_its_batch() -> None:
    """No token of one picture reaches another, and experts drop none."""
    image = torch.randn(3, 3, 64, 96)
    with torch.no_grad():
        whole, alone = NETWORK.eval()(image), NETWORK(image[1:2])
    torch.testing.assert_close(whole.map_BKhw[1:2], alone.map_BKhw, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(whole.box_B4hw[1:2], alone.box_B4hw, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(whole.image_B[1:2], alone.image_B, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_both_parts_give_torchs_answers_for_other_batches_and_sizes(tmp_path: Path) -> None:
    exported = export_network(NETWORK.eval(), tmp_path, 64)
    assert list(exported.files) == ["network_0", "network_1"]
    assert exported.operations["network_1"] > 0
    first, second = ServedFirst(NETWORK).eval(), ServedSecond(NETWORK).eval()
    for shape in ((1, 3, 64, 64), (5, 3, 64, 160), (2, 3, 96, 64)):
        image = torch.randn(shape) * 0.4
        assert max(parity(first, {"image": image}, exported.runners["network_0"]).values()) < 1e-3
        with torch.no_grad():
            features = {name: value for name, value in first(image).items() if name.startswith("features_")}
        assert max(parity(second, features, exported.runners["network_1"]).values()) < 1e-3
    answers = exported.run({"image": image.numpy()})
    assert answers["boxes"].shape == (2, 6, 12, 8)
    assert answers["margin"].shape == (2,)

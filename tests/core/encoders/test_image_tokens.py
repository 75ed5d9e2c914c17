"""Tokens of pictures: they come from the right point of the right map, know their place, and lie back as maps."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from core.encoders import ENCODERS
from core.encoders.image import open_trunk
from core.encoders.image_tokens import ImageTokens, MapTokens, to_maps
from core.errors import InputError
from core.runtime.export import export_onnx


def encoder(scales: tuple[int, ...] = (2, 3)) -> ImageTokens:
    torch.manual_seed(0)
    return ImageTokens(open_trunk("none"), 16, scales).eval()


def test_each_token_is_its_point_of_the_map() -> None:
    model, image = encoder(), torch.rand(2, 3, 64, 96)
    tokens = model(image)
    maps = model.trunk(image)
    assert tokens.x_BTD.shape == (2, 4 * 6 + 2 * 3, 16)
    assert tokens.mask_BT.all()
    at = 0
    for number, (scale, (height, width)) in enumerate(zip((2, 3), model.shapes(64, 96), strict=True)):
        projection = model.tokens.projections[number]
        blank = model.tokens([torch.zeros_like(maps[2]), torch.zeros_like(maps[3])]).x_BTD
        for row in range(height):
            for column in range(width):
                wanted = projection.weight[:, :, 0, 0] @ maps[scale][1, :, row, column]
                assert torch.allclose(tokens.x_BTD[1, at] - blank[1, at], wanted, atol=1e-4)
                at += 1


def test_tokens_lie_back_as_maps() -> None:
    model = encoder((1, 2, 3))
    tokens, shapes = model(torch.rand(2, 3, 64, 96)), model.shapes(64, 96)
    maps = to_maps(tokens.x_BTD, shapes)
    assert [tuple(map_.shape) for map_ in maps] == [(2, 16, 8, 12), (2, 16, 4, 6), (2, 16, 2, 3)]
    assert torch.equal(torch.cat([map_.flatten(2).transpose(1, 2) for map_ in maps], dim=1), tokens.x_BTD)
    with pytest.raises(InputError, match="need 126 tokens, got 125"):
        to_maps(tokens.x_BTD[:, 1:], shapes)


def test_places_and_scales_are_told_apart_and_scales_agree_on_places() -> None:
    tokens = MapTokens((4, 4), 16, (16, 32))
    blank = [torch.zeros(1, 4, 4, 4), torch.zeros(1, 4, 2, 2)]
    x_TD = tokens(blank).x_BTD[0].detach()
    distance = torch.cdist(x_TD, x_TD) + torch.eye(20) * 9
    assert float(distance.min()) > 1e-2
    marks = [tokens.scale_SD[at] + tokens.projections[at].bias for at in range(2)]
    fine, coarse = to_maps(tokens(blank).x_BTD, [(4, 4), (2, 2)])
    pooled = nn.functional.avg_pool2d(fine, 2)[0].flatten(1).T - marks[0]
    near = torch.cdist(pooled, coarse[0].flatten(1).T - marks[1]).argmin(dim=1)
    assert near.tolist() == [0, 1, 2, 3]


def test_it_exports_with_any_batch(tmp_path: Path) -> None:
    class Served(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder()

        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return {"tokens": self.encoder(image).x_BTD}

    assert export_onnx(Served(), {"image": torch.rand(2, 3, 64, 64)}, tmp_path / "image.onnx").worst < 1e-4


@pytest.mark.parametrize("scales", [(), (4,), (2, 2)])
def test_scales_that_cannot_be_are_refused(scales: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"different numbers within 0\.\.3"):
        encoder(scales)


def test_the_registry_names_every_encoder() -> None:
    assert list(ENCODERS) == ["table", "events", "series", "image"]

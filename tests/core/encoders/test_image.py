"""Image trunks."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from core.encoders.image import (
    EPSILON,
    STRIDES,
    TAPS,
    WIDTHS,
    MobileTrunk,
    cut_stages,
    fold_norms,
    open_trunk,
)
from core.errors import InputError
from core.torchvision_shim import load_torchvision


def random_state(seed: int = 0) -> dict[str, Tensor]:
    """A MobileNetV1 state dict as the weights file has it, with random numbers."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}

    def unit(weight: str, norm: str, shape: tuple[int, ...]) -> None:
        fan_in = shape[1] * shape[2] * shape[3]
        state[weight] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        for name, low in (("weight", 0.8), ("bias", -0.1), ("running_mean", -0.1), ("running_var", 0.8)):
            state[f"{norm}.{name}"] = low + 0.3 * torch.rand(shape[0], generator=generator)

    unit("stem.conv.weight", "stem.bn", (32, 3, 3, 3))
    for block, (before, after) in enumerate(zip((32, *WIDTHS[:-1]), WIDTHS, strict=True)):
        unit(f"blocks.{block}.dw.weight", f"blocks.{block}.dw_bn", (before, 1, 3, 3))
        unit(f"blocks.{block}.pw.weight", f"blocks.{block}.pw_bn", (after, before, 1, 1))
    return state


def plain_forward(state: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    """The network written out with its batch normalisation and TensorFlow's padding."""

    def unit(x: Tensor, weight: str, norm: str, stride: int, groups: int) -> Tensor:
        kernel = state[weight].shape[-1]
        if kernel == 3:
            x = functional.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))
        x = functional.conv2d(x, state[weight], stride=stride, groups=groups)
        parts = (state[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias"))
        return functional.relu6(functional.batch_norm(x, *parts, eps=EPSILON))

    x = unit(x, "stem.conv.weight", "stem.bn", 2, 1)
    maps = []
    for block, stride in enumerate(STRIDES):
        x = unit(x, f"blocks.{block}.dw.weight", f"blocks.{block}.dw_bn", stride, x.shape[1])
        x = unit(x, f"blocks.{block}.pw.weight", f"blocks.{block}.pw_bn", 1, 1)
        if block in TAPS:
            maps.append(x)
    return maps


def test_the_folded_trunk_gives_what_the_plain_network_gives() -> None:
    state = random_state()
    trunk = MobileTrunk()
    trunk.load_state_dict(fold_norms(state, Path("x")))
    x = torch.rand(2, 3, 64, 96) * 2 - 1
    with torch.no_grad():
        for came, wanted in zip(trunk(x), plain_forward(state, x), strict=True):
            assert torch.allclose(came, wanted, atol=1e-4)


def test_maps_stand_at_4_8_16_and_32(tmp_path: Path) -> None:
    torch.save(random_state(), tmp_path / "trunk.pt")
    for weights in ("none", str(tmp_path / "trunk.pt")):
        trunk = open_trunk(weights)
        maps = trunk(torch.zeros(1, 3, 64, 128))
        assert [tuple(map_.shape[2:]) for map_ in maps] == [(16, 32), (8, 16), (4, 8), (2, 4)]
        assert tuple(map_.shape[1] for map_ in maps) == trunk.channels


def test_first_blocks_of_a_given_trunk_do_not_learn(tmp_path: Path) -> None:
    torch.save(random_state(), tmp_path / "trunk.pt")
    trunk = open_trunk(str(tmp_path / "trunk.pt"), frozen=3)
    names = {name.split(".")[1] for name, value in trunk.named_parameters() if not value.requires_grad}
    assert names == {"conv", "0", "1", "2"}
    assert all(value.requires_grad for value in open_trunk("none").parameters())


def test_weights_that_are_not_there_are_refused_with_what_is_allowed() -> None:
    with pytest.raises(InputError, match=r"there is no file nowhere\.pt"):
        open_trunk("nowhere.pt")


def test_a_file_that_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.pt").write_bytes(b"no weights")
    with pytest.raises(InputError, match="no state dict"):
        open_trunk(str(tmp_path / "noise.pt"))
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="no MobileNetV1 trunk"):
        open_trunk(str(tmp_path / "other.pt"))


def test_a_pickled_object_is_not_run(tmp_path: Path) -> None:
    torch.save({"a": Path("x")}, tmp_path / "object.pt")
    with pytest.raises(InputError, match="without running code"):
        open_trunk(str(tmp_path / "object.pt"))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_torchvision_networks_are_cut_at_the_same_strides(name: str) -> None:
    trunk = cut_stages(load_torchvision().models.get_model(name))
    maps = trunk(torch.zeros(1, 3, 64, 96))
    assert [tuple(map_.shape[2:]) for map_ in maps] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    assert tuple(map_.shape[1] for map_ in maps) == trunk.channels


def test_swin_cut_into_stages_gives_what_the_whole_network_gives() -> None:
    torch.manual_seed(0)
    network = load_torchvision().models.get_model("swin_v2_t", weights=None).eval()
    trunk = cut_stages(network)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        maps = trunk(image * 2 - 1)
        wanted = network((image - trunk.mean_C11) / trunk.spread_C11)
        assert torch.allclose(
            network.head(network.norm(maps[-1].permute(0, 2, 3, 1)).mean(dim=(1, 2))), wanted, atol=1e-4
        )
    assert [tuple(map_.shape[1:]) for map_ in maps] == [(96, 16, 16), (192, 8, 8), (384, 4, 4), (768, 2, 2)]
    assert trunk.channels == (96, 192, 384, 768)


def test_torchvision_weights_that_are_not_on_disk_are_refused_with_their_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match="fetch https://"):
        open_trunk("resnet18")


@pytest.mark.realdata
def test_the_given_weights_load_and_see_more_than_noise(realdata: Path) -> None:
    trunk = open_trunk(str(realdata / "weights" / "mobilenet_v1_1.0_224_trunk12.pt"))
    with torch.no_grad():
        maps = trunk(torch.rand(1, 3, 224, 224) * 2 - 1)
    assert all(0 < float((map_ > 0).float().mean()) < 1 for map_ in maps)

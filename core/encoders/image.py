"""Image trunks: a picture becomes four feature maps, at 1/4, 1/8, 1/16 and 1/32 of its sides.

Three kinds: the MobileNetV1 trunk from a plain state dict on disk, a few torchvision networks by name, and a small
residual trunk that learns from nothing ("none"). Input is always (B, 3, H, W) in about [-1, 1], with H and W multiples
of 32. Architecture: Howard et al., MobileNets, arXiv 1704.04861, with TensorFlow's SAME padding.

Legend: B batch, C channels, H height, W width.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.errors import InputError

STEM = 32
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2)
WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024)
TAPS = (2, 4, 10, 11)  # the last block at each of /4, /8, /16, /32
EPSILON = 1e-3  # of the batch normalisation that the weights were trained with
SCRATCH_STEM, SCRATCH_WIDTHS = 16, (32, 64, 96, 128)  # of the trunk without weights
SWIN = ("swin_v2_t", "swin_v2_s", "swin_v2_b")
TORCHVISION = ("resnet18", "resnet34", "resnet50", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", *SWIN)
IMAGENET = "mobilenet_v3_large"  # what `imagenet` stands for


class ConvUnit(nn.Module):
    """Convolution with the normalisation folded in, ReLU6; stride 2 pads right and below only (TensorFlow's SAME)."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int, depthwise: bool) -> None:
        super().__init__()
        self.shifted = stride == 2
        padding = 0 if self.shifted else kernel // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=inputs if depthwise else 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        if self.shifted:
            x_BCHW = functional.pad(x_BCHW, (0, 1, 0, 1))
        out: Tensor = functional.relu6(self.conv(x_BCHW))
        return out


class Trunk(nn.Module):
    """What every trunk has: `channels`, the widths of its maps at 1/4, 1/8, 1/16 and 1/32."""

    channels: tuple[int, ...]


class MobileTrunk(Trunk):
    """The first twelve blocks of MobileNetV1.

    The batch normalisation lies inside the convolutions: the statistics of the pretraining stay as they are, and
    neither training nor serving pays for them. `frozen` is how many of the first blocks (after the stem) learn
    nothing; -1 lets all learn.
    """

    def __init__(self, *, frozen: int = -1) -> None:
        super().__init__()
        self.stem = ConvUnit(3, STEM, kernel=3, stride=2, depthwise=False)
        self.blocks = nn.ModuleList()
        for before, after, stride in zip((STEM, *WIDTHS[:-1]), WIDTHS, STRIDES, strict=True):
            depthwise = ConvUnit(before, before, kernel=3, stride=stride, depthwise=True)
            pointwise = ConvUnit(before, after, kernel=1, stride=1, depthwise=False)
            self.blocks.append(nn.Sequential(depthwise, pointwise))
        self.channels = tuple(WIDTHS[tap] for tap in TAPS)
        self.frozen = frozen
        if frozen >= 0:
            for part in (self.stem, *self.blocks[:frozen]):
                part.requires_grad_(False)

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the maps at /4, /8, /16 and /32."""
        x = self.stem(x_BCHW)
        maps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in TAPS:
                maps.append(x)
        return maps[0], maps[1], maps[2], maps[3]


class ResidualTrunk(Trunk):
    """A small trunk to learn from nothing: at each stride a 3 x 3 convolution and a residual pair (arXiv 1512.03385).

    Plain convolutions, since depthwise ones are slow to train on a CPU; batch normalisation, since it learns faster
    than group normalisation and is folded into the convolutions when it serves.
    """

    def __init__(self) -> None:
        super().__init__()
        self.channels = SCRATCH_WIDTHS
        self.stem = _normed(3, SCRATCH_STEM, stride=2)
        self.halvings = nn.ModuleList()
        self.pairs = nn.ModuleList()
        for before, after in zip((SCRATCH_STEM, *SCRATCH_WIDTHS[:-1]), SCRATCH_WIDTHS, strict=True):
            self.halvings.append(_normed(before, after, stride=2))
            self.pairs.append(nn.Sequential(_normed(after, after), nn.ReLU(), _normed(after, after)))

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, ...]:
        """Return the maps at /4, /8, /16 and /32."""
        x = functional.relu(self.stem(x_BCHW))
        maps = []
        for halve, pair in zip(self.halvings, self.pairs, strict=True):
            x = functional.relu(halve(x))
            x = functional.relu(x + pair(x))
            maps.append(x)
        return tuple(maps)


def _normed(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))


class TorchvisionTrunk(Trunk):
    """A torchvision network cut after each stride; ImageNet's mean and spread, which it was trained on, are applied."""

    mean_C11: Tensor
    spread_C11: Tensor

    def __init__(self, stages: list[nn.Module], channels: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.channels = channels
        self.register_buffer("mean_C11", torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)
        self.register_buffer("spread_C11", torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)

    def train(self, mode: bool = True) -> "TorchvisionTrunk":
        """Keep the batch statistics of the pretraining: batches here are too small and too balanced to replace them."""
        return super().train(False)

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, ...]:
        x = ((x_BCHW + 1) / 2 - self.mean_C11) / self.spread_C11
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps)


def open_trunk(weights: str, *, frozen: int = 2) -> Trunk:
    """Return a trunk for `none`, `imagenet`, a torchvision name, or the path of a MobileNetV1 state dict.

    `trunk.channels` are the widths of its four maps.
    """
    if weights == "none":
        return ResidualTrunk()
    if weights == "imagenet" or weights in TORCHVISION:
        return _torchvision_trunk(IMAGENET if weights == "imagenet" else weights)
    path = Path(weights)
    if not path.is_file():
        allowed = f"none, imagenet, {', '.join(TORCHVISION)}, or the path of a MobileNetV1 state dict"
        raise InputError(f"weights must be {allowed}; there is no file {weights}")
    trunk = MobileTrunk(frozen=frozen)
    trunk.load_state_dict(fold_norms(_read_state(path), path))
    return trunk


def fold_norms(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return the state dict of a folded `MobileTrunk`: w' = w g / sqrt(v + eps), b' = beta - m g / sqrt(v + eps).

    `state` has the keys stem.conv.weight, stem.bn.*, blocks.I.{dw,pw}.weight and blocks.I.{dw,pw}_bn.*.
    """
    names = {"stem": ("stem.conv.weight", "stem.bn")}
    for block in range(len(WIDTHS)):
        names[f"blocks.{block}.0"] = (f"blocks.{block}.dw.weight", f"blocks.{block}.dw_bn")
        names[f"blocks.{block}.1"] = (f"blocks.{block}.pw.weight", f"blocks.{block}.pw_bn")
    folded = {}
    try:
        for unit, (weight, norm) in names.items():
            gain = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + EPSILON)
            folded[f"{unit}.conv.weight"] = state[weight] * gain[:, None, None, None]
            folded[f"{unit}.conv.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain
    except KeyError as missing:
        raise InputError(f"{path} is no MobileNetV1 trunk: it has no tensor {missing}") from None
    return folded


def _read_state(path: Path) -> Mapping[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{path} is no state dict that loads without running code: {error}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path} holds no state dict (names to tensors)")
    return state


def _torchvision_trunk(name: str) -> TorchvisionTrunk:
    """Build the network and load its weights from torch's own cache folder; nothing is fetched from a network."""
    # heavy, and its import needs a guard beside a CPU wheel of torch
    from core.torchvision_shim import load_torchvision  # noqa: PLC0415

    models = load_torchvision().models
    choice = models.get_model_weights(name).DEFAULT
    file = Path(torch.hub.get_dir()) / "checkpoints" / choice.url.rsplit("/", 1)[-1]
    if not file.is_file():
        raise InputError(
            f"the weights of {name} are not in {file.parent}; fetch {choice.url} into that folder, "
            "or give --weights the path of a MobileNetV1 state dict, or none"
        )
    network = models.get_model(name)
    network.load_state_dict(_read_state(file))
    return cut_stages(network)


class Turned(nn.Module):
    """A stage whose network keeps channels last, between maps that keep them second. The first reads the picture."""

    def __init__(self, stage: nn.Module, *, first: bool) -> None:
        super().__init__()
        self.stage, self.first = stage, first

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x = x_BCHW if self.first else x_BCHW.permute(0, 2, 3, 1)
        out: Tensor = self.stage(x)
        return out.permute(0, 3, 1, 2)


def cut_stages(network: nn.Module) -> TorchvisionTrunk:
    """Cut a torchvision network into four stages that end at /4, /8, /16 and /32; Swin keeps channels last inside."""
    parts = dict(network.named_children())
    layers = list(parts.values())[:-2] if "layer4" in parts else list(parts["features"].children())
    channels_last = "permute" in parts
    probe, sizes, channels = torch.zeros(1, 3, 64, 64), [], []
    network.eval()
    with torch.no_grad():
        for layer in layers:
            probe = layer(probe)
            sizes.append(probe.shape[2])
            channels.append(probe.shape[3 if channels_last else 1])
    ends = [max(index for index, size in enumerate(sizes) if size == 64 // stride) + 1 for stride in (4, 8, 16, 32)]
    starts = [0, *ends[:-1]]
    stages: list[nn.Module] = [nn.Sequential(*layers[start:end]) for start, end in zip(starts, ends, strict=True)]
    if channels_last:
        stages = [Turned(stage, first=at == 0) for at, stage in enumerate(stages)]
    return TorchvisionTrunk(stages, tuple(channels[end - 1] for end in ends))

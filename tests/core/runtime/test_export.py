"""Export: what is written answers like torch, at any batch size, in one file; else nothing is written."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.errors import GateError
from core.runtime.export import export_onnx, parity
from core.runtime.sessions import OnnxRunner


class Network(nn.Module):
    """A small picture network with the three outputs of an inspection model."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.BatchNorm2d(8), nn.Hardswish(), nn.Conv2d(8, 8, 3, padding=1)
        )
        self.map, self.head = nn.Conv2d(8, 2, 1), nn.Linear(8, 2)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        x = self.trunk(image)
        logits = self.head(x.amax(dim=(2, 3)))
        defect_map = nn.functional.interpolate(self.map(x), scale_factor=2, mode="bilinear").sigmoid()
        return {"margin": logits.logsumexp(dim=1), "label_logits": logits, "defect_map": defect_map}


class Unlike(nn.Module):
    """Answers in the graph otherwise than in torch: it looks at whether it is being exported."""

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        shift = 0.001 if torch.compiler.is_exporting() else 0.0
        return {"margin": image.mean(dim=(1, 2, 3)) + shift}


class Broken(nn.Module):
    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"margin": (image.mean(dim=(1, 2, 3)) - 10).log()}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, Path]:
    torch.manual_seed(0)
    net, path = Network(), tmp_path_factory.mktemp("export") / "net.onnx"
    report = export_onnx(net, {"image": torch.randn(1, 3, 32, 32)}, path)
    assert set(report.differences) == {"margin", "label_logits", "defect_map"}
    assert report.worst < 1e-5
    assert report.bytes == path.stat().st_size
    return net, path


def test_onnx_runtime_gives_torchs_answers_at_any_batch_size(exported: tuple[Network, Path]) -> None:
    net, path = exported
    runner = OnnxRunner(path, device="cpu", threads=1)
    net.eval()
    for rows in (1, 2, 5, 33):
        assert max(parity(net, {"image": torch.randn(rows, 3, 32, 32)}, runner).values()) < 1e-5


def test_the_export_is_one_file(exported: tuple[Network, Path]) -> None:
    assert [path.name for path in exported[1].parent.iterdir()] == ["net.onnx"]


def test_the_module_stays_in_the_mode_it_was_in(tmp_path: Path) -> None:
    net = Network().train()
    export_onnx(net, {"image": torch.randn(2, 3, 16, 16)}, tmp_path / "net.onnx")
    assert net.training


@pytest.mark.parametrize(("module", "words"), [(Unlike(), "differs from torch by 0.001"), (Broken(), "by nan")])
def test_an_export_that_answers_otherwise_fails_and_leaves_nothing(
    tmp_path: Path, module: nn.Module, words: str
) -> None:
    with pytest.raises(GateError, match=words):
        export_onnx(module, {"image": torch.rand(1, 3, 8, 8)}, tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_picture_sizes_may_stay_open(tmp_path: Path) -> None:
    net, path = Network(), tmp_path / "net.onnx"
    export_onnx(net, {"image": torch.randn(1, 3, 32, 48)}, path, dynamic={"image": (0, 2, 3)})
    outputs = OnnxRunner(path, device="cpu").run({"image": np.zeros((2, 3, 64, 32), np.float32)})
    assert outputs["defect_map"].shape == (2, 2, 64, 32)

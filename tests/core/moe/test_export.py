"""The layer in ONNX Runtime: the same answers for any batch and any number of tokens."""

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn

from core.moe.layer import MoELayer
from core.moe.options import MoEOptions
from core.runtime.export import export_onnx, parity
from core.runtime.sessions import OnnxRunner

CASES: dict[str, dict[str, Any]] = {
    "softmax": {},
    "sigmoid, top 3": {"gate": "sigmoid", "top_k": 3},
    "top 1": {"top_k": 1},
    "one sigmoid": {"gate": "sigmoid", "top_k": 1},
    "groups": {"experts": 12, "groups": 4, "groups_kept": 2, "top_k": 3},
    "fewer experts for easy tokens": {"top_k": 4, "least": 1, "mass": 0.6},
    "shared experts": {"shared": 2},
    "bias": {"balance": "bias", "gate": "sigmoid"},
    "odd widths": {"width": 13, "hidden": 7, "experts": 5},
}
SIZES = ((1, 1), (1, 9), (5, 1), (4, 6))


class Masked(nn.Module):
    def __init__(self, options: MoEOptions) -> None:
        super().__init__()
        self.layer = MoELayer(options)
        if self.layer.router.bias_E is not None:
            self.layer.router.bias_E.uniform_(-0.2, 0.2)

    def forward(self, x: Tensor, mask: Tensor) -> dict[str, Tensor]:
        mixed = self.layer(x, mask)
        return {"y": mixed.y_BTD, "load": mixed.load_E}


class Whole(nn.Module):
    def __init__(self, options: MoEOptions) -> None:
        super().__init__()
        self.layer = MoELayer(options)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"y": self.layer(x).y_BTD}


@pytest.mark.parametrize("case", CASES)
def test_onnx_runtime_answers_like_torch_at_any_size(case: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = MoEOptions(**({"width": 16, "hidden": 8} | CASES[case]))
    module, path = Masked(options), tmp_path / "layer.onnx"
    example = {"x": 3 * torch.randn(2, 4, options.width), "mask": torch.rand(2, 4) > 0.4}
    export_onnx(module, example, path, dynamic={"x": (0, 1), "mask": (0, 1)}, tolerance=1e-5)
    runner = OnnxRunner(path, device="cpu", threads=1)
    module.eval()
    for batch, tokens in SIZES:
        x = 3 * torch.randn(batch, tokens, options.width)
        x[0, 0] = 0  # ties
        for mask in (torch.rand(batch, tokens) > 0.4, torch.zeros(batch, tokens, dtype=torch.bool)):
            assert max(parity(module, {"x": x, "mask": mask}, runner).values()) < 1e-5


def test_the_file_holds_one_operator_for_all_experts(tmp_path: Path) -> None:
    path = tmp_path / "layer.onnx"
    report = export_onnx(Whole(MoEOptions(width=16, hidden=8)), {"x": torch.randn(2, 4, 16)}, path)
    operators = [(node.domain, node.op_type) for node in onnx.load(path).graph.node]
    assert operators.count(("com.microsoft", "MoE")) == 1
    assert report.nodes < 30

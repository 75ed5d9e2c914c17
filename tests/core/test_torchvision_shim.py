"""torchvision is imported through the shim, in a fresh process each time: an import cannot be taken back."""

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("core", "data", "pipelines", "apps", "dashboards")


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_model_and_the_transforms_work_through_the_shim() -> None:
    words = python(
        "from core.torchvision_shim import load_torchvision\n"
        "import torch\n"
        "tv = load_torchvision()\n"
        "assert tv is load_torchvision()\n"
        "from torchvision.transforms import v2\n"
        "net = tv.models.mobilenet_v3_small(weights=None).eval()\n"
        "size = v2.Compose([v2.Resize((64, 64))])(torch.zeros(3, 100, 80))\n"
        "print(tuple(net(size[None]).shape), torch.ops.torchvision.nms is not None)\n"
    )
    assert words == "(1, 1000) True"


def test_nothing_is_declared_where_the_real_operators_are_there() -> None:
    words = python(
        "import torch\n"
        "real = torch.library.Library('torchvision', 'DEF')\n"
        "for name in ('nms', 'qnms'):\n"
        "    real.define(name + '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')\n"
        "from core import torchvision_shim as shim\n"
        "shim.load_torchvision()\n"
        "print(len(shim._declared))\n"
    )
    assert words == "0"


def test_the_shim_is_needed_or_changes_nothing() -> None:
    plain = subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True, text=True)
    declared = python("from core import torchvision_shim as shim\nshim.load_torchvision()\nprint(len(shim._declared))")
    if plain.returncode == 0:
        assert declared == "0"
    else:
        assert "torchvision::nms does not exist" in plain.stderr
        assert declared == "2"


def test_importing_the_shim_imports_no_torchvision() -> None:
    assert python("import sys, core.torchvision_shim; print('torchvision' in sys.modules)") == "False"


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_else_imports_torchvision(package: str) -> None:
    root = Path(__file__).parents[2]
    for path in (root / package).rglob("*.py"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        direct = [line for line in lines if line.startswith(("import torchvision", "from torchvision"))]
        assert not direct or path.name == "torchvision_shim.py", f"{path}: {direct}"

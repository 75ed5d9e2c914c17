"""The one way to torchvision, also beside a processor-only torch.

The wheel of torchvision on PyPI is built for CUDA. Beside a torch without CUDA its compiled operators do not load, and
then `import torchvision` fails with "operator torchvision::nms does not exist", because it registers shapes for two
operators without asking whether they are there (pytorch/vision#9337). Models and transforms need neither operator. So
where the real ones do not load, their signatures alone are declared first; where they load, nothing is changed.

What then does not work: `torchvision.ops.nms` and `torchvision.io` (read and write of images). We use neither.
"""

import importlib.util
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType

import torch

from core.errors import AssayError

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[torch.library.Library] = []  # a declaration ends with its library object, so it is kept


@cache
def load_torchvision() -> ModuleType:
    """Import torchvision and return it. AssayError where it is not installed or does not fit this torch."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        raise AssayError(
            "torchvision is not installed; run: pip install 'torchvision>=0.26,<0.29'", code="NO_TORCHVISION"
        )
    if not operators_load(Path(spec.submodule_search_locations[0])):
        _declare("nms")
        _declare("qnms")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Failed to load image Python extension")
        try:
            import torchvision  # noqa: PLC0415 - it takes a second, and the operators must be declared first
        except (RuntimeError, ImportError, OSError) as error:
            words = f"torchvision does not load beside torch {torch.__version__}: {error}"
            raise AssayError(f"{words}; install the torchvision that was made for it", code="NO_TORCHVISION") from error
    module: ModuleType = torchvision
    return module


def operators_load(folder: Path) -> bool:
    """Tell whether the compiled operators in torchvision's folder load into this torch."""
    if _exists("nms"):
        return True
    for library in sorted(folder.glob("_C*.so")):
        try:
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
        except OSError:  # built for CUDA libraries, or for another torch
            continue
    return _exists("nms")


def _declare(operator: str) -> None:
    if not _exists(operator):
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        library.define(operator + _SCHEMA)  # type: ignore[no-untyped-call]
        _declared.append(library)


def _exists(operator: str) -> bool:
    return hasattr(torch.ops.torchvision, operator)

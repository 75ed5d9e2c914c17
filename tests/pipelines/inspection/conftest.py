"""One small model, trained once for all tests of the inspection pipeline."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from core.runtime.engine import Engine
from data.inspection.split_file import read_split
from data.inspection.surfaces import make_surfaces
from pipelines.inspection.options import InspectionOptions
from pipelines.inspection.train import train_inspection


@pytest.fixture(scope="session")
def surfaces(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Generated pictures: `train`, `valid`, `test`, each a tuple of LabelledImage."""
    paths = make_surfaces(tmp_path_factory.mktemp("surfaces"), images=60, seed=0, size=96)
    train, valid, test = (read_split(path) for path in paths)
    return SimpleNamespace(train=train, valid=valid, test=test)


@pytest.fixture(scope="session")
def demo_options() -> InspectionOptions:
    return InspectionOptions(preset="smoke", size_px=64, boxes_per_class=1)


@pytest.fixture(scope="session")
def engine(
    surfaces: SimpleNamespace, demo_options: InspectionOptions, tmp_path_factory: pytest.TempPathFactory
) -> Engine:
    """The engine of a model that was trained on the surfaces."""
    folder: Path = tmp_path_factory.mktemp("bundles") / "surfaces"
    bundle = train_inspection(surfaces.train, surfaces.valid, demo_options, folder)
    return Engine.open(bundle, device="cpu", threads=1)

"""Small trained models of both kinds, registered in a home of the module's own."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from apps.settings import Settings
from apps.store import models
from apps.store.database import open_database
from data.finance.credit_tables import make_credit
from data.inspection.split_file import read_split
from data.inspection.surfaces import make_surfaces
from pipelines.finance.credit import CreditOptions, train_credit
from pipelines.inspection.options import InspectionOptions
from pipelines.inspection.train import train_inspection
from tests.services import home_settings


def _quiet(_part: float, _words: str) -> None: ...


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = home_settings(tmp_path / "home")
    open_database(settings)
    return settings


@pytest.fixture(scope="module")
def credit(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A home with a credit model, and a table to score: `settings`, `model`, `table`."""
    folder = tmp_path_factory.mktemp("credit")
    settings = home_settings(folder / "home")
    frame = make_credit(3000, 1)
    parts = {name: part.drop(columns="split").reset_index(drop=True) for name, part in frame.groupby("split")}
    options = CreditOptions(target="default_12m", id_column=str(frame.columns[0]))
    train_credit(parts["train"], parts["val"], options, folder / "bundle", _quiet)
    model = models.register(open_database(settings), settings, folder / "bundle", "credit")
    table = folder / "cases.csv"
    parts["test"].to_csv(table, index=False)
    return SimpleNamespace(settings=settings, model=model, table=table, id_column=str(frame.columns[0]))


@pytest.fixture(scope="module")
def inspection(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A home with an inspection model, and pictures to inspect: `settings`, `model`, `paths`."""
    folder = tmp_path_factory.mktemp("inspection")
    settings = home_settings(folder / "home")
    train, valid, test = (read_split(path) for path in make_surfaces(folder, images=40, seed=0, size=64))
    options = InspectionOptions(preset="smoke", size_px=64, boxes_per_class=3)
    train_inspection(train, valid, options, folder / "bundle")
    model = models.register(open_database(settings), settings, folder / "bundle", "surfaces")
    return SimpleNamespace(settings=settings, model=model, paths=[image.path for image in test])

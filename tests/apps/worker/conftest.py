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
from pipelines.finance.company import train_company
from pipelines.finance.company_plan import CompanyOptions
from pipelines.finance.credit import CreditOptions, train_credit
from pipelines.inspection.options import InspectionOptions
from pipelines.inspection.train import train_inspection
from tests.pipelines.finance.company_samples import KEYS, make_companies
from tests.services import home_settings

POLICY = """name,kind,version,valid_from,priority,condition,action,floor,if_missing,en,zh
deep_in_debt,knock_out,1,2020-01-01,1,total_liabilities > 0.8 * total_assets,decline,,ignore,"Debt of {total_liabilities:,.0f}, assets of {total_assets:,.0f}","负债{total_liabilities:,.0f}，资产{total_assets:,.0f}"
loss,policy,1,2020-01-01,2,net_income < 0,floor,0.2,ignore,"Net income is {net_income:,.2f}","净利润为{net_income:,.2f}"
"""  # noqa: E501


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
def companies(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A home with two company models, a case a company and a case a year: `settings`, `latest`, `all`, `table`."""
    folder = tmp_path_factory.mktemp("companies")
    settings = home_settings(folder / "home")
    db = open_database(settings)
    found = {}
    policy = folder / "policy.csv"
    policy.write_text(POLICY, encoding="utf-8")
    for cases in ("latest", "all"):
        options = CompanyOptions(**KEYS, cases=cases, policy=policy, name=cases)
        train_company(make_companies(0, 120), make_companies(1, 80), options, folder / cases, _quiet)
        found[cases] = models.register(db, settings, folder / cases, cases)
    table = folder / "statements.csv"
    make_companies(2, 70).to_csv(table, index=False)  # years of a company stand anywhere
    return SimpleNamespace(settings=settings, table=table, **found)


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

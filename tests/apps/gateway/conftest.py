"""A gateway behind a test client."""

import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from apps.gateway.app import create_app
from apps.gateway.limits import Limits
from apps.settings import Settings
from apps.store.database import open_database
from apps.store.keys import add_key
from apps.store.models import register
from tests.apps.gateway.small_house import House, register_tiles, train_firms, train_loans


@pytest.fixture
def limits() -> Limits:
    """Override in a module to test other bounds."""
    return Limits(judging=2)


@dataclass(frozen=True)
class Template:
    """A home with a key and three models, made once; each test works in a copy."""

    home: Path
    key: str


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    settings = Settings(_env_file=None, home=tmp_path_factory.mktemp("template") / "home")
    db = open_database(settings)
    _, secret = add_key(db, "test")
    register_tiles(settings)
    train_loans(settings.home / "draft")
    register(db, settings, settings.home / "draft", "loans")
    train_firms(settings.home / "draft-firms")
    register(db, settings, settings.home / "draft-firms" / "bundle", "firms")
    db.dispose()
    return Template(home=settings.home, key=secret)


@pytest.fixture
def house(settings: Settings, limits: Limits, template: Template) -> Iterator[House]:
    shutil.copytree(template.home, settings.home)
    log = io.StringIO()
    with TestClient(create_app(settings, limits, log), raise_server_exceptions=False) as client:
        yield House(client=client, settings=settings, key=template.key, log=log)

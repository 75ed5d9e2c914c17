"""A gateway behind a test client."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from apps.gateway.app import create_app
from apps.gateway.limits import Limits
from apps.settings import Settings
from apps.store.database import open_database
from apps.store.keys import add_key
from apps.store.models import register
from tests.apps.gateway.small_house import House, register_tiles, train_loans


@pytest.fixture
def limits() -> Limits:
    """Override in a module to test other bounds."""
    return Limits(judging=2)


@pytest.fixture(scope="session")
def loans_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loans") / "bundle"
    train_loans(folder)
    return folder


@pytest.fixture
def house(settings: Settings, limits: Limits, loans_bundle: Path) -> Iterator[House]:
    db = open_database(settings)
    _, secret = add_key(db, "test")
    register_tiles(settings)
    register(db, settings, Path(shutil.copytree(loans_bundle, settings.home / "draft")), "loans")
    log = io.StringIO()
    with TestClient(create_app(settings, limits, log), raise_server_exceptions=False) as client:
        yield House(client=client, settings=settings, key=secret, log=log)

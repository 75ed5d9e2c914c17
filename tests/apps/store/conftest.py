"""Every test of the store runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy

from apps.settings import Settings
from apps.store.database import open_database
from tests.services import home_settings, own_postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    if request.param == "sqlite":
        yield home_settings(tmp_path / "home")
    else:
        with own_postgres(request.getfixturevalue("postgres_url")) as url:
            yield home_settings(tmp_path / "home", database_url=url)


@pytest.fixture
def db(settings: Settings) -> sqlalchemy.Engine:
    return open_database(settings)

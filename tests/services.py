"""Databases of a test's own, and small bundles, for the tests of the store, the worker and the faults."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from pydantic import SecretStr

from apps.settings import Settings
from apps.store.database import close_database
from core.runtime.bundle import write_bundle


@contextmanager
def own_postgres(url: str) -> Iterator[str]:
    """Give a URL that leads into a new, empty schema on the server of `url`; it is dropped afterwards."""
    server = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
    name = f"assay_test_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE SCHEMA {name}"))
    own = sqlalchemy.make_url(url).update_query_dict({"options": f"-csearch_path={name}"})
    try:
        yield own.render_as_string(hide_password=False)
    finally:
        close_database(home_settings(Path(), database_url=own.render_as_string(hide_password=False)))
        with server.connect() as connection:
            connection.execute(sqlalchemy.text(f"DROP SCHEMA {name} CASCADE"))


def home_settings(home: Path, *, database_url: str | None = None, broker_url: str | None = None) -> Settings:
    """Settings that no environment changes."""
    return Settings(
        _env_file=None,
        home=home,
        database_url=None if database_url is None else SecretStr(database_url),
        broker_url=None if broker_url is None else SecretStr(broker_url),
        store_url=None,
        device="cpu",
        threads=1,
    )


def small_bundle(
    folder: Path, *, kind: str = "credit", name: str = "loans", content: bytes = b"tree", spec: dict | None = None
) -> Path:
    """Write a bundle that checks out; nothing can be scored with it."""
    write_bundle(
        folder,
        kind=kind,
        name=name,
        parts={"trees": ("lightgbm", content)},
        spec=spec or {},
        decision={},
        calibration=None,
        metrics={"auc": {"value": 0.8, "low": 0.7, "high": 0.9}},
        golden=None,
        about={},
    )
    return folder

"""Fixtures for all tests: real data, real services, a home of one's own."""

import os
from pathlib import Path

import pytest

from apps.settings import Settings


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of data sets and weights that are not part of this repository."""
    folder = Path(os.environ.get("ASSAY_TEST_DATA", "../shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the data sets: {folder / 'data'} is not there; set ASSAY_TEST_DATA")
    return folder.resolve()


def _service(variable: str) -> str:
    url = os.environ.get(variable)
    if not url:
        pytest.skip(f"needs a running service: {variable} is not set")
    return url


@pytest.fixture(scope="session")
def postgres_url() -> str:
    return _service("ASSAY_TEST_POSTGRES_URL")


@pytest.fixture(scope="session")
def redis_url() -> str:
    return _service("ASSAY_TEST_REDIS_URL")


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    return _service("ASSAY_TEST_RABBITMQ_URL")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a home in a temporary folder, whatever the environment says."""
    return Settings(_env_file=None, home=tmp_path / "home")

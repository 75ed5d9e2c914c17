"""A home full of rows, made once; pages run against it through the environment, as they do in a deployment."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from apps.settings import Settings
from tests.dashboards.seed import Seeded, seed

APP = Path(__file__).parents[2] / "dashboards" / "app.py"


@pytest.fixture(scope="session")
def seeded_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Seeded]:
    home = tmp_path_factory.mktemp("dashboards") / "home"
    return home, seed(Settings(home=home, database_url=None, store_url=None))


@pytest.fixture
def seeded(seeded_home: tuple[Path, Seeded], monkeypatch: pytest.MonkeyPatch) -> Seeded:
    """The environment points to the full home."""
    _use(seeded_home[0], monkeypatch)
    return seeded_home[1]


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment points to a home where nothing was done yet."""
    _use(tmp_path / "home", monkeypatch)
    return tmp_path / "home"


@pytest.fixture
def visit() -> Iterator[Callable[..., AppTest]]:
    """Open a page as a person would by a link: `visit("risk/case.py", case="L1")`."""

    def opened(page: str | None = None, **params: str) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=60)
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        if page is not None:
            app.switch_page(page)
            for name, value in params.items():
                app.query_params[name] = value
            app.run()
        assert not app.exception, app.exception
        return app

    yield opened
    st.cache_data.clear()


def _use(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ASSAY_DATABASE_URL", "ASSAY_STORE_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(home))
    st.cache_data.clear()

"""A real browser on real dashboards: Debian's chromium, and a server over a home full of rows."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from apps.settings import Settings
from tests.dashboards.seed import Seeded, seed

APP = Path(__file__).parents[2] / "dashboards" / "app.py"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Site:
    """Where the dashboards answer, and what lies in them."""

    url: str
    seeded: Seeded


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if shutil.which("chromium") is None:
        pytest.skip("needs a browser: apt-get install chromium fonts-noto-cjk")
    home = tmp_path_factory.mktemp("browser") / "home"
    seeded = seed(Settings(home=home, database_url=None, store_url=None))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    log = home / "streamlit.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", str(APP), "--server.port", str(port)],
            env=environment | {"ASSAY_HOME": str(home)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(f"http://127.0.0.1:{port}/_stcore/health", server, log)
            yield Site(url=f"http://127.0.0.1:{port}", seeded=seeded)
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture(scope="session")
def browser(site: Site) -> Iterator["Browser"]:  # noqa: F821  (playwright is imported only where a browser is)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield started
        started.close()


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the dashboards ended: {log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the dashboards did not answer within 60 s: {log.read_text()}")

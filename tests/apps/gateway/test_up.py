"""`assay up` as people use it: all four parts, a batch through the worker, Ctrl-C, nothing left."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from apps.settings import Settings
from tests.apps.gateway.small_house import picture, register_tiles

pytestmark = pytest.mark.slow


@dataclass
class Running:
    process: subprocess.Popen[str]
    url: str
    dashboard_url: str
    key: str
    home: Path


def free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)


def processes_of(home: Path) -> list[int]:
    """Every process whose environment names this home."""
    mark = f"ASSAY_HOME={home}".encode()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = (tmp_path_factory.mktemp("up") / "home").resolve()
    register_tiles(Settings(_env_file=None, home=home))
    port, dashboard_port = free_ports(2)
    command = [sys.executable, "-m", "apps.cli", "up", "--port", str(port), "--dashboard-port", str(dashboard_port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    process = subprocess.Popen(
        command,
        env={**environment, "ASSAY_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    key = re.search(r"assay_\S+", said)
    assert key is not None, said
    yield Running(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{dashboard_port}", key.group(), home)
    process.kill()
    process.wait()


def test_a_batch_goes_through_the_worker_and_its_results_can_be_fetched(up: Running) -> None:
    inbox = up.home / "inbox" / "shift"
    inbox.mkdir(parents=True)
    for number in range(5):
        (inbox / f"{number}.png").write_bytes(picture(spot=number == 3))
    (inbox / "5.png").write_bytes(b"broken")
    with httpx.Client(base_url=up.url, headers={"X-API-Key": up.key}, timeout=20) as client:
        accepted = client.post("/v1/batches", json={"model": "tiles", "path": "shift"})
        assert accepted.status_code == 202, accepted.text
        place = accepted.headers["Location"]
        wait_for(lambda: client.get(place).json()["state"] == "done", 60)
        done = client.get(place).json()
        assert (done["progress"], done["rows_done"], done["rows_failed"]) == (1.0, 6, 1)
        lines = client.get(done["links"]["results"])
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    assert [line.count('"reject"') for line in lines.text.splitlines()] == [0, 0, 0, 1, 0, 0]
    assert '"unknown"' in lines.text.splitlines()[5]


def test_the_dashboards_answer(up: Running) -> None:
    assert httpx.get(f"{up.dashboard_url}/_stcore/health").status_code == 200


def test_ctrl_c_stops_everything_within_fifteen_seconds(up: Running) -> None:
    everyone = processes_of(up.home)
    assert len(everyone) >= 5
    started = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(20) == 0
    assert time.monotonic() - started < 15
    assert up.process.stdout is not None
    assert "killed" not in up.process.stdout.read()
    wait_for(lambda: processes_of(up.home) == [], 3)


def test_a_second_start_keeps_the_key_to_itself(up: Running) -> None:
    """The key is shown once; the second start says nothing of it and is ended by the death of a child."""
    port, dashboard_port = free_ports(2)
    command = [sys.executable, "-m", "apps.cli", "up", "--port", str(port), "--dashboard-port", str(dashboard_port)]
    with subprocess.Popen(
        command,
        env={**os.environ, "ASSAY_HOME": str(up.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        schedule = next(
            pid for pid in processes_of(up.home) if b"schedule" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        os.kill(schedule, signal.SIGKILL)
        said += process.stdout.read()
        assert process.wait(20) == 1
    assert "assay_" not in said
    assert "schedule was killed by SIGKILL" in said.splitlines()[-1]
    wait_for(lambda: processes_of(up.home) == [], 3)

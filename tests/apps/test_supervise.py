"""`assay up`'s engine with real processes: all start, all stop, and no orphan is left."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from apps.settings import Settings, load_settings
from apps.supervise import Part, dashboard_command, stop, supervised, up
from core.errors import AssayError

# a part that has a child of its own, as a worker has; both write their process ids
FAMILY = """
import os, pathlib, signal, subprocess, sys, time
folder, ignore = pathlib.Path(sys.argv[1]), sys.argv[2] == "deaf"
if ignore:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(folder / f"{sys.argv[3]}.pids").write_text(f"{os.getpid()} {grandchild.pid}")
time.sleep(600)
"""


def family(name: str, folder: Path, temper: str = "mild") -> Part:
    return Part(name=name, command=(sys.executable, "-c", FAMILY, str(folder), temper, name))


def python(name: str, code: str, **more: str) -> Part:
    return Part(name=name, command=(sys.executable, "-c", code), **more)


def pids(folder: Path, *names: str) -> list[int]:
    files = [folder / f"{name}.pids" for name in names]
    wait_for(lambda: all(file.exists() and len(file.read_text().split()) == 2 for file in files), 20)
    return [int(pid) for file in files for pid in file.read_text().split()]


def wait_for(condition: object, seconds: float) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def quiet(line: str) -> None:
    pass


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that the environment says, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    return load_settings()


def test_children_and_their_children_are_gone_afterwards(settings: Settings, tmp_path: Path) -> None:
    with supervised([family("a", tmp_path), family("b", tmp_path)], settings, quiet) as both:
        both.wait_until_healthy()
        everyone = pids(tmp_path, "a", "b")
        assert all(map(lives, everyone))
    assert not any(map(lives, everyone))


def test_a_part_ends_its_own_children_in_order(settings: Settings, tmp_path: Path) -> None:
    """A worker finishes what its processes do: they must not get the signal themselves."""
    code = """
import pathlib, signal, subprocess, sys
folder = pathlib.Path(sys.argv[1])
task = "import sys, time; time.sleep(1.5); open(sys.argv[1], 'w').close()"
child = subprocess.Popen([sys.executable, "-c", task, str(folder / "finished")])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(child.wait()))
(folder / "ready").touch()
signal.pause()
"""
    with supervised([Part(name="worker", command=(sys.executable, "-c", code, str(tmp_path)))], settings, quiet):
        wait_for((tmp_path / "ready").exists, 20)
    assert (tmp_path / "finished").exists()


def test_a_child_that_ignores_sigterm_is_killed(settings: Settings, tmp_path: Path) -> None:
    with supervised([family("deaf", tmp_path, "deaf")], settings, quiet) as one:
        everyone = pids(tmp_path, "deaf")
        started = time.monotonic()
        stop(one._children, quiet, patience_s=0.5)
        assert time.monotonic() - started < 3
    assert not any(map(lives, everyone))


def test_when_one_dies_the_others_are_stopped_and_its_last_words_told(settings: Settings, tmp_path: Path) -> None:
    sick = python("worker", "import time; time.sleep(0.5); raise SystemExit('the broker does not answer')")
    with supervised([family("gateway", tmp_path), sick], settings, quiet) as both:
        everyone = pids(tmp_path, "gateway")
        with pytest.raises(AssayError, match=r"worker ended with exit code 1.*the broker does not answer") as caught:
            both.wait_until_stopped()
    assert "\n" not in str(caught.value)
    assert not any(map(lives, everyone))


def test_a_child_that_never_answers_is_named(settings: Settings) -> None:
    mute = python("dashboard", "import time; time.sleep(60)", health_url=f"http://127.0.0.1:{free_port()}/")
    with (
        pytest.raises(AssayError, match="dashboard did not answer within"),
        supervised([mute], settings, quiet) as one,
    ):
        one.wait_until_healthy(patience_s=0.5)


def test_a_child_killed_by_a_signal_is_told_so(settings: Settings) -> None:
    doomed = python("schedule", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with (
        pytest.raises(AssayError, match="schedule was killed by SIGKILL"),
        supervised([doomed], settings, quiet) as one,
    ):
        one.wait_until_stopped()


SUPERVISOR = """
import sys
from pathlib import Path
from apps.settings import Settings
from apps.supervise import Part, supervised
start = (sys.executable, "-c", Path(sys.argv[1]).read_text(), sys.argv[2], "mild")
parts = [Part(name=name, command=(*start, name)) for name in "ab"]
with supervised(parts, Settings(_env_file=None, home=Path(sys.argv[2]) / "home"), print) as family:
    family.wait_until_healthy()
    print("up", flush=True)
    family.wait_until_stopped()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_however_the_supervisor_ends_nothing_is_left(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "family.py"
    script.write_text(textwrap.dedent(FAMILY).replace('time.sleep(600)"]', 'import time; time.sleep(20)"]'))
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    everyone = pids(tmp_path, "a", "b")
    if number == signal.SIGKILL:
        wait_for(lambda: all(map(lives, everyone)), 5)
        supervisor.kill()
        supervisor.wait()
        everyone = everyone[::2]  # the kernel ends the children; theirs are their own business
    else:
        assert supervisor.stdout is not None
        while "up" not in supervisor.stdout.readline():
            pass
        supervisor.send_signal(number)
        assert supervisor.wait(timeout=15) == 0
    wait_for(lambda: not any(map(lives, everyone)), 15)
    for pid in pids(tmp_path, "a", "b")[1::2]:  # only what is left after the kill -9 case
        if lives(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("taken", "option"), [("gateway", "--port"), ("dashboard", "--dashboard-port")])
def test_a_taken_port_is_one_line_before_anything_starts(at_home: Settings, taken: str, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ports = (port, free_port()) if taken == "gateway" else (free_port(), port)
        with pytest.raises(AssayError) as caught:
            up(at_home, "127.0.0.1", *ports, say=quiet)
    assert str(port) in str(caught.value)
    assert f" {option}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not at_home.home.exists()


def test_a_public_address_without_a_key_is_refused(at_home: Settings) -> None:
    with pytest.raises(AssayError, match="assay keys add"):
        up(at_home, "0.0.0.0", free_port(), free_port(), say=quiet)


def test_settings_that_the_children_would_not_see_are_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match="environment"):
        up(settings, say=quiet)


def test_the_dashboards_listen_where_they_are_told() -> None:
    command = dashboard_command("127.0.0.1", 8599)
    assert "--server.address=127.0.0.1" in command
    assert "--server.port=8599" in command
    assert "--browser.gatherUsageStats=false" in command

"""`assay up`: gateway, worker, schedule and dashboard as child processes that live and die together.

Each child leads a process group of its own, so that Ctrl-C reaches the supervisor alone, which then stops every group;
on Linux the kernel also ends a child whose supervisor was killed. What children print goes to HOME/logs.
"""

import ctypes
import importlib.util
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

import typer

from apps.gateway.ports import is_loopback, refuse_open_house
from apps.gateway.ports import require_free_port as require_free_port
from apps.settings import Settings, load_settings
from apps.store.database import open_database
from apps.store.keys import add_key, list_keys
from core.errors import AssayError

Say = Callable[[str], None]

START_S = 90.0  # the dashboard's first import is slow on a busy machine
STOP_S = 10.0  # for the parts to end in order
LEFTOVER_S = 1.5  # for what they left behind, after SIGTERM and again after SIGKILL
POLL_S = 0.1
SHOWN_LINES = 5
KEPT_LOG_BYTES = 10 * 2**20
PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One child: what it is called, how it is started, and where it answers when it is well (empty: it lives)."""

    name: str
    command: Sequence[str]
    health_url: str = ""


@dataclass(kw_only=True)
class Child:
    """A part that was started."""

    part: Part
    process: subprocess.Popen[bytes]
    log: Path
    healthy: bool = False


def up(
    settings: Settings, host: str = "127.0.0.1", gateway_port: int = 8000, dashboard_port: int = 8501,
    *, concurrency: int = 2, say: Say = typer.echo,
) -> None:  # fmt: skip
    """Start everything, say where it is, and stay until Ctrl-C or SIGTERM; then stop everything.

    Raises:
        AssayError: a port is taken or the address is public without an API key (nothing has started then); a part
            did not start or died (the others have been stopped then).
        ValueError: `settings` are not those of the environment, which the children read for themselves.
    """
    if settings != load_settings():
        raise ValueError("the parts read the environment; give up() what load_settings() returns")
    for port, option in ((gateway_port, "--port"), (dashboard_port, "--dashboard-port")):
        require_free_port(host, port, option=option)
    if gateway_port == dashboard_port:
        raise AssayError(f"gateway and dashboard cannot share port {gateway_port}; choose another --dashboard-port")
    db = open_database(settings)
    refuse_open_house(db, host)
    shown = "localhost" if is_loopback(host) else host
    with supervised(parts(host, gateway_port, dashboard_port, concurrency), settings, say) as family:
        family.wait_until_healthy()
        say(f"gateway    http://{shown}:{gateway_port}  (GET /v1/models, POST /v1/inspections, /v1/assessments)")
        say(f"dashboards http://{shown}:{dashboard_port}")
        if not list_keys(db):
            _, secret = add_key(db, "first", actor="up")
            say(f"API key    {secret}  (shown this once; send it as X-API-Key; assay keys add makes more)")
        say("Ctrl-C stops everything.")
        family.wait_until_stopped()


def parts(host: str, gateway_port: int, dashboard_port: int, concurrency: int) -> tuple[Part, ...]:
    """The four children. Each runs the command that also starts it alone in a deployment."""
    assay = (sys.executable, "-m", "apps.cli")
    near = f"[{host}]" if ":" in host else host
    near = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(near, near)
    return (
        Part(
            name="gateway",
            command=(*assay, "serve", "--host", host, "--port", str(gateway_port)),
            health_url=f"http://{near}:{gateway_port}/healthz",
        ),
        Part(name="worker", command=(*assay, "worker", "--concurrency", str(concurrency))),
        Part(name="schedule", command=(*assay, "schedule")),
        Part(
            name="dashboard",
            command=dashboard_command(host, dashboard_port),
            health_url=f"http://{near}:{dashboard_port}/_stcore/health",
        ),
    )


def dashboard_command(host: str, port: int) -> tuple[str, ...]:
    """The dashboards' own process; what Streamlit does by default and should not is switched off."""
    found = importlib.util.find_spec("dashboards")
    if found is None or not found.submodule_search_locations:
        raise AssayError("the package dashboards is not installed; pip install -e . in the repository")
    flags = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.maxUploadSize": "25",
        "server.enableXsrfProtection": "true",
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
    }
    page = str(Path(next(iter(found.submodule_search_locations))) / "app.py")
    options = [f"--{name}={value}" for name, value in flags.items()]
    return (sys.executable, "-m", "streamlit", "run", page, *options)


class Family:
    """Children that are watched together."""

    def __init__(self, children: Sequence[Child], stopping: Callable[[], bool], say: Say) -> None:
        self._children = children
        self._stopping = stopping
        self._say = say

    def wait_until_healthy(self, patience_s: float = START_S) -> None:
        """Return when every part answers, or when a signal came. Raises AssayError when one dies or never answers."""
        deadline = time.monotonic() + patience_s
        while not self._stopping():
            self.raise_if_one_died()
            for child in self._children:
                child.healthy = child.healthy or _answers(child.part.health_url)
            waiting = [child for child in self._children if not child.healthy]
            if not waiting:
                return
            if time.monotonic() > deadline:
                late = waiting[0]
                raise AssayError(f"{late.part.name} did not answer within {patience_s:g} s; {_last_words(late)}")
            time.sleep(POLL_S)

    def wait_until_stopped(self) -> None:
        """Stay until a signal comes. Raises AssayError when a part dies."""
        while not self._stopping():
            self.raise_if_one_died()
            time.sleep(POLL_S)

    def raise_if_one_died(self) -> None:
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
                raise AssayError(f"{child.part.name} {how}, the others were stopped; {_last_words(child)}")


@contextmanager
def supervised(wanted: Sequence[Part], settings: Settings, say: Say = typer.echo) -> Iterator[Family]:
    """Start the parts; stop all of them on the way out, whatever happened inside."""
    with ExitStack() as stack:
        stopping = stack.enter_context(_signals_noted())
        children: list[Child] = []
        stack.callback(stop, children, say)
        for part in wanted:
            children.append(_start(part, settings, stack))
        yield Family(children, stopping, say)
        say("stopping ...")


def stop(children: Sequence[Child], say: Say, patience_s: float = STOP_S) -> None:
    """End every part: SIGTERM to the parts, which end their own children; then to what is left; then SIGKILL."""
    for child in children:
        if child.process.poll() is None:
            child.process.send_signal(signal.SIGTERM)
    _wait(lambda: all(child.process.poll() is not None for child in children), patience_s)
    for child in children:
        if child.process.poll() is None:
            say(f"{child.part.name} did not stop within {patience_s:g} s and is killed; nothing that was saved is lost")
    for number in (signal.SIGTERM, signal.SIGKILL):
        for child in children:
            _signal_group(child, signal.SIGKILL if child.process.poll() is None else number)
        _wait(lambda: not any(_group_lives(child) for child in children), LEFTOVER_S)


def _start(part: Part, settings: Settings, stack: ExitStack) -> Child:
    log = settings.home.resolve() / "logs" / f"{part.name}.log"
    sink: IO[bytes] = stack.enter_context(_open_log(log))
    process = subprocess.Popen(
        part.command,
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )
    return Child(part=part, process=process, log=log)


def _open_log(path: Path) -> IO[bytes]:
    """Append; what has grown too long is set aside once."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and path.stat().st_size > KEPT_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def _die_with_parent() -> None:
    """Between fork and exec: ask the kernel for SIGTERM when the supervisor is gone, even by kill -9."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def _signals_noted() -> Iterator[Callable[[], bool]]:
    """Turn SIGINT, SIGTERM and SIGHUP into a flag, so that nothing is interrupted half-way."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    before = {name: signal.signal(name, note) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield lambda: bool(seen)
    finally:
        for name, old in before.items():
            signal.signal(name, old)


def _answers(url: str) -> bool:
    if not url:
        return True
    try:
        with urllib.request.urlopen(url, timeout=1.0) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _signal_group(child: Child, number: signal.Signals) -> None:
    try:
        os.killpg(child.process.pid, number)
    except ProcessLookupError:  # the whole group is gone
        child.process.poll()


def _wait(condition: Callable[[], bool], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_S / 2)


def _group_lives(child: Child) -> bool:
    """Whether any process of the group is left; the child itself is reaped first, or it would count as a zombie."""
    child.process.poll()
    try:
        os.killpg(child.process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _last_words(child: Child) -> str:
    lines = child.log.read_text(errors="replace").strip().splitlines()[-SHOWN_LINES:]
    said = " | ".join(line.strip()[:200] for line in lines) or "it said nothing"
    return f"{said} (all of it is in {child.log})"

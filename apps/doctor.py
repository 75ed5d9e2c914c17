"""Looks at the set-up and says how to mend what is wrong. Each check is one function that returns one Finding."""

import os
import shutil
import socket
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import func, select, text

from apps.requirements import installed, unmet
from apps.settings import Settings
from apps.store.database import database_url, open_database, reading
from apps.store.models import list_models, model_folder
from apps.store.tables import ApiKey, Model
from apps.store.upgrade import HEAD
from core.errors import AssayError
from core.runtime.bundle import open_bundle

State = Literal["ok", "warn", "fail"]

LOW_DISK_BYTES, NO_DISK_BYTES = 2 * 2**30, 200 * 2**20
BROKER_PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "pyamqp": 5672, "amqps": 5671}
ANSWER_S = 2.0
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
SHOWN_VERSIONS = ("torch", "lightgbm", "pandas", "sqlalchemy", "celery", "fastapi", "streamlit")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at; `remedy` is empty where nothing is wrong."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def examine(settings: Settings, names: Collection[str] = ()) -> list[Finding]:
    """Every check, in the order in which a person would mend them. Never raises: what fails is a finding.

    `names` are those of all environment variables, so that a slip of the pen in one of ours is found.
    """
    return [
        versions_finding(),
        runtime_finding(),
        accelerator_finding(settings),
        home_finding(settings),
        disk_finding(settings),
        database_finding(settings),
        broker_finding(settings, log_in=True),
        models_finding(settings),
        bundles_finding(settings),
        keys_finding(settings),
        settings_finding(settings, names),
    ]


def versions_finding() -> Finding:
    """Every requirement of the package against what is installed."""
    wrong = list(unmet(metadata.requires("assay") or []))
    if wrong:
        return Finding(
            name="versions", state="fail", detail="; ".join(wrong),
            remedy="pip install -e . -c constraints.txt, in the environment that runs assay",
        )  # fmt: skip
    shown = ", ".join(f"{name} {metadata.version(name)}" for name in ("assay", *SHOWN_VERSIONS))
    return Finding(name="versions", state="ok", detail=shown)


def runtime_finding(packages: frozenset[str] | None = None) -> Finding:
    """Exactly one of the two ONNX Runtime packages: they share a folder and break each other."""
    present = installed(RUNTIMES) if packages is None else packages & frozenset(RUNTIMES)
    if len(present) == 1:
        return Finding(name="onnxruntime", state="ok", detail=", ".join(present))
    if present:
        return Finding(
            name="onnxruntime", state="fail", detail="onnxruntime and onnxruntime-gpu are both installed",
            remedy="pip uninstall -y onnxruntime onnxruntime-gpu, then pip install -e '.[cpu]' or '.[gpu]'",
        )  # fmt: skip
    return Finding(
        name="onnxruntime", state="fail", detail="no ONNX Runtime is installed",
        remedy="pip install -e '.[cpu]', or '.[gpu]' on a machine with an NVIDIA GPU",
    )  # fmt: skip


def accelerator_finding(settings: Settings) -> Finding:
    """What models will really run on: a session is opened and asked, since the list of providers is no proof."""
    try:
        device = _device_that_runs(settings.device)
    except AssayError as error:
        return Finding(
            name="accelerator", state="fail", detail=str(error),
            remedy="set ASSAY_DEVICE=cpu, or install the extra `gpu` in place of `cpu` and a driver for CUDA 13",
        )  # fmt: skip
    except ImportError as error:
        return Finding(
            name="accelerator", state="fail", detail=f"ONNX Runtime cannot be loaded: {error}",
            remedy="pip install --force-reinstall the one onnxruntime package that this machine needs",
        )  # fmt: skip
    if device == "cpu" and settings.device == "auto" and Path("/proc/driver/nvidia/version").exists():
        return Finding(
            name="accelerator", state="warn", detail="there is an NVIDIA driver, but models run on the processor",
            remedy="pip uninstall -y onnxruntime, then pip install -e '.[gpu]'; or set ASSAY_DEVICE=cpu",
        )  # fmt: skip
    cores = len(os.sched_getaffinity(0))
    return Finding(name="accelerator", state="ok", detail=f"models run on {device}; {cores} cores may be used")


def home_finding(settings: Settings) -> Finding:
    """The home can be written and is not open to everybody."""
    if (home := settings.home.resolve()).is_file():
        return Finding(name="home", state="fail", detail=f"{home} is a file", remedy="name a folder in ASSAY_HOME")
    try:
        with tempfile.TemporaryFile(dir=_existing(home)):
            pass
    except OSError as error:
        return Finding(
            name="home", state="fail", detail=f"{home} cannot be written: {error.strerror}",
            remedy="give this user the folder, or set ASSAY_HOME to one that can be written",
        )  # fmt: skip
    if home.is_dir() and home.stat().st_mode & 0o002:
        return Finding(name="home", state="warn", detail=f"anybody can write {home}", remedy=f"chmod 700 {home}")
    return Finding(name="home", state="ok", detail=str(home) if home.is_dir() else f"{home} (made at first use)")


def disk_finding(settings: Settings) -> Finding:
    """Free space under the home: little is a warning, almost none a failure."""
    free = shutil.disk_usage(_existing(settings.home.resolve())).free
    detail = f"{free / 2**30:.1f} GiB free"
    if free < LOW_DISK_BYTES:
        state: State = "fail" if free < NO_DISK_BYTES else "warn"
        return Finding(name="disk", state=state, detail=detail, remedy="free space, or set ASSAY_HOME to another disk")
    return Finding(name="disk", state="ok", detail=detail)


def database_finding(settings: Settings) -> Finding:
    """The database answers and has this version's tables. A SQLite file that is not there yet is not made."""
    try:
        url = database_url(settings)
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
            return Finding(name="database", state="ok", detail=f"{url.database} (made at first use)")
        with reading(open_database(settings)) as session:
            revision = session.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except AssayError as error:
        return Finding(
            name="database", state="fail", detail=str(error),
            remedy="start the database, or set ASSAY_DATABASE_URL (leave it unset for SQLite in the home)",
        )  # fmt: skip
    where = url.render_as_string(hide_password=True)
    return Finding(name="database", state="ok", detail=f"{where}, revision {revision} of {HEAD}")


def broker_finding(settings: Settings, *, log_in: bool = False) -> Finding:
    """The broker takes connections; with `log_in` also our name and password. The embedded one is a folder."""
    if settings.broker_url is None:
        return Finding(name="broker", state="ok", detail=f"embedded, in {settings.home.resolve() / 'broker'}")
    try:
        url = urlsplit(settings.broker_url.get_secret_value())
        host, port = url.hostname or "127.0.0.1", url.port or BROKER_PORTS.get(url.scheme, 0)
    except ValueError:
        return _broker_fails("ASSAY_BROKER_URL is no URL")
    if url.scheme not in BROKER_PORTS:
        return _broker_fails(f"ASSAY_BROKER_URL begins with {url.scheme}://")
    try:
        with socket.create_connection((host, port), timeout=ANSWER_S):
            pass
        if log_in:
            _log_in(settings)
    except OSError as error:
        return _broker_fails(f"{url.scheme} at {host}:{port} does not answer: {error.strerror or error}")
    except AssayError as error:
        return _broker_fails(str(error))
    return Finding(name="broker", state="ok", detail=f"{url.scheme} at {host}:{port}")


def models_finding(settings: Settings) -> Finding:
    """At least one model stands in the registry."""
    count = _count(settings, select(func.count()).select_from(Model).where(Model.state == "champion"))
    if isinstance(count, Finding):
        return Finding(name="models", state="fail", detail=count.detail, remedy=count.remedy)
    if count:
        return Finding(name="models", state="ok", detail=f"{count} in service")
    remedy = "train one (assay train --help) or import one (assay models import --help)"
    return Finding(name="models", state="warn", detail="no model yet", remedy=remedy)


def bundles_finding(settings: Settings) -> Finding:
    """The files of the models in service are those that were registered."""
    count = _count(settings, select(func.count()).select_from(Model))
    if isinstance(count, Finding) or not count:
        return Finding(name="bundles", state="ok", detail="nothing to check")
    damaged = []
    for model in list_models(open_database(settings)):
        if model.state == "champion":
            try:
                open_bundle(model_folder(settings, model))
            except AssayError as error:
                damaged.append(str(error))
    if damaged:
        return Finding(
            name="bundles",
            state="fail",
            detail="; ".join(damaged),
            remedy="restore the folder from a copy, roll back (assay models rollback NAME), or retrain",
        )
    return Finding(name="bundles", state="ok", detail="all files of the models in service are as registered")


def keys_finding(settings: Settings) -> Finding:
    """At least one API key can be used."""
    count = _count(settings, select(func.count()).select_from(ApiKey).where(ApiKey.revoked_at.is_(None)))
    if isinstance(count, Finding):
        return Finding(name="keys", state="fail", detail=count.detail, remedy=count.remedy)
    if count:
        return Finding(name="keys", state="ok", detail=f"{count} API keys")
    return Finding(name="keys", state="warn", detail="no API key yet", remedy="assay keys add NAME")


def settings_finding(settings: Settings, names: Collection[str] = ()) -> Finding:
    """Every setting with its secrets masked; a name nobody reads is most likely a slip of the pen."""
    shown = ", ".join(f"ASSAY_{name.upper()}={masked(settings, name)}" for name in type(settings).model_fields)
    known = {f"ASSAY_{name.upper()}" for name in type(settings).model_fields}
    strange = sorted(
        name for name in names if name.startswith("ASSAY_") and not name.startswith("ASSAY_TEST_") and name not in known
    )
    if strange:
        return Finding(
            name="settings", state="warn", detail=f"{shown}; not known: {', '.join(strange)}",
            remedy=f"the settings are {', '.join(sorted(known))}",
        )  # fmt: skip
    return Finding(name="settings", state="ok", detail=shown)


def masked(settings: Settings, name: str) -> str:
    """A setting as people may see it: of a secret URL only scheme, user, host and path."""
    value = getattr(settings, name)
    if value is None:
        return "(default)"
    plain = value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
    try:
        url = urlsplit(plain)
        secret = url.password is not None or bool(url.query)
    except ValueError:
        return "***"
    if not secret:
        return plain
    where = f"{url.username or ''}:***@{url.hostname or ''}" if url.password is not None else url.netloc
    return f"{url.scheme}://{where}{f':{url.port}' if url.port else ''}{url.path}{'?***' if url.query else ''}"


def _count(settings: Settings, query: object) -> int | Finding:
    found = database_finding(settings)
    if found.state == "fail":
        return found
    if found.detail.endswith("(made at first use)"):
        return 0
    with reading(open_database(settings)) as session:
        return int(session.execute(query).scalar_one())  # type: ignore[call-overload]


def _log_in(settings: Settings) -> None:
    """Open a real connection. Raises AssayError."""
    from apps.worker.app import create_celery  # noqa: PLC0415 - Celery takes long to import

    with create_celery(settings).connection_for_write() as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0.2, timeout=4)
        except (*connection.connection_errors, *connection.channel_errors) as error:
            raise AssayError(f"the broker refused us: {str(error)[:200]}") from error


def _broker_fails(detail: str) -> Finding:
    return Finding(
        name="broker", state="fail", detail=detail,
        remedy="start it, or set ASSAY_BROKER_URL to redis://HOST, amqp://USER@HOST, or leave it unset (embedded)",
    )  # fmt: skip


def _device_that_runs(wanted: str) -> str:
    """Open a session on a graph of one node. Raises AssayError where the device that was asked for does not run."""
    from onnx import TensorProto, helper  # noqa: PLC0415 - slow to import, and the gateway's health needs no session

    from core.runtime.sessions import CUDA, open_session  # noqa: PLC0415 - likewise

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "probe", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    session = open_session(model.SerializeToString(), device=wanted, threads=1, name="probe")
    return "cuda" if session.get_providers()[0] == CUDA else "cpu"


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())

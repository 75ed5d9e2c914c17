"""One way into the database: open it, read in a transaction, write in a transaction.

SQLite: write-ahead log, a busy timeout, and BEGIN IMMEDIATE for writes, without which read-then-write in several
processes loses updates silently. PostgreSQL: short connect timeout, keep-alives, connections checked before use.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from apps.settings import Settings
from apps.store.forks import ForkGate
from apps.store.upgrade import upgrade
from core.errors import AssayError

T = TypeVar("T")

_BUSY_TIMEOUT_S = 30
_TRIES = 6
_POSTGRES: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
    "application_name": "assay",
}
# serialization failure, deadlock, server shutting down or starting, too many connections, read-only after failover
_TRANSIENT_SQLSTATES = {"40001", "40P01", "57P01", "57P02", "57P03", "53300", "25006", "55P03"}

_engines: dict[str, sqlalchemy.Engine] = {}
_lock = threading.Lock()
_gate = ForkGate()


class DatabaseError(AssayError):
    """The database does not answer, or refuses to work. `transient`: the same call may succeed later."""

    code = "DATABASE"

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


def database_url(settings: Settings) -> URL:
    """Return the URL of the database: SQLite in the home, unless another one is set."""
    if settings.database_url is None:
        return URL.create("sqlite", database=str(settings.home.resolve() / "assay.db"))
    try:
        url = make_url(settings.database_url.get_secret_value())
    except ArgumentError as error:
        raise AssayError("ASSAY_DATABASE_URL is no database URL; sqlite:///FILE or postgresql://... is") from error
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise AssayError(f"ASSAY_DATABASE_URL names {url.drivername}; sqlite and postgresql are supported")
    return url


def open_database(settings: Settings) -> sqlalchemy.Engine:
    """Return the engine for the settings' database, at the newest tables; one engine a process and URL.

    DatabaseError, one line, when it is not there; AssayError when it was made by a newer version.
    """
    url = database_url(settings)
    key = url.render_as_string(hide_password=False)
    with _lock:
        if key not in _engines:
            engine = _create(url)
            with _explained(url):
                upgrade(engine)
            _gate.watch(engine)
            _engines[key] = engine
        return _engines[key]


def close_database(settings: Settings) -> None:
    """Close all connections to the settings' database; it can be opened again."""
    with _lock:
        engine = _engines.pop(database_url(settings).render_as_string(hide_password=False), None)
    if engine is not None:
        _gate.forget(engine)
        engine.dispose()


@contextmanager
def reading(db: sqlalchemy.Engine) -> Iterator[Session]:
    """Give a session that sees one state of the database. Objects stay usable afterwards."""
    with _gate.transaction(), _explained(db.url), Session(db, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def writing(db: sqlalchemy.Engine) -> Iterator[Session]:
    """Give a session whose changes are kept together, or not at all when the body raises."""
    engine = db.execution_options(assay_write=True)
    with _gate.transaction(), _explained(db.url), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def stating(db: sqlalchemy.Engine) -> Iterator[sqlalchemy.Connection]:
    """As `reading`, or with `writer_of(db)` as `writing`, for statements without objects.

    For where a session would cost more than they do.
    """
    with _gate.transaction(), _explained(db.url), db.begin() as connection:
        yield connection


def writer_of(db: sqlalchemy.Engine, wait_s: float) -> sqlalchemy.Engine:
    """The same database for `stating` to write to: on SQLite it waits so long for others who write."""
    return db.execution_options(assay_write=True, assay_wait_s=wait_s)


def write(db: sqlalchemy.Engine, work: Callable[[Session], T]) -> T:
    """Run `work` in a write transaction; start again (with growing random pauses) while the fault is a passing one.

    `work` may run several times, each time in a new transaction: it must change nothing but the session.
    """
    for attempt in range(_TRIES):
        try:
            with writing(db) as session:
                return work(session)
        except DatabaseError as error:
            if not error.transient or attempt == _TRIES - 1:
                raise
            time.sleep(random.uniform(0, min(4.0, 0.1 * 2**attempt)))
    raise AssertionError("the loop above returns or raises")


def now(session: Session) -> datetime:
    """Return the time by which leases are counted: the server's, or on SQLite that of the one machine there is."""
    if session.get_bind().dialect.name == "postgresql":
        server_time: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return server_time.astimezone(UTC)
    return datetime.now(UTC)


def _create(url: URL) -> sqlalchemy.Engine:
    try:
        if url.get_backend_name() == "postgresql":
            arguments = {name: value for name, value in _POSTGRES.items() if name not in url.query}
            return sqlalchemy.create_engine(url, connect_args=arguments, pool_pre_ping=True, pool_timeout=10)
        if url.database and url.database != ":memory:":
            _make_folder(Path(url.database).parent)
        engine = sqlalchemy.create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S}, pool_timeout=10)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise AssayError(f"no driver for {url.drivername}: pip install 'assay[postgres]'") from error
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise AssayError(f"cannot make the folder {folder}: {error.strerror}; set ASSAY_HOME to another") from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late; _begin_sqlite sends it
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: sqlalchemy.Connection) -> None:
    options = connection.get_execution_options()
    wait_ms = int(1_000 * options.get("assay_wait_s", _BUSY_TIMEOUT_S))
    connection.connection.execute(f"PRAGMA busy_timeout={wait_ms}").close()  # connections are used for both in turn
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("assay_write", False) else "BEGIN")


@contextmanager
def _explained(url: URL) -> Iterator[None]:
    """Turn faults of the connection into DatabaseError; faults of the statement (a broken constraint) pass."""
    try:
        yield
    except (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.InternalError) as error:
        raise _database_error(url, error) from error
    except sqlalchemy.exc.DatabaseError as error:
        if "not a database" in str(error.orig) or "malformed" in str(error.orig):
            raise _database_error(url, error) from error
        raise
    except PoolTimeoutError as error:
        raise DatabaseError("all connections to the database are in use; try again", transient=True) from error


def _database_error(url: URL, error: DBAPIError) -> DatabaseError:
    lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
    words = f"the database {url.render_as_string(hide_password=True)} does not answer: {lines[0].strip()}"
    state = getattr(error.orig, "sqlstate", None)
    locked = "locked" in lines[0] or "busy" in lines[0]
    gone = url.get_backend_name() == "postgresql" and (error.connection_invalidated or state is None)
    transient = locked or gone or state in _TRANSIENT_SQLSTATES
    mend = "start it" if url.get_backend_name() == "postgresql" else "check the file and the disk"
    way_out = "try again" if locked else f"{mend}, or set ASSAY_DATABASE_URL"
    return DatabaseError(f"{words}; {way_out}", transient=transient)


def process_name() -> str:
    """Name this process among all that may share a database: host and process id."""
    return f"{os.uname().nodename}:{os.getpid()}"

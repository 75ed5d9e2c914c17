"""The rules of the database: nothing lost between processes, one line when it is not there."""

import multiprocessing
import os
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import select, text

from apps.settings import Settings
from apps.store import upgrade as upgrade_module
from apps.store.database import DatabaseError, open_database, reading, write, writing
from apps.store.tables import Base, WorkerBeat
from apps.store.upgrade import HEAD, upgrade
from core.errors import AssayError
from tests.services import home_settings

_PROCESSES, _ROUNDS = 4, 100


def _count_up(settings: Settings) -> None:
    db = open_database(settings)
    for _ in range(_ROUNDS):

        def add_one(session: sqlalchemy.orm.Session) -> None:
            beat = session.scalars(select(WorkerBeat).with_for_update()).one()
            beat.info = {"count": beat.info["count"] + 1}

        write(db, add_one)


def _add_counter(db: sqlalchemy.Engine) -> None:
    with writing(db) as session:
        now = datetime.now(UTC)
        session.add(WorkerBeat(name="counter", started_at=now, seen_at=now, info={"count": 0}))


def test_four_processes_that_read_and_then_write_lose_nothing(settings: Settings, db: sqlalchemy.Engine) -> None:
    _add_counter(db)
    context = multiprocessing.get_context("fork")  # as the worker's pool does it
    processes = [context.Process(target=_count_up, args=(settings,)) for _ in range(_PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * _PROCESSES
    with reading(db) as session:
        assert session.scalars(select(WorkerBeat)).one().info == {"count": _PROCESSES * _ROUNDS}


def test_a_body_that_raises_leaves_nothing_behind(db: sqlalchemy.Engine) -> None:
    def fail() -> None:
        with writing(db) as session:
            session.add(WorkerBeat(name="x", started_at=datetime.now(UTC), seen_at=datetime.now(UTC)))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with reading(db) as session:
        assert session.scalars(select(WorkerBeat)).all() == []


def test_migrations_make_exactly_the_tables_of_the_code(db: sqlalchemy.Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with db.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD


def test_head_is_the_last_migration() -> None:
    folder = Path(upgrade_module.__file__).with_name("migrations") / "versions"
    assert sorted(path.name for path in folder.glob("*.py"))[-1].startswith(HEAD + "_")


def test_a_database_made_by_a_newer_version_is_refused(settings: Settings, db: sqlalchemy.Engine) -> None:
    with writing(db) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(AssayError, match="newer than this version"):
        upgrade(db)


def test_processes_that_open_a_new_database_at_once_all_succeed(tmp_path: Path) -> None:
    settings = home_settings(tmp_path / "new")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=open_database, args=(settings,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]


def test_sqlite_runs_by_the_rules(tmp_path: Path) -> None:
    db = open_database(home_settings(tmp_path / "home"))
    with db.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "busy_timeout": 30_000, "foreign_keys": 1}


def test_a_server_that_is_not_there_is_one_line_without_the_password(tmp_path: Path) -> None:
    settings = home_settings(tmp_path, database_url="postgresql://someone:hidden@127.0.0.1:1/none")
    with pytest.raises(DatabaseError) as caught:
        open_database(settings)
    assert "\n" not in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert "ASSAY_DATABASE_URL" in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://localhost/x", "nonsense", "postgresql+nodriver://x/y"])
def test_a_url_that_cannot_work_is_one_line(tmp_path: Path, url: str) -> None:
    with pytest.raises(AssayError) as caught:
        open_database(home_settings(tmp_path, database_url=url))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "assay.db").write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        open_database(home_settings(tmp_path))


def test_a_home_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AssayError, match="ASSAY_HOME"):
        open_database(home_settings(tmp_path / "file" / "home"))


def test_a_write_waits_for_a_short_lock_and_then_goes_through(tmp_path: Path) -> None:
    db = open_database(home_settings(tmp_path))
    other = sqlite3.connect(tmp_path / "assay.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.5, lambda: other.execute("COMMIT"))
    timer.start()
    _add_counter(db)
    timer.join()
    with reading(db) as session:
        assert session.get(WorkerBeat, "counter") is not None


def test_a_passing_fault_is_tried_again(tmp_path: Path) -> None:
    db = open_database(home_settings(tmp_path))
    calls = []

    def fails_twice(session: sqlalchemy.orm.Session) -> str:
        calls.append(os.getpid())
        if len(calls) < 3:
            raise DatabaseError("gone for a moment", transient=True)
        return "done"

    assert write(db, fails_twice) == "done"
    assert len(calls) == 3

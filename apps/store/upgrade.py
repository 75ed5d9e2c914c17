"""Brings a database to the tables of this version; refuses one that a newer version has made."""

from pathlib import Path

import sqlalchemy
from sqlalchemy import text

from core.errors import AssayError

HEAD = "0003"  # the last file in migrations/versions; a test holds the two together
_LOCK_NUMBER = 0x41535359  # any number, the same in every process


def upgrade(engine: sqlalchemy.Engine) -> None:
    """Migrate to HEAD, one process at a time. AssayError when the database is newer than this program."""
    with engine.connect() as connection:
        if _revision(connection) == HEAD:
            return
    with engine.execution_options(assay_write=True).connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
        if _revision(connection) != HEAD:  # another process may have been faster
            _migrate(connection)


def _revision(connection: sqlalchemy.Connection) -> str | None:
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(connection: sqlalchemy.Connection) -> None:
    from alembic import command  # noqa: PLC0415  (slow to import, and seldom needed)
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    revision = _revision(connection)
    if revision is not None and revision not in known:
        raise AssayError(
            f"the database has revision {revision}, newer than this version of Assay knows ({HEAD}); "
            "update Assay, or set ASSAY_DATABASE_URL to another database",
            code="NEWER_DATABASE",
        )
    command.upgrade(config, "head")

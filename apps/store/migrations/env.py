"""Alembic runs this; the connection comes from apps.store.upgrade, so that locks and transactions are its."""

from alembic import context

from apps.store import stream_tables  # noqa: F401 - its tables are part of the metadata
from apps.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,  # SQLite can, once the driver leaves BEGIN to us
)
with context.begin_transaction():
    context.run_migrations()

"""Streams of transactions: the journal, its keys, and labels that become known."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "streams",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False, comment="the model's"),
        sa.Column(
            "columns", sa.JSON(), nullable=False, comment="what its keys and amounts are; no version may change it"
        ),
        sa.Column(
            "keeps_ms", sa.BigInteger(), nullable=False, comment="how old a transaction may grow, by the newest one"
        ),
        sa.Column("last_serial", sa.BigInteger(), nullable=False),
        sa.Column("last_note", sa.BigInteger(), nullable=False),
        sa.Column("newest_ms", sa.BigInteger(), nullable=True, comment="time of the newest transaction, since 1970"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    _create_events()
    _create_keys()
    op.create_table(
        "stream_notes",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("note", sa.BigInteger(), nullable=False, comment="from 1"),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.SmallInteger(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"]),
        sa.PrimaryKeyConstraint("stream_id", "note"),
    )


def _create_events() -> None:
    op.create_table(
        "stream_events",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False, comment="from 1, in the order in which they were kept"),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False, comment="its own time, since 1970"),
        sa.Column("came_ms", sa.BigInteger(), nullable=False, comment="when it came in, by the clock here"),
        sa.Column("steps", sa.BigInteger(), nullable=False, comment="its amount in steps of the plan's unit"),
        sa.Column("keys", sa.JSON(), nullable=False, comment="hashes: entity, then counterparts"),
        sa.Column("label", sa.SmallInteger(), nullable=False, comment="1 fraud, 0 good, -1 unknown"),
        sa.Column("request_sha256", sa.String(length=64), nullable=True, comment="null: history, never judged"),
        sa.Column("model_version", sa.Integer(), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("decision", sa.String(length=10), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True, comment="as it was sent, JSON"),
        sa.Column("actor", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"]),
        sa.PrimaryKeyConstraint("stream_id", "serial"),
        sa.UniqueConstraint("stream_id", "event_id", name="one_event_per_id"),
    )
    op.create_index("stream_events_by_time", "stream_events", ["stream_id", "time_ms"], unique=False)


def _create_keys() -> None:
    op.create_table(
        "stream_keys",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column(
            "scope", sa.SmallInteger(), nullable=False, comment="which columns the key is of; see apps.store.streams"
        ),
        sa.Column("key_a", sa.BigInteger(), nullable=False),
        sa.Column("key_b", sa.BigInteger(), nullable=False, comment="of a pair; else 0"),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("steps", sa.BigInteger(), nullable=False),
        sa.Column(
            "partner", sa.BigInteger(), nullable=False, comment="hash of the column whose different values are counted"
        ),
        sa.Column("label", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"]),
        sa.PrimaryKeyConstraint("stream_id", "scope", "key_a", "key_b", "time_ms", "serial"),
        sqlite_with_rowid=False,
    )

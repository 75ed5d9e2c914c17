"""The statements of a stream's journal. Those that every transaction needs are written out once for each database."""

from functools import cache

from sqlalchemy import TextClause, bindparam, delete, insert, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg

from apps.store.stream_tables import StreamEvent, StreamKey, StreamNote, StreamRow, table_of

_streams, _events, _keys, _notes = (table_of(kind) for kind in (StreamRow, StreamEvent, StreamKey, StreamNote))
_HERE = _events.c.stream_id == bindparam("stream")
_TRANSACTION = (_events.c.serial, _events.c.time_ms, _events.c.steps, _events.c["keys"])

STATE = select(_streams.c.last_serial, _streams.c.last_note, _streams.c.newest_ms)
STATE = STATE.where(_streams.c.id == bindparam("stream"))
LOCK = STATE.with_for_update()  # SQLite locks the whole database, and leaves this out
FIRST = select(_events.c.serial, _events.c.request_sha256, _events.c.answer)
FIRST = FIRST.where(_HERE, _events.c.event_id == bindparam("event"))
MOVE = (
    update(_streams)
    .where(_streams.c.id == bindparam("stream"))
    .values({name: bindparam(name) for name in ("last_serial", "last_note", "newest_ms")})
)
RECALL = (
    select(_keys.c.serial, _keys.c.time_ms, _keys.c.steps, _keys.c.partner, _keys.c.label)
    .where(
        _keys.c.stream_id == bindparam("stream"),
        _keys.c.scope == bindparam("place"),
        _keys.c.key_a == bindparam("a"),
        _keys.c.key_b == bindparam("b"),
        _keys.c.serial <= bindparam("until"),
    )
    .order_by(_keys.c.time_ms.desc(), _keys.c.serial.desc())
    .limit(bindparam("most"))
)
PUT, PUT_KEY = insert(_events), insert(_keys)

SINCE = select(*_TRANSACTION, _events.c.label)
SINCE = SINCE.where(_HERE, _events.c.serial > bindparam("since")).order_by(_events.c.serial)
NOTED = (
    select(*_TRANSACTION, _notes.c.label.label("noted"))
    .join(_events, (_events.c.stream_id == _notes.c.stream_id) & (_events.c.serial == _notes.c.serial))
    .where(_notes.c.stream_id == bindparam("stream"), _notes.c.note > bindparam("since"))
    .order_by(_notes.c.note)
)
OLD = select(_events.c.serial, _events.c.time_ms, _events.c["keys"])
OLD = OLD.where(_HERE, _events.c.time_ms < bindparam("before")).order_by(_events.c.time_ms).limit(bindparam("most"))
DROP_EVENT = delete(_events).where(_HERE, _events.c.serial == bindparam("at"))
OF_KEY = [column == bindparam(f"b_{column.name}") for column in _keys.primary_key.columns]
DROP_KEY = delete(_keys).where(*OF_KEY)
DROP_NOTES = delete(_notes).where(_notes.c.stream_id == bindparam("stream"), _notes.c.note <= bindparam("until"))


def patience(wait_s: float) -> TextClause:
    """How long PostgreSQL waits for a lock in this transaction."""
    return text(f"SET LOCAL lock_timeout = {int(1_000 * wait_s)}")


@cache
def written(dialect: str) -> dict[str, str]:
    """The hot statements as text for `exec_driver_sql`, parameters by name: what SQLAlchemy makes of them each time.

    Values go in as the driver takes them: JSON as text.
    """
    target = sqlite.dialect(paramstyle="named") if dialect == "sqlite" else psycopg.dialect()  # type: ignore[no-untyped-call]
    hot = {"state": STATE, "lock": LOCK, "first": FIRST, "move": MOVE, "recall": RECALL, "put": PUT, "key": PUT_KEY}
    return {name: str(statement.compile(dialect=target)) for name, statement in hot.items()}

"""Labels of a stream that become known: noted in the order in which they do, for every process that keeps histories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import bindparam, insert, select, update

from apps.store.stream_statements import OF_KEY
from apps.store.stream_tables import StreamEvent, StreamKey, StreamNote, table_of
from apps.store.streams import Entry, Journal

_events, _keys, _notes = (table_of(kind) for kind in (StreamEvent, StreamKey, StreamNote))
_FOUND = select(_events.c.serial, _events.c.event_id, _events.c.time_ms, _events.c["keys"], _events.c.label)
_LABEL_EVENT = (
    update(_events)
    .where(_events.c.stream_id == bindparam("b_stream"), _events.c.serial == bindparam("b_serial"))
    .values(label=bindparam("to"))
)
_LABEL_KEY = update(_keys).where(*OF_KEY).values(label=bindparam("to"))
_AT_ONCE = 500  # ids of one question; SQLite allows so many parameters


@dataclass(frozen=True, kw_only=True)
class Noted:
    """How many labels are new or other than before, and the ids that the stream does not hold."""

    changed: int
    unknown: tuple[str, ...]


def note_labels(journal: Journal, labels: Mapping[str, int]) -> Noted:
    """Note labels (1 fraud, 0 good) by id, all of them or, where something fails, none; the newest one counts."""
    ids = list(labels)
    with journal.appending() as entry:
        known: set[str] = set()
        changed = 0
        for start in range(0, len(ids), _AT_ONCE):
            changed += _note(journal, entry, ids[start : start + _AT_ONCE], labels, known)
        entry.move()
        entry.forget_notes()
    return Noted(changed=changed, unknown=tuple(event_id for event_id in ids if event_id not in known))


def _note(journal: Journal, entry: Entry, ids: Sequence[str], labels: Mapping[str, int], known: set[str]) -> int:
    here = _FOUND.where(_events.c.stream_id == journal.stream_id, _events.c.event_id.in_(ids))
    found = entry.connection.execute(here).all()
    known.update(row.event_id for row in found)
    others = [row for row in found if row.label != labels[row.event_id]]
    if not others:
        return 0
    at = datetime.now(UTC)
    notes, events, keys = [], [], []
    for row in others:
        to = labels[row.event_id]
        entry.last_note += 1
        note = {"stream_id": journal.stream_id, "note": entry.last_note, "serial": row.serial}
        notes.append(note | {"label": to, "noted_at": at})
        events.append({"b_stream": journal.stream_id, "b_serial": row.serial, "to": to})
        for key in journal.key_rows(row.serial, row.time_ms, journal.to_keys(row)):
            keys.append({f"b_{name}": value for name, value in key.items()} | {"to": to})
    entry.connection.execute(insert(_notes), notes)
    entry.connection.execute(_LABEL_EVENT, events)
    entry.connection.execute(_LABEL_KEY, keys)
    return len(others)

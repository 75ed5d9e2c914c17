"""Streams of transactions as a process sees them: histories in memory over the journal in the database.

A transaction is measured and scored before its entry is made, so that nobody waits for it; if others kept something in
between, it is measured again while the entry holds the stream's lock. So all processes agree, and each answer is that
of one order of all transactions. Memory is only a cache: a process that is killed loses nothing that was answered.
"""

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy

from apps.store.database import stating
from apps.store.stream_labels import Noted, note_labels
from apps.store.streams import Entry, Journal, Judged, Kept
from apps.store.tables import Model
from core.errors import GateError, InputError
from core.runtime.engine import Engine
from pipelines.finance.fraud_stream import Arrival, FraudJudge, ReasonsFor, check_time
from pipelines.finance.score import Score
from pipelines.finance.transactions.declaration import Scope
from pipelines.finance.transactions.events import Events
from pipelines.finance.transactions.stream import Stream

MOST_KEYS = 20_000  # histories in memory, some 10 to 100 kB each
WARM_EVENTS, WARM_S = 20_000, 5.0  # the newest transactions whose keys are recalled at the start, and for how long
FARTHEST = 5_000  # entries and labels of others that are followed one by one; beyond, memory starts from nothing
MOST_STREAMS = 4  # memories in a process; the one used longest ago goes first


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A transaction as it came: raw cells, who sent it, the clock here; its label, if known (1 fraud, 0 good)."""

    transaction: Mapping[str, Any]
    actor: str
    clock_ms: int
    label: int = -1
    reasons: int = 4
    reasons_for: ReasonsFor = "review"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The answer to a transaction, as JSON; `again` where its id had been answered before."""

    serial: int
    text: str
    decision: str
    again: bool = False


Writing = Callable[[Score, int], Mapping[str, Any]]  # a score and its serial -> the answer


class LiveStream:
    """One stream in one process. Safe to share between threads: one transaction is judged at a time."""

    def __init__(self, db: sqlalchemy.Engine, model: Model, engine: Engine) -> None:
        """InputError: the bundle is no fraud model, or the stream is kept by other columns."""
        self.model, self.judging = model, FraudJudge(engine)
        self.journal = Journal.open(db, model.name, self.judging.plan)
        self.stream = Stream(self.judging.plan, recall=self._recall, most_keys=MOST_KEYS)
        self._lock = threading.Lock()
        self._lookback = _Lookback(db)
        start = self.journal.state()
        self._serial, self._note = start.last_serial, start.last_note

    def judge(self, asked: Asked, write: Writing) -> Answered:
        """Judge a transaction and keep it; one that was answered before gets the same answer again.

        Raises:
            InputError: it cannot be judged, has no id, comes too late, or was put in as history; nothing is kept.
            GateError: another transaction has its id.
            DatabaseError: it could not be kept, and so has no answer.
        """
        arrival = self.judging.read(asked.transaction, asked.label)
        if arrival.event_id is None:
            words = f"column {self.judging.plan.id_column!r} must name the transaction"
            raise InputError(f"{words}: what is sent again is known by it", code="NO_ID")
        with self._lock:
            return self._judge(asked, arrival, write)

    def note(self, labels: Mapping[str, int]) -> Noted:
        """Note labels by id: 1 fraud, 0 good."""
        return note_labels(self.journal, labels)

    def _judge(self, asked: Asked, arrival: Arrival, write: Writing) -> Answered:
        event_id, event = arrival.event_id or "", arrival.event
        digest = request_digest(asked.transaction)
        measured = self._score(asked, arrival)
        with self.journal.appending() as entry:
            first = entry.first(event_id)
            if first is not None:
                return _again(first, digest, event_id)
            check_time(event, self.judging.plan, newest_ms=entry.newest_ms, clock_ms=asked.clock_ms)
            if self._follow(entry):
                measured = self._score(asked, arrival)
            serial = entry.last_serial + 1
            text = json.dumps(write(measured, serial), ensure_ascii=False, allow_nan=False)
            judged = Judged(
                request_sha256=digest,
                model_version=self.model.version,
                probability=measured.probability or 0.0,
                decision=str(measured.decision),
                answer=text,
                actor=asked.actor,
            )
            entry.put(event_id, event, asked.clock_ms, judged)
        self.stream.add(replace(event, serial=serial))
        self._serial = serial
        return Answered(serial=serial, text=text, decision=str(measured.decision))

    def _score(self, asked: Asked, arrival: Arrival) -> Score:
        with self._lookback:
            features = self.stream.measure(arrival.event)
        return self.judging.judge(arrival, features, reasons=asked.reasons, reasons_for=asked.reasons_for)

    def _follow(self, entry: Entry) -> bool:
        """Take in what others kept; False: there was nothing."""
        events, notes = entry.last_serial - self._serial, entry.last_note - self._note
        if events > FARTHEST or notes > FARTHEST:
            self.stream.forget_all()
        else:
            for event in entry.events_since(self._serial) if events else ():
                if event.serial <= entry.last_serial:  # without the lock, more may have come since
                    self.stream.follow(event)
            for event in entry.notes_since(self._note) if notes else ():
                self.stream.label(event)
        self._serial, self._note = entry.last_serial, entry.last_note
        return bool(events or notes)

    def warm(self, *, events: int = WARM_EVENTS, seconds: float = WARM_S) -> int:
        """Recall the keys of the newest transactions before they are needed; returns how many histories are there."""
        until = time.monotonic() + seconds
        singles = [number for number, scope in enumerate(self.judging.plan.scopes) if len(scope.columns) == 1]
        with self._lock, self._lookback:
            with self.journal.looking() as entry:
                self._follow(entry)
                newest = entry.events_since(max(0, entry.last_serial - events))
            for event in reversed(newest):
                if time.monotonic() > until or self.stream.keys >= MOST_KEYS:
                    break
                for number in singles:
                    self.stream.view(number, event)
        return self.stream.keys

    def _recall(self, scope: Scope, keys: tuple[int, ...]) -> Events:
        entity, counterparts = self.judging.plan.entity, self.judging.plan.counterparts
        if counterparts and scope.columns == (entity, counterparts[0]):
            known = self.stream.with_partner(*keys)
            if known is not None:
                return known
        return self.journal.recall(scope, keys, self._serial, self._lookback.connection())


class AnswerWriter:
    """Makes the answer's document of a score: that of an assessment, and the serial."""

    def __init__(self, live: LiveStream, queue_ms: float, started: float) -> None:
        """`started` by time.perf_counter(); `queue_ms`: how long the transaction waited before."""
        self._live, self._queue_ms, self._started = live, queue_ms, started

    def __call__(self, score: Score, serial: int) -> Mapping[str, Any]:
        model, model_ms = self._live.model, (time.perf_counter() - self._started) * 1_000
        latency = {"queue": self._queue_ms, "model": model_ms, "total": self._queue_ms + model_ms}
        return {
            "id": score.case_id,
            "serial": serial,
            "score": score.points,
            "probability": score.probability,
            "decision": score.decision,
            "reasons": [asdict(reason) | {"text": str(reason)} for reason in score.reasons],
            "attribution": self._live.judging.engine.attribution,
            "model": model.name,
            "model_version": model.version,
            "error": None,
            "warnings": sorted(score.warnings),
            "latency_ms": {name: round(ms, 2) for name, ms in latency.items()},
        }


class _Lookback:
    """One reading for all histories that a transaction needs and memory lacks; opened when the first is asked for."""

    def __init__(self, db: sqlalchemy.Engine) -> None:
        self._db = db
        self._inside = False
        self._reading: AbstractContextManager[sqlalchemy.Connection] | None = None
        self._open: sqlalchemy.Connection | None = None

    def __enter__(self) -> None:
        self._inside = True

    def __exit__(self, *error: Any) -> None:
        reading, self._inside, self._reading, self._open = self._reading, False, None, None
        if reading is not None:
            reading.__exit__(*error)

    def connection(self) -> sqlalchemy.Connection | None:
        """The reading's connection; None outside of one."""
        if self._inside and self._open is None:
            self._reading = stating(self._db)
            self._open = self._reading.__enter__()
        return self._open


def request_digest(raw: Mapping[str, Any]) -> str:
    """SHA-256 of a transaction's cells, whatever their order."""
    return hashlib.sha256(json.dumps(raw, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()


def now_ms() -> int:
    """The clock here, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


_live: OrderedDict[tuple[str, int], LiveStream] = OrderedDict()
_live_lock = threading.Lock()


def live_stream(db: sqlalchemy.Engine, model: Model, engine: Engine) -> LiveStream:
    """The stream of a model in this process. Versions of one name share the journal, each with a memory of its own."""
    place = (db.url.render_as_string(hide_password=False), model.id)
    with _live_lock:
        found = _live.get(place)
        if found is None or found.judging.engine is not engine or found.journal.db is not db:
            found = _live[place] = LiveStream(db, model, engine)
            if len(_live) > MOST_STREAMS:
                _live.popitem(last=False)
        _live.move_to_end(place)
        return found


def _again(first: Kept, digest: str, event_id: str) -> Answered:
    if first.answer is None:
        words = f"the transaction {event_id!r} was put in as history before it came; it is not judged"
        raise InputError(words, code="DUPLICATE_ID")
    if first.request_sha256 != digest:
        raise GateError(f"another transaction has the id {event_id!r}; each needs one of its own", code="ID_TAKEN")
    return Answered(serial=first.serial, text=first.answer, decision="", again=True)

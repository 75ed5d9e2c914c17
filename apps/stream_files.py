"""Files of transactions for streams: as history to put in, and as requests to send."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.store.stream_history import Past
from apps.store.streams import key_columns
from core.errors import InputError
from core.runtime.manifest import Manifest
from data.source import Source
from data.spec import FeatureSpec
from data.tables import read_chunks
from pipelines.finance.fraud_cells import read_id
from pipelines.finance.labels import LabelRule, read_labels
from pipelines.finance.transactions.events import Events, read_events
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.stream import Event

ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, kw_only=True)
class HistoryPiece:
    """Transactions of a stretch of a file, in the order in which they came, and the rows that are none."""

    past: list[Past]
    rows: int
    errors: Mapping[int, str]  # row of the file, from 0 -> what is wrong with it


class TransactionFile:
    """A table of transactions read for a fraud model."""

    def __init__(self, source: Source, manifest: Manifest, where: Mapping[str, str]) -> None:
        """InputError: the model is no fraud model, or has no id by which a transaction is known when it comes again."""
        self.source, self.where = source, where
        self.plan = TransactionPlan.from_json(manifest.about.get("transactions"))
        self._spec = FeatureSpec.from_json(manifest.spec)
        rule = manifest.about.get("labels")
        self._rule = None if rule is None or self.plan.target not in source.columns else LabelRule.from_json(rule)
        if self.plan.id_column is None:
            words = "the model was trained without --id, and a stream needs an id of every transaction"
            raise InputError(f"{words}; train it with --id", code="NO_ID")

    def newest_ms(self) -> int:
        """Time of the newest transaction."""
        newest = [int(events.time_ms.max()) for _, events, _, _ in self._read() if len(events)]
        if not newest:
            raise InputError(f"{self.source.path} holds no transaction that can be read", code="NO_ROWS")
        return max(newest)

    def history(self) -> Iterator[HistoryPiece]:
        """All transactions but those too old to be looked back to from the newest one of the file."""
        oldest_ms = self.newest_ms() - self.plan.keeps_ms
        for frame, events, rows, errors in self._read():
            ids = frame[self.plan.id_column].to_numpy()
            young = events.take(events.time_ms >= oldest_ms)
            past = list(_past(young, ids, self.plan))
            yield HistoryPiece(past=past, rows=len(frame), errors={int(rows[at]): told for at, told in errors.items()})

    def requests(self, model: str, *, labels: bool, most: int | None) -> list[bytes]:
        """Bodies of `POST /v1/transactions`, in the order in which they came; with labels if asked."""
        bodies: list[bytes] = []
        wanted = {c.name for c in self._spec.columns} & set(self.source.columns)
        wanted |= {self.plan.time, self.plan.amount, str(self.plan.id_column), *key_columns(self.plan)}
        for frame, events, _, _ in self._read():
            rows = frame[[column for column in frame.columns if column in wanted]].astype(object)
            cells = rows.where(rows.notna(), None).to_dict("records")
            for row, label in zip(events.row.tolist(), events.label.tolist(), strict=True):
                if most is not None and len(bodies) >= most:
                    return bodies
                body: dict[str, Any] = {"model": model, "transaction": cells[row]}
                body |= {"label": bool(label)} if labels and label >= 0 else {}
                bodies.append(json.dumps(body, ensure_ascii=False, default=str).encode())
        return bodies

    def _read(self) -> Iterator[tuple[pd.DataFrame, Events, NDArray[np.int64], Mapping[int, str]]]:
        plan = self.plan
        text = [str(plan.id_column), *key_columns(plan), *(c.name for c in self._spec.columns if c.kind == "category")]
        numbers = [plan.amount, *(c.name for c in self._spec.columns if c.kind == "number")]
        there = set(self.source.columns)
        if absent := [c for c in (plan.time, plan.amount, str(plan.id_column), *key_columns(plan)) if c not in there]:
            words = f"{self.source.path} has no column {absent[0]!r}; it has {', '.join(self.source.columns)}"
            raise InputError(words, code="SCHEMA_MISSING")
        how = {"text": [c for c in text if c in there], "numbers": [c for c in numbers if c in there]}
        plan = plan if plan.arrived in there else replace(plan, arrived=None)
        for chunk in read_chunks(self.source, rows=ROWS_AT_ONCE, where=self.where, **how):
            reading = read_events(chunk.frame, plan, labels=self._labels(chunk.frame), errors=chunk.errors)
            yield chunk.frame, reading.events, chunk.rows, reading.errors

    def _labels(self, frame: pd.DataFrame) -> NDArray[np.int8] | None:
        if self._rule is None:
            return None
        labels = read_labels(frame[self.plan.target], self._rule)
        return np.where(np.isnan(labels), -1, labels).astype(np.int8)


def _past(events: Events, ids: NDArray[np.object_], plan: TransactionPlan) -> Iterator[Past]:
    times, steps, labels, rows = (a.tolist() for a in (events.time_ms, events.steps, events.label, events.row))
    keys = {column: hashed.tolist() for column, hashed in events.key.items()}
    for at, row in enumerate(rows):
        event_id = read_id({str(plan.id_column): ids[row]}, plan)
        if event_id is None:
            raise InputError(f"row {row + 1}: column {plan.id_column!r} is empty; name the transaction", code="NO_ID")
        key = {column: hashed[at] for column, hashed in keys.items()}
        event = Event(time_ms=times[at], key=key, steps=steps[at], serial=0, label=labels[at])
        yield Past(event_id=event_id, event=event)

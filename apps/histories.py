"""Reads files of transactions as a whole: features look back, and a card's past may stand anywhere in a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import InputError
from core.runtime.manifest import Manifest
from data.selection import matches
from data.source import Chunk, Source
from data.spec import FeatureSpec
from data.tables import open_source, read_chunks
from pipelines.finance.fraud import ledger_by
from pipelines.finance.transactions.events import read_times
from pipelines.finance.transactions.plan import TransactionPlan
from pipelines.finance.transactions.quantities import DAY_MS

MOST_ROWS = 20_000_000  # about half a kilobyte a row is needed while features are made
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """How columns are read: as written, or as numbers; which holds the times, and which the ids."""

    time: str
    text: tuple[str, ...]
    numbers: tuple[str, ...]
    id_column: str | None

    @classmethod
    def of_model(cls, manifest: Manifest, id_column: str | None = None) -> "Columns":
        """The columns that a fraud model reads. InputError: it is none, or the ids are another column's."""
        plan, spec = TransactionPlan.from_json(manifest.about.get("transactions")), FeatureSpec.from_json(manifest.spec)
        made = set(plan.names)
        keys = (*((plan.entity,) if plan.entity else ()), *plan.counterparts)
        id_column = id_column or plan.id_column
        return cls(
            time=plan.time,
            text=(*spec.text, *keys, *((id_column,) if id_column else ())),
            numbers=(plan.amount, *(name for name in spec.numbers if name not in made)),
            id_column=id_column,
        )


@dataclass(frozen=True, kw_only=True)
class History:
    """All rows of one or more files, rows that are chosen among them, and why some cannot be read."""

    frame: pd.DataFrame
    id_column: str | None
    row_R: NDArray[np.int64]  # in their file, from 0
    errors: Mapping[int, str]  # position -> "CODE: words"
    chosen: tuple[Bools, ...]  # one mask a filter
    notes: Sequence[str] = ()

    @property
    def ids(self) -> list[str]:
        """One id a row: that of the file, or the row number from 1."""
        if self.id_column is None:
            return [str(row + 1) for row in self.row_R.tolist()]
        return [str(cell) for cell in self.frame[self.id_column].fillna("")]


def read_history(source: Source | Path, columns: Columns, *filters: Mapping[str, str]) -> History:
    """Read a file, and mark the rows that each filter keeps.

    A row later than a day after now has the error IN_THE_FUTURE.
    InputError: the file is no good, a column is absent, no row is kept, or it has more rows than memory is meant for.
    """
    source = open_source(source) if isinstance(source, Path) else source
    for column in (columns.id_column, *(name for one in filters for name in one)):
        if column is not None and column not in source.columns:
            words = f"{source.path} has no column {column!r}; it has {', '.join(source.columns)}"
            raise InputError(words, code="UNKNOWN_COLUMN")
    chunk = next(read_chunks(source, rows=MOST_ROWS + 1, text=columns.text, numbers=columns.numbers))
    frame = chunk.frame
    if len(frame) > MOST_ROWS:
        words = f"{source.path} has more than {MOST_ROWS:,} rows, and a history is held as a whole"
        raise InputError(f"{words}; leave out the oldest months, or split it between cards", code="FILE_TOO_LARGE")
    return History(
        frame=frame,
        id_column=columns.id_column,
        row_R=chunk.rows,
        errors=_future(frame, columns.time) | dict(chunk.errors),
        chosen=tuple(_kept(frame, one, source) for one in filters),
        notes=source.notes,
    )


def as_the_model_sees(path: Path, manifest: Manifest, where: Mapping[str, str]) -> Chunk:
    """The rows kept of a file of transactions, with the features that a fraud model makes of them.

    InputError: as read_history and ledger_by have them.
    """
    history = read_history(path, Columns.of_model(manifest), where)
    cases = ledger_by(history.frame, manifest, history.errors).cases(history.chosen[0])
    return Chunk(frame=cases.table(), first_row=0, rows=cases.row_C, errors=dict(cases.errors))


def joined(first: History, second: History) -> History:
    """Two files as one history; each keeps its own masks, and nothing of the other is chosen by them."""
    before, after = len(first.frame), len(second.frame)
    return History(
        frame=pd.concat([first.frame, second.frame], ignore_index=True),
        id_column=first.id_column,
        row_R=np.concatenate([first.row_R, second.row_R]),
        errors={**first.errors, **{before + row: words for row, words in second.errors.items()}},
        chosen=(
            *(np.append(mask, np.zeros(after, dtype=np.bool_)) for mask in first.chosen),
            *(np.append(np.zeros(before, dtype=np.bool_), mask) for mask in second.chosen),
        ),
        notes=(*first.notes, *second.notes),
    )


def _kept(frame: pd.DataFrame, where: Mapping[str, str], source: Source) -> Bools:
    kept = np.ones(len(frame), dtype=np.bool_)
    for column, value in where.items():
        kept &= matches(pa.array(frame[column], from_pandas=True), value)
    if not kept.any():
        wanted = " and ".join(f"{column}={value}" for column, value in where.items())
        there = "; ".join(f"{column} holds for example {_some(frame[column])}" for column in where)
        raise InputError(f"{source.path}: no row has {wanted} ({there})", code="NO_ROWS")
    return kept


def _some(column: pd.Series) -> str:
    return ", ".join(map(str, column.dropna().unique()[:5]))


def _future(frame: pd.DataFrame, time: str) -> dict[int, str]:
    if time not in frame.columns:
        return {}
    time_ms = read_times(frame[time], {})
    latest_ms = datetime.now(UTC).timestamp() * 1_000 + DAY_MS
    words = f"IN_THE_FUTURE: column {time!r} lies more than a day after now; check the file's clock and time zone"
    return dict.fromkeys(np.flatnonzero(time_ms > latest_ms).tolist(), words)

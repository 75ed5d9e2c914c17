"""Pieces: the rows of one chunk in the object store, as Parquet, with the ids and faults found while reading."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from apps.store.objects import ObjectStore
from core.errors import InputError, NotFoundError

_ID, _FAULT, _CASE = "assay::id", "assay::fault", "assay::case"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Rows as they were read; `ids` (n) as text; `errors` by position, "CODE: words".

    `cases` are the positions of the rows that are judged, in order; None: all. The others are their history.
    """

    frame: pd.DataFrame
    ids: tuple[str, ...]
    errors: dict[int, str]
    cases: tuple[int, ...] | None = None

    @property
    def size(self) -> int:
        """How many rows are judged."""
        return len(self.frame) if self.cases is None else len(self.cases)


def write_piece(store: ObjectStore, key: str, piece: Piece) -> str:
    """Keep a piece under `key`."""
    if taken := {_ID, _FAULT, _CASE} & set(piece.frame.columns):
        raise InputError(f"a column may not be called {taken.pop()!r}; rename it")
    faults = [piece.errors.get(position) for position in range(len(piece.frame))]
    table = pa.Table.from_pandas(piece.frame, preserve_index=False)
    table = table.append_column(_ID, pa.array(piece.ids, pa.string()))
    table = table.append_column(_FAULT, pa.array(faults, pa.string()))
    if piece.cases is not None:
        judged = frozenset(piece.cases)
        table = table.append_column(_CASE, pa.array([place in judged for place in range(len(faults))], pa.bool_()))
    return store.write(key, lambda path: pq.write_table(table, path, compression="zstd"))


def read_piece(store: ObjectStore, key: str) -> Piece:
    """Read a piece back."""
    table = _read(store, key)
    faults = table[_FAULT].to_pylist()
    return Piece(
        frame=table.drop_columns([name for name in (_ID, _FAULT, _CASE) if name in table.column_names]).to_pandas(),
        ids=tuple(table[_ID].to_pylist()),
        errors={position: words for position, words in enumerate(faults) if words is not None},
        cases=_cases(table),
    )


def read_ids(store: ObjectStore, key: str) -> tuple[str, ...]:
    """Read only the ids of the cases of a piece."""
    table = _read(store, key, [_ID, _CASE])
    ids, cases = table[_ID].to_pylist(), _cases(table)
    return tuple(ids if cases is None else (ids[place] for place in cases))


def _cases(table: pa.Table) -> tuple[int, ...] | None:
    if _CASE not in table.column_names:
        return None
    return tuple(place for place, judged in enumerate(table[_CASE].to_pylist()) if judged)


def _read(store: ObjectStore, key: str, columns: list[str] | None = None) -> pa.Table:
    """Columns that are not there are left out."""
    try:
        path = store.path(key)
        there = None if columns is None else [name for name in columns if name in pq.read_schema(path).names]
        return pq.read_table(path, columns=there)
    except FileNotFoundError as error:
        raise NotFoundError(f"the rows {key} are gone from {store.folder}; submit the job again") from error
    except pa.ArrowInvalid as error:
        raise InputError(f"the rows {key} in {store.folder} are damaged; submit the job again") from error

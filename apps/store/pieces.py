"""Pieces: the rows of one chunk in the object store, as Parquet, with the ids and faults found while reading."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from apps.store.objects import ObjectStore
from core.errors import InputError, NotFoundError

_ID, _FAULT = "assay::id", "assay::fault"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Rows as they were read; `ids` (n) as text; `errors` by position, "CODE: words"."""

    frame: pd.DataFrame
    ids: tuple[str, ...]
    errors: dict[int, str]


def write_piece(store: ObjectStore, key: str, piece: Piece) -> str:
    """Keep a piece under `key`."""
    if taken := {_ID, _FAULT} & set(piece.frame.columns):
        raise InputError(f"a column may not be called {taken.pop()!r}; rename it")
    faults = [piece.errors.get(position) for position in range(len(piece.frame))]
    table = pa.Table.from_pandas(piece.frame, preserve_index=False)
    table = table.append_column(_ID, pa.array(piece.ids, pa.string()))
    table = table.append_column(_FAULT, pa.array(faults, pa.string()))
    return store.write(key, lambda path: pq.write_table(table, path, compression="zstd"))


def read_piece(store: ObjectStore, key: str) -> Piece:
    """Read a piece back."""
    table = _read(store, key)
    faults = table[_FAULT].to_pylist()
    return Piece(
        frame=table.drop_columns([_ID, _FAULT]).to_pandas(),
        ids=tuple(table[_ID].to_pylist()),
        errors={position: words for position, words in enumerate(faults) if words is not None},
    )


def read_ids(store: ObjectStore, key: str) -> tuple[str, ...]:
    """Read only the ids of a piece."""
    return tuple(_read(store, key, [_ID])[_ID].to_pylist())


def _read(store: ObjectStore, key: str, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(store.path(key), columns=columns)
    except FileNotFoundError as error:
        raise NotFoundError(f"the rows {key} are gone from {store.folder}; submit the job again") from error
    except pa.ArrowInvalid as error:
        raise InputError(f"the rows {key} in {store.folder} are damaged; submit the job again") from error

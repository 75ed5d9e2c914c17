"""Reads a file of cases for a credit model, in pieces: which columns are text, which numbers, and what the ids are."""

from collections.abc import Iterator, Mapping

from apps.store.pieces import Piece
from core.errors import InputError
from data.source import Source
from data.spec import FeatureSpec
from data.tables import read_chunks


def read_cases(
    source: Source, spec: FeatureSpec, *, id_column: str | None = None, where: Mapping[str, str], rows: int
) -> Iterator[Piece]:
    """Yield at most `rows` cases at a time, in file order; without an id column the row number, from 1, is the id.

    InputError: the file is no good, or `id_column` is not in it.
    """
    id_column = id_column or (spec.id_column if spec.id_column in source.columns else None)
    if id_column is not None and id_column not in source.columns:
        raise InputError(f"{source.path} has no column {id_column!r} for the ids; it has {', '.join(source.columns)}")
    numbers = [column.name for column in spec.columns if column.kind == "number"]
    text = [column.name for column in spec.columns if column.kind == "category"] + ([id_column] if id_column else [])
    for chunk in read_chunks(source, rows=rows, text=text, numbers=numbers, where=where):
        ids = chunk.rows + 1 if id_column is None else chunk.frame[id_column].fillna("")
        yield Piece(frame=chunk.frame, ids=tuple(ids.astype(str)), errors=dict(chunk.errors))

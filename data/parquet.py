"""Reads Parquet files by batches."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import InputError
from data.csv_blocks import Piece
from data.csv_sniff import header_names
from data.source import Source, stamp_of


def open_parquet(path: Path) -> Source:
    """Raises InputError where the file is damaged, has no rows, or has duplicate columns."""
    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        raise InputError(f"{path}: the Parquet file is damaged ({error}); copy it again", code="DAMAGED_FILE") from None
    if not rows:
        raise InputError(f"{path} holds columns and no rows; nothing can be read from it", code="NO_ROWS")
    header_names(list(schema.names), path)
    nested = [field.name for field in schema if not _readable(field.type)]
    columns = tuple(name for name in schema.names if name not in nested)
    if not columns:
        raise InputError(f"{path} has no column of numbers, text, dates or truth values", code="WRONG_FORMAT")
    notes = (f"nested or binary columns are not read: {', '.join(nested)}",) if nested else ()
    return Source(
        path=path, format="parquet", encoding="", delimiter="", columns=columns, notes=notes, stamp=stamp_of(path)
    )


def parquet_pieces(source: Source, rows: int) -> Iterator[Piece]:
    """All rows. Columns are string, int64, float64, or timestamp."""
    start = 0
    try:
        with pq.ParquetFile(source.path) as file:
            for batch in file.iter_batches(batch_size=rows, columns=list(source.columns)):
                numbers = np.arange(start, start + batch.num_rows, dtype=np.int64)
                start += batch.num_rows
                yield Piece(table=_plain(pa.Table.from_batches([batch])), rows=numbers, errors={})
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{source.path}: the Parquet file is damaged behind row {start} ({error}); copy it again",
            code="DAMAGED_FILE",
        ) from None


def _readable(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _readable(kind.value_type)
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _plain(table: pa.Table) -> pa.Table:
    """The same table in four types."""
    for place, field in enumerate(table.schema):
        wanted = _plain_type(field.type)
        if wanted == field.type:
            continue
        try:
            column = pc.cast(table[field.name], wanted)
        except pa.ArrowInvalid:  # a number that int64 cannot hold, a time beyond its range: as text it loses nothing
            column = pc.cast(table[field.name], pa.string())
        table = table.set_column(place, field.name, column)
    return table


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_date(kind):
        return pa.timestamp("s")
    if pa.types.is_timestamp(kind):
        return pa.timestamp(kind.unit)
    return pa.string()

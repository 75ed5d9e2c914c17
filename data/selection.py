"""Keeps the rows whose columns have given values (`--where COL=VALUE`)."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.errors import InputError
from data.cells import as_strings, floats, parse_number, to_numbers
from data.csv_blocks import Piece
from data.source import Source


class Selection:
    """The filter of one reading. Raises InputError (UNKNOWN_COLUMN) for a column that the table has not."""

    def __init__(self, where: Mapping[str, str], source: Source) -> None:
        self.where, self.source = dict(where), source
        self.names = frozenset(where)
        self.seen: dict[str, set[str]] = {name: set() for name in where}
        for name in where:
            if name not in source.columns:
                raise InputError(
                    f"{source.path} has no column {name!r}; its columns are {', '.join(source.columns)}",
                    code="UNKNOWN_COLUMN",
                )

    def keep(self, piece: Piece) -> Piece:
        """The rows of the piece that have all values. A row with too many or too few cells is kept where any of its
        cells has the value, since nobody knows which cell belongs to which column."""
        if not self.where:
            return piece
        wanted = np.ones(len(piece.rows), bool)
        for name, value in self.where.items():
            column = piece.table[name]
            wanted &= matches(column, value)
            self._remember(name, column)
        for at, cells in piece.loose.items():
            wanted[at] = set(self.where.values()) <= set(cells)
        if wanted.all():
            return piece
        places = np.flatnonzero(wanted)
        new_place = {int(old): new for new, old in enumerate(places)}
        return Piece(
            table=piece.table.take(pa.array(places)),
            rows=piece.rows[places],
            errors={new_place[at]: words for at, words in piece.errors.items() if at in new_place},
        )

    def nothing_kept(self) -> InputError:
        """The error for a reading that kept no row; it names values that the columns do have."""
        if not self.where:
            return InputError(f"{self.source.path} holds no rows", code="NO_ROWS")
        wanted = " and ".join(f"{name}={value}" for name, value in self.where.items())
        there = "; ".join(f"{name} holds for example {', '.join(sorted(self.seen[name])[:5])}" for name in self.where)
        return InputError(f"{self.source.path}: no row has {wanted} ({there})", code="NO_ROWS")

    def _remember(self, name: str, column: pa.ChunkedArray) -> None:
        seen = self.seen[name]
        if len(seen) < 5:
            values = as_strings(column[:1000]).unique().to_pylist()
            seen.update(value for value in values[:5] if value)


def matches(column: pa.Array | pa.ChunkedArray, value: str) -> NDArray[np.bool_]:
    """Mask of the cells that have the value: a column of numbers by value, any other as written."""
    number = parse_number(value, boolean=True)
    is_text = pa.types.is_string(column.type)
    numbers = to_numbers(as_strings(column)) if is_text and number is not None else None
    if numbers is not None:
        return np.asarray(floats(numbers) == number)
    if not is_text and number is not None and not pa.types.is_temporal(column.type):
        return np.asarray(floats(column) == number)
    return np.asarray(pc.equal(as_strings(column), value).fill_null(False).to_numpy(zero_copy_only=False))

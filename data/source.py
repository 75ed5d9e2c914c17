"""What a table file turned out to be (`Source`), and a piece of it (`Chunk`)."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Source:
    """A table file after a look at its beginning: nothing but the head has been read."""

    path: Path
    format: str  # "csv", "parquet" or "xlsx"
    encoding: str  # of the text: "utf-8", "gb18030", "utf-16-le" ...; "" where the format has none
    delimiter: str  # "," ";" tab or "|"; "" where the format has none
    columns: tuple[str, ...]
    notes: tuple[str, ...]  # choices that a person should see, one sentence each
    compression: str = ""  # "gzip" or ""
    header_lines: int = 1  # lines of text before the first data row
    decimal: str = "."  # "," where the file writes 1,5 for one and a half
    sheet: str = ""  # the sheet of a workbook that holds the table
    stamp: tuple[int, int] = (0, 0)  # bytes and change time in ns, to see a file that changes while it is read


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Rows of a table. Text columns are `str` (missing is NA), number columns float64 or int64."""

    frame: pd.DataFrame  # index 0..n-1
    first_row: int  # data row of frame.iloc[0] in the file, from 0, counted before `where`
    rows: NDArray[np.int64]  # (n,) data row in the file of every frame row, from 0
    errors: dict[int, str] = field(default_factory=dict)  # position in frame -> "CODE: words"; the row keeps its place


def stamp_of(path: Path) -> tuple[int, int]:
    """Size in bytes and change time in ns."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def check_unchanged(source: Source) -> None:
    """Raise InputError (FILE_CHANGED) where the file is not the one that was opened."""
    if source.stamp != (0, 0) and (not source.path.exists() or stamp_of(source.path) != source.stamp):
        raise InputError(
            f"{source.path} changed while it was read; wait until it is written, then start again", code="FILE_CHANGED"
        )

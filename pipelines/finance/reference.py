"""Reference rows: labelled rows of the kind a model was trained on, by which an update shows that it did not forget.

At each training the validation rows are set aside for this, or a part of them chosen by the seed. They are customers'
rows: they stay in the home of the installation, readable by its owner alone, and are in no bundle. An update keeps
what its base kept and adds its own validation rows, each training with an equal part, so that what was learned first
still counts after many updates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import InputError
from data.spec import FeatureSpec
from data.tables import TableWriter, read_table
from pipelines.finance.forgetting import LIMIT

MOST_ROWS = 5_000
TRAINING = "assay_training"  # column of the file: 0 for rows of the first training, 1 of the first update, ...


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Rows as they would be scored, with the target; where they come from, and the share that may be forgotten.

    `kept` are the rows that the trainings of the updated model set aside, whether they are these or not.
    """

    frame: pd.DataFrame
    source: str
    limit: float = LIMIT
    kept: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.limit <= 1:
            raise InputError(f"--forget-limit is a share of what the model knew, from 0 to 1, got {self.limit:g}")


def set_aside(
    frame: pd.DataFrame, spec: FeatureSpec, *, seed: int, earlier: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Choose reference rows: the spec's columns, the target and TRAINING; `earlier` are those of the updated model."""
    own = frame[[*spec.names, str(spec.target)]]
    own = own.loc[own[str(spec.target)].notna()].assign(**{TRAINING: _next(earlier)})
    parts = [own] if earlier is None else [*(rows for _, rows in earlier.groupby(TRAINING)), own]
    if sum(map(len, parts)) > MOST_ROWS:
        rng, share = np.random.default_rng(seed), MOST_ROWS // len(parts)
        parts = [rows.iloc[np.sort(rng.permutation(len(rows))[:share])] for rows in parts]
    return pd.concat(parts, ignore_index=True)


def write_reference(path: Path, rows: pd.DataFrame) -> None:
    """Write them as Parquet; cells that are no numbers as text, as a reader of files would give them."""
    plain = {
        str(name): column
        if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
        else column.astype("str").where(column.notna(), None)
        for name, column in rows.items()
    }
    with TableWriter(path) as writer:
        writer.write(pd.DataFrame(plain))
    path.chmod(0o600)


def read_reference(path: Path, spec: FeatureSpec, where: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read labelled rows of any table format, categories as written. InputError as the reader has it."""
    return read_table(path, text=spec.text, numbers=spec.numbers, where=where or {}).frame


def _next(earlier: pd.DataFrame | None) -> int:
    return 0 if earlier is None else int(earlier[TRAINING].max()) + 1

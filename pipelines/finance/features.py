"""From raw values to the model's table: the one way for training, batches and single cases. B rows, F features."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.batch import Batch
from data.spec import FeatureSpec, Gated, gate

TABLE = "table"  # the modality


def extract(frame: pd.DataFrame, spec: FeatureSpec) -> Gated:
    """Gate a frame: values (B, F) in the model's order, faults row by row. InputError: a column is missing."""
    return gate(frame, spec)


def one_row(values: Mapping[str, object]) -> pd.DataFrame:
    """A frame of one row with the types that a reader of files would give: numbers, or text as written."""
    return pd.DataFrame({str(name): _column(value) for name, value in values.items()})


def to_batch(values_BF: NDArray[np.float64]) -> Batch:
    """The batch that the engine takes."""
    return Batch(inputs={TABLE: values_BF})


def _column(value: object) -> pd.Series | list[object]:
    if value is None:
        return pd.Series([None], dtype="str")
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):  # true is a word, as in a file
        return [value]
    return pd.Series([str(value)], dtype="str")

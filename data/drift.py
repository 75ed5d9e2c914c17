"""Population stability index (PSI) of a table against the training shares in a spec.

PSI = sum over bins of (actual - expected) * ln(actual / expected); the usual reading (Siddiqi, Credit Risk
Scorecards, 2006): under 0.10 stable, over 0.25 shifted.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.columns import Column, FeatureSpec
from data.gate import gate

_FLOOR = 1e-4  # share of an empty bin: the logarithm needs one


def drift_of(frame: pd.DataFrame, spec: FeatureSpec) -> dict[str, float]:
    """PSI of each column of the spec that the frame has. Missing values are a bin of their own; rows that the gate
    refuses, and special codes, are left out."""
    present = tuple(column for column in spec.columns if column.name in frame.columns and column.shares)
    if not present or not len(frame):
        return {}
    gated = gate(frame, FeatureSpec(columns=present))
    accepted = np.ones(len(frame), bool)
    accepted[list(gated.errors)] = False
    return {column.name: psi(*shares(gated.values[accepted, place], column)) for place, column in enumerate(present)}


def shares(x_N: NDArray[np.float64], column: Column) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Expected and actual shares (K+1,) of a gated column: its K bins or categories, then missing."""
    x_N = x_N[~np.isin(x_N, column.special_codes)]
    known = x_N[~np.isnan(x_N)]
    codes = known.astype(np.int64) if column.kind == "category" else np.searchsorted(column.bins, known, side="left")
    counts = np.bincount(codes, minlength=len(column.shares)).astype(np.float64)
    actual = np.append(counts, len(x_N) - len(known)) / max(1, len(x_N))
    expected = np.append(np.array(column.shares) * (1 - column.missing_rate), column.missing_rate)
    return expected, actual


def psi(expected: NDArray[np.float64], actual: NDArray[np.float64]) -> float:
    """Population stability index of two sets of shares.

    >>> psi(np.array([0.5, 0.5]), np.array([0.5, 0.5]))
    0.0
    """
    expected, actual = np.maximum(expected, _FLOOR), np.maximum(actual, _FLOOR)
    return float(np.sum((actual - expected) * np.log(actual / expected)))

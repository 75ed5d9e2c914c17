"""Parts of a table without leakage: by time, by group, by hash of an id. Part numbers count from 0.

`fractions` are the shares of the parts and must add up to 1, for example (0.7, 0.15, 0.15).
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from data.dates import parse_dates

Parts = NDArray[np.int64]


def split_by_time(times: pd.Series | NDArray[np.generic], fractions: Sequence[float]) -> Parts:
    """Earlier rows in earlier parts; text is read as dates. Rows of one moment stay in one part, so that a part may
    be a little larger or smaller than asked, or empty where there are fewer moments than parts.

    Raises InputError where a time is missing.
    """
    shares = _checked(fractions)
    series = pd.Series(times)
    if series.isna().any():
        raise InputError(
            f"row {int(np.flatnonzero(series.isna())[0]) + 1} has no time; every row needs one to be split"
        )
    if pd.api.types.is_string_dtype(series.dtype):
        series = pd.Series(parse_dates(series))
    _, place, counts = np.unique(series.to_numpy(), return_inverse=True, return_counts=True)
    # a moment belongs to the part in which the middle of its rows falls
    middle = np.cumsum(counts) - counts / 2
    part_of_moment = np.searchsorted(np.cumsum(shares)[:-1] * len(series), middle, side="right")
    return np.asarray(part_of_moment[place], dtype=np.int64).reshape(len(series))


def split_by_group(groups: pd.Series | NDArray[np.generic], fractions: Sequence[float], seed: int = 0) -> Parts:
    """Whole groups at random, until each part has about its share of the rows. Rows without a group stand alone."""
    shares = _checked(fractions)
    codes, _ = pd.factorize(pd.Series(groups), sort=True)
    alone = codes < 0
    codes = codes.copy()
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    sizes = np.bincount(codes)
    order = np.random.default_rng(seed).permutation(len(sizes))
    # large groups first, each to the part that lacks most: a last large group would upset the shares
    order = order[np.argsort(-sizes[order], kind="stable")]
    wanted = shares * len(codes)
    part_of_group = np.zeros(len(sizes), dtype=np.int64)
    for group in order:
        part = int(np.argmax(wanted))
        part_of_group[group] = part
        wanted[part] -= sizes[group]
    return np.asarray(part_of_group[codes], dtype=np.int64)


def split_by_hash(ids: pd.Series | Sequence[str], fractions: Sequence[float], salt: str = "") -> Parts:
    """By SHA-256 of salt and id: an id has the same part in every table and every run, whatever rows are beside it."""
    edges = np.cumsum(_checked(fractions))[:-1]
    texts = [str(one) for one in ids]
    unique = {text: _unit_interval(salt, text) for text in dict.fromkeys(texts)}
    return np.searchsorted(edges, np.array([unique[text] for text in texts], dtype=np.float64), side="right")


def _unit_interval(salt: str, text: str) -> float:
    digest = hashlib.sha256(f"{salt}\0{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:7], "big") / 2.0**56


def _checked(fractions: Sequence[float]) -> NDArray[np.float64]:
    shares = np.asarray(fractions, dtype=np.float64)
    if not len(shares) or not np.all(shares >= 0) or abs(shares.sum() - 1.0) > 1e-9:
        raise InputError(f"fractions must be at least 0 and add up to 1, got {list(fractions)}")
    return shares

"""Rows for training: with labels, through the gate, and held out without leakage."""

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InputError
from data.spec import FeatureSpec
from data.splits import split_by_group, split_by_time
from pipelines.finance.features import extract
from pipelines.finance.labels import LabelRule, read_labels

Floats = NDArray[np.float64]
VALID_SHARE = 0.2


class Splitting(Protocol):
    """What decides how validation rows are held out."""

    @property
    def target(self) -> str: ...
    @property
    def time(self) -> str | None: ...
    @property
    def group(self) -> str | None: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Rows that can be learned from: values (B, F), labels (B,), groups (B,) where asked; and what was left out."""

    x_BF: Floats
    y_B: Floats
    group_B: NDArray[Any] | None
    unlabelled: int
    refused: int  # rows that the gate refused
    unlabelled_UF: Floats  # values of the rows without a label that the gate let pass; (0, F) where none are wanted

    def counts(self) -> dict[str, int]:
        """For the bundle and the command line."""
        return {
            "used": len(self.y_B),
            "bad": int(self.y_B.sum()),
            "without_label": self.unlabelled,
            "refused": self.refused,
        }


def labelled(
    frame: pd.DataFrame, spec: FeatureSpec, rule: LabelRule, group: str | None, what: str, *, all_rows: bool = False
) -> Labelled:
    """Gate the rows that have a label, and with `all_rows` also the others.

    InputError: no target column, or not both classes are left.
    """
    if spec.target not in frame.columns:
        raise InputError(f"the {what} rows have no target column {spec.target!r}", code="UNKNOWN_COLUMN")
    y_N = read_labels(frame[spec.target], rule)
    has = ~np.isnan(y_N)
    gated = extract(frame.loc[has], spec)
    good = np.ones(int(has.sum()), dtype=np.bool_)
    good[list(gated.errors)] = False
    y_B = y_N[has][good]
    if len(np.unique(y_B)) < 2:
        only = "no row" if not len(y_B) else f"only {rule.bad if y_B[0] else rule.good!r}"
        raise InputError(
            f"target {spec.target!r} has {only} among the {what} rows; both classes are needed there", code="ONE_CLASS"
        )
    return Labelled(
        x_BF=gated.values[good],
        y_B=y_B,
        group_B=None if group is None else frame[group].astype("str").to_numpy(dtype=object)[has][good].astype(str),
        unlabelled=int((~has).sum()),
        unlabelled_UF=_passed(frame.loc[~has], spec) if all_rows and not has.all() else gated.values[:0],
        refused=len(gated.errors),
    )


def _passed(frame: pd.DataFrame, spec: FeatureSpec) -> Floats:
    gated = extract(frame, spec)
    good = np.ones(len(frame), dtype=np.bool_)
    good[list(gated.errors)] = False
    return gated.values[good]


def held_out(train: pd.DataFrame, rule: LabelRule, options: Splitting) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hold out a fifth for validation: the latest by time, whole groups, or at random alike in the share of bad."""
    for column in (options.time, options.group):
        if column is not None and column not in train.columns:
            raise InputError(f"the table has no column {column!r} to split by", code="UNKNOWN_COLUMN")
    shares = (1 - VALID_SHARE, VALID_SHARE)
    if options.time is not None:
        part_B = split_by_time(train[options.time], shares)
    elif options.group is not None:
        part_B = split_by_group(train[options.group], shares, options.seed)
    else:
        y_B = np.nan_to_num(read_labels(train[options.target], rule), nan=2.0)
        order = np.lexsort((np.random.default_rng(options.seed).random(len(y_B)), y_B))
        part_B = np.zeros(len(y_B), dtype=np.int64)
        part_B[order] = np.arange(len(y_B)) % round(1 / VALID_SHARE) == 0
    return train.loc[part_B == 0], train.loc[part_B == 1]


def fingerprint(*frames: pd.DataFrame | None) -> str:
    """SHA-256 over all cells, so that a model tells which data it learned from."""
    digest = hashlib.sha256()
    for frame in frames:
        if frame is not None:
            digest.update("\0".join(map(str, frame.columns)).encode())
            digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()

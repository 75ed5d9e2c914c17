"""Reads LightGBM's text model into plain arrays, for what its library does not offer: exact contributions at speed.

Format: version v4, numerical and categorical splits, one class. Source: LightGBM, docs and `Tree::ToString`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
MISSING_NONE, MISSING_ZERO, MISSING_NAN = 0, 1, 2
ZERO_EDGE = float(np.float32(1e-35))  # LightGBM takes |x| up to this for zero


@dataclass(frozen=True, kw_only=True)
class Tree:
    """One tree of S splits and S + 1 leaves. A child >= 0 is a split, a child < 0 is the leaf ~child."""

    feature_S: Ints
    threshold_S: Floats  # for categorical splits unused
    categories_S: tuple[Ints | None, ...]  # codes that go left, or None for a numerical split
    default_left_S: NDArray[np.bool_]
    missing_S: Ints  # MISSING_NONE, MISSING_ZERO or MISSING_NAN
    left_S: Ints
    right_S: Ints
    cover_S: Floats  # training rows at the split
    leaf_value_L: Floats
    leaf_cover_L: Floats  # training rows at the leaf


@dataclass(frozen=True, kw_only=True)
class Forest:
    """All trees of a model of F features."""

    features: int
    trees: tuple[Tree, ...]


def read_forest(path: Path) -> Forest:
    """Parse a text model. InputError: not LightGBM's format, or something this reader does not know."""
    text = path.read_text(encoding="utf-8")
    head, *bodies = text.partition("end of trees")[0].split("\nTree=")
    header = _fields(head)
    if header.get("version") != "v4" or header.get("num_class") != "1" or not bodies:
        raise InputError(f"{path} is no LightGBM text model of version v4 with one class")
    try:
        trees = tuple(_tree(_fields(body)) for body in bodies)
        features = int(header["max_feature_idx"]) + 1
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"{path}: a tree could not be read ({error!r}); restore the file or retrain") from error
    return Forest(features=features, trees=trees)


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines())
    return {key: value for key, equals, value in pairs if equals}


def _tree(fields: Mapping[str, str]) -> Tree:
    if fields.get("is_linear", "0") != "0":
        raise ValueError("linear leaves are not supported")
    decision = _ints(fields, "decision_type")
    threshold = _floats(fields, "threshold")
    bounds, words = _ints(fields, "cat_boundaries"), _ints(fields, "cat_threshold")
    categories = tuple(
        _bits(words[bounds[int(t)] : bounds[int(t) + 1]]) if kind & 1 else None
        for t, kind in zip(threshold, decision, strict=True)
    )
    return Tree(
        feature_S=_ints(fields, "split_feature"),
        threshold_S=threshold,
        categories_S=categories,
        default_left_S=(decision & 2) > 0,
        missing_S=(decision >> 2) & 3,
        left_S=_ints(fields, "left_child"),
        right_S=_ints(fields, "right_child"),
        cover_S=_floats(fields, "internal_count"),
        leaf_value_L=_floats(fields, "leaf_value"),
        leaf_cover_L=_floats(fields, "leaf_count"),
    )


def _bits(words: Ints) -> Ints:
    """The numbers of the bits that are set in 32-bit words."""
    return np.asarray([32 * i + b for i, word in enumerate(words) for b in range(32) if int(word) >> b & 1], np.int64)


def _ints(fields: Mapping[str, str], name: str) -> Ints:
    return np.asarray(fields.get(name, "").split(), dtype=np.int64)


def _floats(fields: Mapping[str, str], name: str) -> Floats:
    return np.asarray(fields.get(name, "").split(), dtype=np.float64)

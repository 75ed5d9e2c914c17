"""Boosted trees as cells: many rows are judged by look-ups instead of walks down the trees.

1. every feature is cut once, at the thresholds of all trees, into bins;
2. a *part* is a subtree's leaves, chosen so that their paths cut the features into few cells; small trees are one part;
3. a part turns the bin of each of its features into a local number, and their sum (with strides) is the cell;
4. all rows of a cell meet the same leaf, so what a leaf means is tabled by cell.

Leaf values are added in the order of the trees, and a part whose leaves a row does not meet adds 0: margins are the
very bits of LightGBM's. Shapes: B rows, F features, S splits, K cells, f features of a part.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import AssayError
from core.runtime.tree_text import MISSING_NONE, MISSING_ZERO, ZERO_EDGE, Floats, Forest, Ints, Tree

Bools = NDArray[np.bool_]
PART_CELLS = 1 << 12  # a part of more cells is divided
MOST_CELLS = 1 << 16  # one leaf of more cells (17 features on one path) is too much
PART_LEAVES = 62  # bits of one integer
BLOCK_ROWS = 1 << 13  # rows worked on at a time, so that their sums stay in the cache


class TooBushyError(AssayError):
    """A tree whose paths ask for so many features that tables do not pay."""


@dataclass(frozen=True, kw_only=True)
class Bins:
    """How a feature is cut: by thresholds (numbers), or by codes 0..codes-1 (categories)."""

    thresholds: Floats
    codes: int  # 0 for numbers
    has_zero: bool  # zero has a bin of its own (a model trained with zero as missing)

    @property
    def number(self) -> int:
        """How many bins there are."""
        return self.codes + 1 if self.codes else len(self.thresholds) + 2 + self.has_zero

    def place(self, x_B: Floats) -> Ints:
        """Bin of every value: codes, then other (categories); intervals, then NaN, then zero (numbers)."""
        if self.codes:
            known = (x_B > -1) & (x_B < self.codes)  # NaN is not
            return np.where(known, np.trunc(np.where(known, x_B, 0)), self.codes).astype(np.int64)
        zero_B = np.abs(x_B) <= ZERO_EDGE  # the library reads these as 0
        bins = np.searchsorted(self.thresholds, np.where(zero_B, 0.0, x_B), side="left")
        bins[np.isnan(x_B)] = len(self.thresholds) + 1
        if self.has_zero:
            bins[zero_B] = len(self.thresholds) + 2
        return np.asarray(bins, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One leaf: which bins of each feature on its path follow the path, and the share of training rows that do."""

    value: float
    follows: dict[int, Bools]  # feature -> (bins,)
    share: dict[int, float]  # NaN where a node saw no training row


@dataclass(frozen=True, kw_only=True)
class Part:
    """Leaves, and how a row's bins become a cell."""

    leaves: tuple[Leaf, ...]
    features: tuple[int, ...]
    sizes: tuple[int, ...]  # local numbers of each feature
    strides: tuple[int, ...]
    local: tuple[Ints, ...]  # f look-ups: bin -> local number times stride, so that a cell is a plain sum
    first: tuple[Ints, ...]  # f look-ups: local number -> one of its bins
    value_K: Floats  # value of the leaf that the cell meets, 0 where it is none of this part's

    def cells(self, bins: dict[int, Ints], rows: int) -> Ints:
        """The cell of every row of a block, from the bins of its features."""
        cell_B = np.zeros(rows, dtype=np.int64)
        for feature, local in zip(self.features, self.local, strict=True):
            cell_B += local.take(bins[feature], mode="clip")
        return cell_B


class CellForest:
    """A forest as cells. Thread-safe: nothing changes after it is made."""

    def __init__(self, forest: Forest) -> None:
        """Raises TooBushyError where a path asks for too many features."""
        self.features = forest.features
        self.bins = _cut(forest)
        self.parts = tuple(
            part
            for tree in forest.trees
            for part in _parts(_leaves(tree, self.bins, 0 if len(tree.feature_S) else -1, NO_PATH))
        )

    def margins(self, x_BF: Floats) -> Floats:
        """Sum of the leaf values (B,), in log-odds."""
        out = np.empty(len(x_BF))
        for rows, bins in self.blocks(x_BF):
            sum_B = np.zeros(rows.stop - rows.start)
            for part in self.parts:
                sum_B += part.value_K.take(part.cells(bins, len(sum_B)), mode="clip")
            out[rows] = sum_B
        return out

    def blocks(self, x_BF: Floats) -> Iterator[tuple[slice, dict[int, Ints]]]:
        """Blocks of rows, with the bins of every feature that is split on."""
        for start in range(0, len(x_BF), BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, len(x_BF)))
            yield rows, {f: cut.place(x_BF[rows, f]) for f, cut in self.bins.items()}


def _cut(forest: Forest) -> dict[int, Bins]:
    thresholds: dict[int, list[float]] = {}
    codes: dict[int, int] = {}
    zero: set[int] = set()
    for tree in forest.trees:
        for split, feature in enumerate(tree.feature_S.tolist()):
            found = thresholds.setdefault(feature, [])
            left = tree.categories_S[split]
            if left is None:
                found.append(float(tree.threshold_S[split]))
            else:
                codes[feature] = max(codes.get(feature, 1), int(left.max(initial=0)) + 1)
            if tree.missing_S[split] == MISSING_ZERO:
                zero.add(feature)
    return {
        f: Bins(thresholds=np.unique(np.asarray(t)), codes=codes.get(f, 0), has_zero=f in zero)
        for f, t in thresholds.items()
    }


def _goes_left(tree: Tree, split: int, bins: Bins) -> Bools:
    """The outcome of a split for every bin of its feature."""
    left = np.zeros(bins.number, dtype=np.bool_)
    codes = tree.categories_S[split]
    if codes is not None:
        left[codes] = True
        return left
    threshold, missing = float(tree.threshold_S[split]), tree.missing_S[split]
    intervals = len(bins.thresholds) + 1
    left[:intervals] = np.arange(intervals) <= np.searchsorted(bins.thresholds, threshold)
    zero_left = threshold >= 0
    default = bool(tree.default_left_S[split])
    left[intervals] = zero_left if missing == MISSING_NONE else default
    if bins.has_zero:
        left[intervals + 1] = default if missing == MISSING_ZERO else zero_left
    return left


@dataclass(frozen=True, kw_only=True)
class _Branch:
    """Leaves of a subtree, and how they divide."""

    leaves: tuple[Leaf, ...]
    children: "tuple[_Branch, ...]"


NO_PATH = Leaf(value=0.0, follows={}, share={})


def _leaves(tree: Tree, bins: dict[int, Bins], node: int, path: Leaf) -> _Branch:
    """All leaves under a node with what their paths, from the root, ask of each feature."""
    if node < 0:
        leaf = Leaf(value=float(tree.leaf_value_L[~node]), follows=path.follows, share=path.share)
        return _Branch(leaves=(leaf,), children=())
    feature = int(tree.feature_S[node])
    left = _goes_left(tree, node, bins[feature])
    before, share = path.follows.get(feature, np.ones_like(left)), path.share.get(feature, 1.0)
    branches = []
    for child, outcome in ((int(tree.left_S[node]), left), (int(tree.right_S[node]), ~left)):
        cover = float(tree.cover_S[child] if child >= 0 else tree.leaf_cover_L[~child])
        of = cover / float(tree.cover_S[node]) if cover > 0 else np.nan
        step = Leaf(
            value=0.0,
            follows=path.follows | {feature: before & outcome},
            share=path.share | {feature: share * of},
        )
        branches.append(_leaves(tree, bins, child, step))
    return _Branch(leaves=branches[0].leaves + branches[1].leaves, children=tuple(branches))


def _parts(branch: _Branch) -> list[Part]:
    """Divide a branch until every part has few cells."""
    if len(branch.leaves) <= PART_LEAVES:
        asked = sorted({f for leaf in branch.leaves for f in leaf.follows})
        cuts = {f: _local_numbers(branch.leaves, f) for f in asked}
        cells = float(np.prod([float(len(first)) for first, _ in cuts.values()]))
        if cells <= (PART_CELLS if branch.children else MOST_CELLS):
            return [_part(branch.leaves, cuts)]
    if not branch.children:
        raise TooBushyError(f"a path through {len(branch.leaves[0].follows)} features has too many cells")
    return [part for child in branch.children for part in _parts(child)]


def _local_numbers(leaves: Sequence[Leaf], feature: int) -> tuple[Ints, Ints]:
    """Number the bins of a feature by which leaves they follow: the first bin of a number, the number of a bin."""
    asking = [leaf.follows[feature] for leaf in leaves if feature in leaf.follows]
    code = np.zeros(len(asking[0]), dtype=np.int64)
    for bit, follows in enumerate(asking):
        code |= follows.astype(np.int64) << bit
    _, first, number = np.unique(code, return_index=True, return_inverse=True)
    return first, number


def _part(leaves: tuple[Leaf, ...], cuts: dict[int, tuple[Ints, Ints]]) -> Part:
    sizes = [len(first) for first, _ in cuts.values()]
    strides = [int(np.prod(sizes[:place])) for place in range(len(sizes))]
    value = np.zeros(tuple(reversed(sizes)))  # the last feature has the longest stride
    for leaf in leaves:
        box = [
            np.flatnonzero(leaf.follows[f][first]) if f in leaf.follows else np.arange(len(first))
            for f, (first, _) in cuts.items()
        ]
        value[np.ix_(*reversed(box))] += leaf.value
    return Part(
        leaves=leaves,
        features=tuple(cuts),
        sizes=tuple(sizes),
        strides=tuple(strides),
        local=tuple(number * step for (_, number), step in zip(cuts.values(), strides, strict=True)),
        first=tuple(first for first, _ in cuts.values()),
        value_K=value.reshape(-1),
    )

"""Exact path-dependent SHAP values of boosted trees (Lundberg et al. 2020), for many rows at once.

A row meets a leaf only through which features' splits on the leaf's path it follows. So all rows of one *cell* (one
combination of answers, feature by feature) share their contributions; these are computed once and then looked up:

1. every feature is cut once, at the thresholds of all trees, into bins;
2. a *part* is a subtree's leaves, chosen so that their paths cut the features into few cells; small trees are one part;
3. a part turns the bin of each of its features into a local number, and their sum (with strides) is the cell;
4. a cell's contributions are summed over the part's leaves. With z_j the share of training rows that follow the path at
   the splits on feature j, and o_j = 1 where the row does, feature i gets of a leaf of value v
       v (o_i - z_i) * integral over t in 0..1 of prod_{j != i} (z_j (1 - t) + o_j t) dt,
   which is the Shapley sum, because t^s (1 - t)^(d - 1 - s) integrates to s! (d - 1 - s)! / d!. The integrand is a
   polynomial of degree d - 1, so Gauss-Legendre with ceil(d / 2) nodes is exact; no term is negative.

Shapes: B rows, F features, S splits, L leaves, K cells, D features of one path, P patterns, Q quadrature nodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.runtime.tree_text import MISSING_NONE, MISSING_ZERO, ZERO_EDGE, Floats, Forest, Ints, Tree

Bools = NDArray[np.bool_]
PART_CELLS = 1 << 11  # a part of more cells is divided
MOST_CELLS = 1 << 16  # one leaf of more cells (17 features on one path) is refused
PART_LEAVES = 62  # bits of one integer
BLOCK_ROWS = 1 << 13  # rows worked on at a time, so that their sums stay in the cache


@dataclass(frozen=True, kw_only=True)
class _Bins:
    """How a feature is cut: by thresholds (numbers), or by codes 0..codes-1 (categories)."""

    thresholds: Floats
    codes: int  # 0 for numbers
    has_zero: bool  # zero has a bin of its own (a model trained with zero as missing)

    @property
    def number(self) -> int:
        return self.codes + 1 if self.codes else len(self.thresholds) + 2 + self.has_zero

    def place(self, x_B: Floats) -> NDArray[np.int32]:
        """Bin of every value: codes, then other (categories); intervals, then NaN, then zero (numbers)."""
        if self.codes:
            known = (x_B > -1) & (x_B < self.codes)  # NaN is not
            return np.where(known, np.trunc(np.where(known, x_B, 0)), self.codes).astype(np.int32)
        zero_B = np.abs(x_B) <= ZERO_EDGE  # the library reads these as 0
        bins = np.searchsorted(self.thresholds, np.where(zero_B, 0.0, x_B), side="left").astype(np.int32)
        bins[np.isnan(x_B)] = len(self.thresholds) + 1
        if self.has_zero:
            bins[zero_B] = len(self.thresholds) + 2
        return bins


@dataclass(frozen=True, kw_only=True)
class _Leaf:
    """One leaf: which bins of each feature on its path follow the path, and the share of training rows that do."""

    value: float
    follows: dict[int, Bools]  # feature -> (bins,)
    share: dict[int, float]


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Leaves as a table of contributions by cell."""

    features: Ints  # (f,)
    local: tuple[Ints, ...]  # f look-ups: bin -> local number times stride, so that a cell is a plain sum
    table_fK: Floats


class TreeShap:
    """Contributions of one forest. Thread-safe: nothing changes after it is made."""

    def __init__(self, forest: Forest) -> None:
        self.features = forest.features
        self._bins = _cut(forest)
        grown = [tree for tree in forest.trees if len(tree.feature_S)]
        self._parts = tuple(part for tree in grown for part in _parts(_leaves(tree, self._bins, 0)))
        stumps = sum(float(tree.leaf_value_L[0]) for tree in forest.trees if not len(tree.feature_S))
        self.base = stumps + sum(float(np.average(t.leaf_value_L, weights=t.leaf_cover_L)) for t in grown)

    def contributions(self, x_BF: Floats) -> Floats:
        """Return (B, F + 1) log-odds; the last column is the base value, and each row sums to its margin."""
        out = np.empty((len(x_BF), self.features + 1))
        for start in range(0, len(x_BF), BLOCK_ROWS):
            block = x_BF[start : start + BLOCK_ROWS]
            out[start : start + BLOCK_ROWS] = self._block(block).T
        return out

    def _block(self, x_BF: Floats) -> Floats:
        phi_FB = np.zeros((self.features + 1, len(x_BF)))
        phi_FB[-1] = self.base
        bins = {f: cut.place(x_BF[:, f]) for f, cut in self._bins.items()}
        for part in self._parts:
            cell_B = np.zeros(len(x_BF), dtype=np.int64)
            for feature, local in zip(part.features.tolist(), part.local, strict=True):
                cell_B += local.take(bins[feature], mode="clip")
            for feature, column_K in zip(part.features.tolist(), part.table_fK, strict=True):
                phi_FB[feature] += column_K.take(cell_B, mode="clip")
        return phi_FB


def has_cover(forest: Forest) -> bool:
    """Whether every node saw training rows: shares of nothing have no meaning here."""
    return all((tree.cover_S > 0).all() and (tree.leaf_cover_L > 0).all() for tree in forest.trees if len(tree.left_S))


def _cut(forest: Forest) -> dict[int, _Bins]:
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
        f: _Bins(thresholds=np.unique(np.asarray(t)), codes=codes.get(f, 0), has_zero=f in zero)
        for f, t in thresholds.items()
    }


def _goes_left(tree: Tree, split: int, bins: _Bins) -> Bools:
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

    leaves: tuple[_Leaf, ...]
    children: "tuple[_Branch, ...]"


def _leaves(tree: Tree, bins: dict[int, _Bins], node: int, so_far: _Leaf | None = None) -> _Branch:
    """All leaves under a node with what their paths, from the root, ask of each feature."""
    path = so_far or _Leaf(value=0.0, follows={}, share={})
    if node < 0:
        leaf = _Leaf(value=float(tree.leaf_value_L[~node]), follows=path.follows, share=path.share)
        return _Branch(leaves=(leaf,), children=())
    feature = int(tree.feature_S[node])
    left = _goes_left(tree, node, bins[feature])
    before, share = path.follows.get(feature, np.ones_like(left)), path.share.get(feature, 1.0)
    branches = []
    for child, outcome in ((int(tree.left_S[node]), left), (int(tree.right_S[node]), ~left)):
        cover = tree.cover_S[child] if child >= 0 else tree.leaf_cover_L[~child]
        step = _Leaf(
            value=0.0,
            follows=path.follows | {feature: before & outcome},
            share=path.share | {feature: share * float(cover / tree.cover_S[node])},
        )
        branches.append(_leaves(tree, bins, child, step))
    return _Branch(leaves=branches[0].leaves + branches[1].leaves, children=tuple(branches))


def _parts(branch: _Branch) -> list[_Part]:
    """Divide a branch until every part has few cells."""
    if len(branch.leaves) <= PART_LEAVES:
        cuts = {
            f: _local_numbers(branch.leaves, f) for f in sorted({f for leaf in branch.leaves for f in leaf.follows})
        }
        cells = float(np.prod([float(len(first)) for first, _ in cuts.values()]))
        if cells <= (PART_CELLS if branch.children else MOST_CELLS):
            return [_table(branch.leaves, cuts)]
    if not branch.children:
        raise ValueError(f"a path through {len(branch.leaves[0].follows)} features has too many cells")
    return [part for child in branch.children for part in _parts(child)]


def _local_numbers(leaves: Sequence[_Leaf], feature: int) -> tuple[Ints, Ints]:
    """Number the bins of a feature by which leaves they follow: the first bin of a number, the number of a bin."""
    asking = [leaf.follows[feature] for leaf in leaves if feature in leaf.follows]
    code = (1 << np.arange(len(asking))) @ np.stack(asking).astype(np.int64)
    _, first, number = np.unique(code, return_index=True, return_inverse=True)
    return first, number


def _table(leaves: Sequence[_Leaf], cuts: dict[int, tuple[Ints, Ints]]) -> _Part:
    """Sum the contributions of all cells over the leaves."""
    features = list(cuts)
    sizes = [len(first) for first, _ in cuts.values()]
    strides = np.concatenate([[1], np.cumprod(sizes[:-1])]).astype(np.int64)
    cell_K = np.arange(int(np.prod(sizes)))
    number_K = {f: cell_K // step % size for f, step, size in zip(features, strides, sizes, strict=True)}
    table_fK = np.zeros((len(features), len(cell_K)))
    for leaf in leaves:
        follows_DK = np.stack([follows[cuts[f][0]].take(number_K[f]) for f, follows in leaf.follows.items()])
        pattern_K = (1 << np.arange(len(follows_DK))) @ follows_DK.astype(np.int64)
        rows = [features.index(f) for f in leaf.follows]
        table_fK[rows] += _leaf_values(leaf.value, np.asarray(list(leaf.share.values())))[:, pattern_K]
    local = tuple(number * step for (_, number), step in zip(cuts.values(), strides, strict=True))
    return _Part(features=np.asarray(features), local=local, table_fK=table_fK)


def _leaf_values(value: float, share_D: Floats) -> Floats:
    """Contributions (D, P) of one leaf for all P = 2^D patterns of followed and not followed features."""
    depth = len(share_D)
    nodes, weights = np.polynomial.legendre.leggauss((depth + 1) // 2)
    t_Q = (nodes + 1) / 2
    o_DP = (np.arange(1 << depth) >> np.arange(depth)[:, None]) & 1
    z_D1 = share_D[:, None]
    total_DP = np.zeros(o_DP.shape)
    for t, weight in zip(t_Q, weights / 2, strict=True):
        term_DP = z_D1 * (1 - t) + o_DP * t
        total_DP += weight * term_DP.prod(axis=0) / term_DP
    result: Floats = value * (o_DP - z_D1) * total_DP
    return result

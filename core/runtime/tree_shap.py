"""Exact path-dependent SHAP values of boosted trees (Lundberg et al. 2020), for many rows at once.

A row meets a leaf only through which features' splits on the leaf's path it follows, so all rows of one cell (see
`core.runtime.tree_cells`) share their contributions; these are computed once and then looked up. With z_j the share of
training rows that follow the path at the splits on feature j, and o_j = 1 where the row does, feature i gets of a leaf
of value v
    v (o_i - z_i) * integral over t in 0..1 of prod_{j != i} (z_j (1 - t) + o_j t) dt,
which is the Shapley sum, because t^s (1 - t)^(d - 1 - s) integrates to s! (d - 1 - s)! / d!. The integrand is a
polynomial of degree d - 1, so Gauss-Legendre with ceil(d / 2) nodes is exact; no term is negative.

Shapes: B rows, F features, K cells, f features of a part, D features of one path, P patterns, Q quadrature nodes.
"""

import numpy as np

from core.runtime.tree_cells import CellForest, Leaf, Part
from core.runtime.tree_text import Floats, Forest


class TreeShap:
    """Contributions of one forest. Thread-safe: nothing changes after it is made."""

    def __init__(self, forest: Forest, cells: CellForest) -> None:
        """`cells` were made of the same forest, which must pass `has_cover`."""
        self.cells = cells
        self.base = sum(float(np.average(t.leaf_value_L, weights=_weights(t.leaf_cover_L))) for t in forest.trees)
        self._tables = tuple(_table(part) for part in cells.parts)

    def contributions(self, x_BF: Floats) -> Floats:
        """Return (B, F + 1) log-odds; the last column is the base value, and each row sums to its margin."""
        out_BF = np.empty((len(x_BF), self.cells.features + 1))
        for rows, bins in self.cells.blocks(x_BF):
            phi_FB = np.zeros((self.cells.features + 1, rows.stop - rows.start))
            phi_FB[-1] = self.base
            for part, table_fK in zip(self.cells.parts, self._tables, strict=True):
                cell_B = part.cells(bins, phi_FB.shape[1])
                for feature, column_K in zip(part.features, table_fK, strict=True):
                    phi_FB[feature] += column_K.take(cell_B, mode="clip")
            out_BF[rows] = phi_FB.T
        return out_BF


def has_cover(forest: Forest) -> bool:
    """Whether every node saw training rows: shares of nothing have no meaning here."""
    return all((t.cover_S > 0).all() and (t.leaf_cover_L > 0).all() for t in forest.trees if len(t.left_S))


def _weights(cover_L: Floats) -> Floats:
    """A tree without splits may tell no cover; it has one leaf then."""
    return cover_L if cover_L.sum() > 0 else np.ones_like(cover_L)


def _table(part: Part) -> Floats:
    """Contributions (f, K) of all cells of a part, summed over its leaves."""
    cell_K = np.arange(len(part.value_K))
    number_K = {f: cell_K // step % size for f, step, size in zip(part.features, part.strides, part.sizes, strict=True)}
    first = dict(zip(part.features, part.first, strict=True))
    table_fK = np.zeros((len(part.features), len(cell_K)))
    for leaf in part.leaves:
        pattern_K = np.zeros(len(cell_K), dtype=np.int64)
        for bit, (feature, follows) in enumerate(leaf.follows.items()):
            pattern_K |= follows[first[feature]].astype(np.int64).take(number_K[feature]) << bit
        rows = [part.features.index(f) for f in leaf.follows]
        table_fK[rows] += leaf_values(leaf)[:, pattern_K]
    return table_fK


def leaf_values(leaf: Leaf) -> Floats:
    """Contributions (D, P) of one leaf for all P = 2^D patterns; bit j of a pattern: feature j follows the path."""
    depth = len(leaf.share)
    nodes, weights = np.polynomial.legendre.leggauss(max(1, (depth + 1) // 2))
    o_DP = (np.arange(1 << depth) >> np.arange(depth)[:, None]) & 1
    z_D1 = np.asarray(list(leaf.share.values()))[:, None]
    total_DP = np.zeros(o_DP.shape)
    for t, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        term_DP = z_D1 * (1 - t) + o_DP * t
        total_DP += weight * term_DP.prod(axis=0) / term_DP
    return np.asarray(leaf.value * (o_DP - z_D1) * total_DP, dtype=np.float64)

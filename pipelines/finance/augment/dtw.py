"""Dynamic time warping and weighted barycentre averaging, in numpy.

Alignment: Sakoe and Chiba 1978, squared distances. Barycentre: Petitjean, Ketterlin and Gancarski 2011; weights by
distance from a reference: Forestier et al. 2017 ("average selected with distance"). Legend: M series aligned at once,
T and U steps, C channels.
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.finance.augment.series import Floats

Ints = NDArray[np.int64]
ITERATIONS = 3


def align(centre_TC: Floats, x_MUC: Floats, band: float = 1.0) -> tuple[Floats, Ints]:
    """Align M series with a centre, all at once along anti-diagonals.

    Returns their summed squared distances (M,) and the accumulated costs (M, T + 1, U + 1), whose first row and column
    are infinite but for the corner. `band` is how far (share of the length) a step may move; 1 is no limit. A channel
    that is missing on either side adds nothing.
    """
    gap_MTUC = (centre_TC[None, :, None, :] - x_MUC[:, None, :, :]) ** 2
    cost_MTU = np.nansum(gap_MTUC, axis=3)
    m, t, u = cost_MTU.shape
    at_T, at_U = np.arange(t)[:, None] / max(t - 1, 1), np.arange(u)[None, :] / max(u - 1, 1)
    cost_MTU = np.where(np.abs(at_T - at_U) <= band + 1e-9, cost_MTU, np.inf)
    total = np.full((m, t + 1, u + 1), np.inf)
    total[:, 0, 0] = 0.0
    for diagonal in range(2, t + u + 1):
        i = np.arange(max(1, diagonal - u), min(t, diagonal - 1) + 1)
        j = diagonal - i
        before = np.minimum(np.minimum(total[:, i - 1, j - 1], total[:, i - 1, j]), total[:, i, j - 1])
        total[:, i, j] = cost_MTU[:, i - 1, j - 1] + before
    return total[:, t, u], total


def path(total_TU: Floats) -> Ints:
    """The cheapest path (P, 2) of step pairs through accumulated costs of one series; of equals the diagonal."""
    i, j = total_TU.shape[0] - 1, total_TU.shape[1] - 1
    cost = total_TU.tolist()  # many single look-ups: lists answer them faster
    pairs = [(i - 1, j - 1)]
    while (i, j) != (1, 1):
        ways = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
        i, j = min(ways, key=lambda way: float(cost[way[0]][way[1]]))
        pairs.append((i - 1, j - 1))
    return np.array(pairs[::-1])


def barycentre(x_MTC: Floats, weight_M: Floats, band: float = 1.0, iterations: int = ITERATIONS) -> Floats:
    """The weighted mean (T, C) of all steps aligned with each step of it, begun from the first series.

    No iteration raises the weighted sum of squared distances. Missing where all aligned steps are.
    """
    centre_TC = x_MTC[0].copy()
    for _ in range(iterations):
        _, cost = align(centre_TC, x_MTC, band)
        total, weight = np.zeros_like(centre_TC), np.zeros_like(centre_TC)
        for number, own in enumerate(weight_M):
            summed, count = aligned_sum(path(cost[number]), x_MTC[number], len(centre_TC))
            total += own * summed
            weight += own * count
        centre_TC = np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)
    return np.asarray(centre_TC, dtype=np.float64)


def aligned_sum(pairs: Ints, x_TC: Floats, steps: int) -> tuple[Floats, Floats]:
    """Sum (T, C) and number (T, C) of the observed steps that a path joins to each step of the centre."""
    seen = np.isfinite(x_TC[pairs[:, 1]])
    total, count = np.zeros((steps, x_TC.shape[1])), np.zeros((steps, x_TC.shape[1]))
    np.add.at(total, pairs[:, 0], np.where(seen, x_TC[pairs[:, 1]], 0.0))
    np.add.at(count, pairs[:, 0], seen)
    return total, count

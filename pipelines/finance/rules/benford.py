"""How far the first digits of a company's amounts are from Benford's law. R rows, C amounts, D digits 1 to 9.

Newcomb 1881, Benford 1938; mean absolute deviation: Nigrini, Benford's Law (2012); on one company's statements:
Amiram, Bozanic and Rouen, Review of Accounting Studies 20 (2015).
"""

from collections.abc import Mapping

import numpy as np

from pipelines.finance.rules.columns import Floats, Panel
from pipelines.finance.rules.functions import Function
from pipelines.finance.rules.history import years_back

EXPECTED_D = np.log10(1 + 1 / np.arange(1, 10))
LEAST_FIGURES = 15  # amounts other than zero, below which digits say nothing


def first_digit(amounts: Floats) -> Floats:
    """1 to 9; 0 for zero and for missing.

    >>> first_digit(np.array([0.034, -7250.0, 1000.0, 0.0])).astype(int).tolist()
    [3, 7, 1, 0]
    """
    size = np.abs(amounts)
    good = (size > 1e-300) & np.isfinite(size)
    size = np.where(good, size, 1.0)
    digit = np.floor(size / 10.0 ** np.floor(np.log10(size)) + 1e-9)
    return np.where(good, np.clip(digit, 1, 9), 0.0)


def digit_counts(panel: Panel, n: int) -> Floats:
    """(D, R): how often each first digit occurs among a row's amounts, over at most n years."""
    counts_DR = np.zeros((9, panel.rows))
    for name in panel.amounts:
        digit_R = first_digit(panel.values[name]).astype(np.int64)
        here_R = np.flatnonzero(digit_R)
        counts_DR[digit_R[here_R] - 1, here_R] += 1
    if n == 1:
        return counts_DR
    return np.stack([np.nansum(years_back(panel, count_R, n), axis=0) for count_R in counts_DR])


def _shares(panel: Panel, n: int) -> tuple[Floats, Floats]:
    counts_DR = digit_counts(panel, n)
    total_R = counts_DR.sum(axis=0)
    total_R = np.where(total_R >= LEAST_FIGURES, total_R, np.nan)
    return counts_DR / total_R, total_R


def benford_mad(panel: Panel, n: int) -> Floats:
    """Mean absolute deviation of the nine shares."""
    share_DR, _ = _shares(panel, n)
    result: Floats = np.abs(share_DR - EXPECTED_D[:, None]).mean(axis=0)
    return result


def benford_chi2(panel: Panel, n: int) -> Floats:
    """Pearson's chi-squared (8 degrees of freedom)."""
    share_DR, total_R = _shares(panel, n)
    result: Floats = (((share_DR - EXPECTED_D[:, None]) ** 2) / EXPECTED_D[:, None]).sum(axis=0) * total_R
    return result


def benford_ks(panel: Panel, n: int) -> Floats:
    """Greatest distance of the cumulated shares (Kolmogorov and Smirnov)."""
    share_DR, _ = _shares(panel, n)
    result: Floats = np.abs(np.cumsum(share_DR - EXPECTED_D[:, None], axis=0)).max(axis=0)
    return result


BENFORD: Mapping[str, Function] = {
    "benford_mad": Function(benford_mad, 0, options=(1,), fault="few_figures"),
    "benford_chi2": Function(benford_chi2, 0, options=(1,), fault="few_figures"),
    "benford_ks": Function(benford_ks, 0, options=(1,), fault="few_figures"),
}

"""The stack: how much the trees and the networks are believed, from rows that neither learned from.

margin = bias + trees * margin of the trees + networks * margin of the networks, weights of 0 or more, by penalised
likelihood (Wolpert 1992, Stacked generalization; Breiman 1996, Stacked regressions, for weights that are not
negative). Whether the networks are listened to at all is asked of rows that the weights were not fitted to.

Legend: B rows, S margins.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from core.errors import InputError

Floats = NDArray[np.float64]
FOLDS = 5  # for the question whether the networks are listened to
PENALTY = 0.5  # of (weight - 1 / S) squared, in log-likelihood: 100 rows move the weights little


@dataclass(frozen=True, kw_only=True)
class Stack:
    """`gain` is what the networks bring in log loss a row, cross-validated, and `gain_error` its standard error."""

    bias: float
    trees: float
    networks: float
    gain: float
    gain_error: float

    @property
    def listens(self) -> bool:
        """Whether the networks are part of the model: they are where they gain on rows the weights do not know."""
        return self.networks > 0 and self.gain > 0

    @property
    def weights(self) -> tuple[float, float]:
        """Of the trees and of the networks."""
        return self.trees, self.networks

    def __call__(self, trees: Floats, networks: Floats) -> Floats:
        """Return the weighted sum of margins of one shape."""
        return np.asarray(self.bias + self.trees * trees + self.networks * networks, dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """For the bundle."""
        return asdict(self) | {"listens": self.listens}


def fit_stack(trees_B: Floats, networks_B: Floats, y_B: Floats) -> Stack:
    """Fit to margins of rows that neither learned from; rows without one (NaN) are left out. y is 0 or 1.

    InputError: not one row has both margins, or only one class has.
    """
    known_B = ~(np.isnan(trees_B) | np.isnan(networks_B))
    both_SB, y_B = np.stack([trees_B, networks_B])[:, known_B], y_B[known_B]
    if len(np.unique(y_B)) < 2:
        raise InputError("the stack needs rows of both classes that trees and networks did not learn from")
    bias, (trees, networks) = _fit(both_SB, y_B)
    gain_B = _left_out_losses(both_SB[:1], y_B) - _left_out_losses(both_SB, y_B)
    error = float(gain_B.std(ddof=1) / np.sqrt(len(gain_B)))
    return Stack(bias=bias, trees=trees, networks=networks, gain=float(gain_B.mean()), gain_error=error)


def _left_out_losses(margin_SB: Floats, y_B: Floats) -> Floats:
    """Log loss of every row by weights that were fitted to the other folds; folds alike in class and margin."""
    fold_B = np.empty(len(y_B), dtype=np.int64)
    fold_B[np.lexsort((margin_SB[0], y_B))] = np.arange(len(y_B)) % FOLDS
    loss_B = np.empty(len(y_B))
    for fold in range(FOLDS):
        out_B = fold_B == fold
        bias, weights = _fit(margin_SB[:, ~out_B], y_B[~out_B])
        loss_B[out_B] = _losses(bias + np.einsum("s,sb->b", weights, margin_SB[:, out_B]), y_B[out_B])
    return loss_B


def _fit(margin_SB: Floats, y_B: Floats) -> tuple[float, tuple[float, ...]]:
    prior = 1 / len(margin_SB)

    def objective(entries: Floats) -> tuple[float, Floats]:
        bias, weight_S = entries[0], entries[1:]
        z_B = bias + np.einsum("s,sb->b", weight_S, margin_SB)
        residual_B = 1 / (1 + np.exp(-np.clip(z_B, -500, 500))) - y_B
        value = _losses(z_B, y_B).sum() + PENALTY * np.square(weight_S - prior).sum()
        slope_S = np.einsum("sb,b->s", margin_SB, residual_B) + 2 * PENALTY * (weight_S - prior)
        return float(value), np.concatenate([[residual_B.sum()], slope_S])

    start = np.concatenate([[0.0], np.full(len(margin_SB), prior)])
    bounds = [(None, None), *[(0.0, None)] * len(margin_SB)]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), tuple(float(weight) for weight in found.x[1:])


def _losses(z_B: Floats, y_B: Floats) -> Floats:
    return np.asarray(np.logaddexp(0.0, z_B) - y_B * z_B, dtype=np.float64)

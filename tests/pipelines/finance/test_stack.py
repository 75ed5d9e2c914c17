"""The stack: it believes each model as much as the rows say, and a useless one not at all."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from core.errors import InputError
from core.metrics.binary import auc
from pipelines.finance.stack import PENALTY, Stack, fit_stack

ROWS = 20_000


def drawn(seed: int, trees: float, networks: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    both = rng.normal(0, 1.5, (2, ROWS))
    y = (rng.random(ROWS) < expit(-1 + trees * both[0] + networks * both[1])).astype(float)
    return both[0], both[1], y


def test_weights_are_those_the_labels_were_drawn_with() -> None:
    stack = fit_stack(*drawn(0, 0.7, 0.4))
    assert (stack.bias, stack.trees, stack.networks) == pytest.approx((-1, 0.7, 0.4), abs=0.06)
    assert stack.listens


def test_weights_are_those_of_ridge_regression_where_none_is_negative() -> None:
    trees, networks, y = drawn(1, 0.8, 0.5)
    stack = fit_stack(trees, networks, y)
    # scikit-learn shrinks to 0 and not to one half, which 20,000 rows do not tell apart
    oracle = LogisticRegression(C=1 / (2 * PENALTY), tol=1e-10).fit(np.stack([trees, networks], axis=1), y)
    assert [stack.trees, stack.networks] == pytest.approx(oracle.coef_[0], abs=2e-3)


def test_networks_that_know_nothing_are_not_listened_to() -> None:
    """The very labels of half the draws would gain by chance, but on other rows the gain is next to nothing."""
    heard = [fit_stack(*drawn(seed, 0.9, 0.0)) for seed in range(6)]
    assert all(stack.networks < 0.05 for stack in heard)
    assert all(stack.gain < 2e-4 for stack in heard)
    assert not all(stack.listens for stack in heard)


def test_networks_that_are_wrong_get_no_weight() -> None:
    stack = fit_stack(*drawn(2, 0.8, -0.6))
    assert stack.networks == 0
    assert not stack.listens


def test_the_stack_ranks_new_rows_better_than_either() -> None:
    stack = fit_stack(*drawn(3, 0.6, 0.5))
    trees, networks, y = drawn(4, 0.6, 0.5)
    assert auc(y, stack(trees, networks)) > max(auc(y, trees), auc(y, networks)) + 0.02


def test_rows_that_no_fold_left_out_do_not_count() -> None:
    trees, networks, y = drawn(5, 0.7, 0.3)
    whole = fit_stack(trees[:5_000], networks[:5_000], y[:5_000])
    trees[5_000:] = np.nan
    assert fit_stack(trees, networks, y) == whole


def test_one_class_is_refused() -> None:
    with pytest.raises(InputError, match="both classes"):
        fit_stack(np.zeros(10), np.zeros(10), np.ones(10))


def test_the_bundle_is_told_all_of_it() -> None:
    stack = Stack(bias=0.1, trees=0.5, networks=0.4, gain=0.002, gain_error=0.001)
    assert stack.to_json() == {
        "bias": 0.1,
        "trees": 0.5,
        "networks": 0.4,
        "gain": 0.002,
        "gain_error": 0.001,
        "listens": True,
    }
    assert stack(np.ones((2, 3)), np.ones((2, 3))) == pytest.approx(np.ones((2, 3)))

"""Which columns a company model learns from: pairs where they pay, and of all of them those that the trees lean on.

Whether pairs pay is asked of rows that neither their choice nor their trees saw. B rows, F columns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.spec import FeatureSpec
from pipelines.finance.company_frame import YEAR
from pipelines.finance.company_pairs import Pair, make_pairs, pair_columns

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Progress = Callable[[float, str], None]
PAIRED = 64  # columns that are paired: some 4,000 pairs
MOST_COLUMNS: Mapping[str, int] = {"fast": 400, "full": 150}  # that are learned from, by preset
MOST_PAIRED = 150  # the same where there are pairs among them
FOLDS = 3
ERRORS = 1.0  # standard errors that the gain of pairs must exceed
ROUNDS, LOOK_ROUNDS = 200, 100
PLAIN = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "verbose": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What is learned from: names of columns, pairs among them; and what the pairs gain in log loss a row."""

    names: tuple[str, ...]
    pairs: tuple[Pair, ...]
    gain: float
    gain_error: float

    def to_json(self) -> dict[str, Any]:
        """For the bundle: how many there are, and why."""
        gain = {"log_loss": self.gain, "standard_error": self.gain_error}
        return {"columns": len(self.names), "pairs": len(self.pairs), "gain_of_pairs": gain}


def choose_columns(
    x_BF: Floats, y_B: Floats, spec: FeatureSpec, *, seed: int, most: int, progress: Progress
) -> Columns:
    """Choose by training rows alone."""
    table = _Table(x_BF, spec)
    rarer = int(min(y_B.sum(), (1 - y_B).sum()))
    gain_B = np.zeros(len(y_B))
    if len(table.numbers) > 1 and rarer >= 10 * FOLDS:
        fold_B = _folds(y_B, seed)
        for fold in range(FOLDS):
            progress(fold / (FOLDS + 1), f"asking whether pairs of columns pay, {fold + 1} of {FOLDS}")
            out_B = fold_B == fold
            gain_B[out_B] = _gain(table, y_B, out_B, seed, most)
    gain, error = float(gain_B.mean()), float(gain_B.std(ddof=1) / np.sqrt(len(gain_B)))
    progress(FOLDS / (FOLDS + 1), "choosing columns")
    names, pairs = _chosen(table, y_B, np.ones(len(y_B), dtype=np.bool_), seed, most, paired=gain > ERRORS * error)
    return Columns(names=names, pairs=pairs, gain=gain, gain_error=error)


class _Table:
    """Columns by name; which are numbers, and can be paired."""

    def __init__(self, x_BF: Floats, spec: FeatureSpec) -> None:
        self.columns = {column.name: x_BF[:, at] for at, column in enumerate(spec.columns)}
        self.numbers = tuple(c.name for c in spec.columns if c.kind == "number" and c.name != YEAR)

    def stacked(self, names: Sequence[str], pairs: Sequence[Pair]) -> Floats:
        """Columns and pairs (B, F)."""
        made = pair_columns(pairs, self.columns)
        return np.stack([made[name] if name in made else self.columns[name] for name in names], axis=1)


def _gain(table: _Table, y_B: Floats, out_B: Bools, seed: int, most: int) -> Floats:
    """What pairs gain in log loss on the rows left out, when they are chosen by the others."""
    losses = []
    for paired in (False, True):
        names, pairs = _chosen(table, y_B, ~out_B, seed, most, paired=paired)
        x_BF = table.stacked(names, pairs)
        margin_B = _fit(x_BF[~out_B], y_B[~out_B], seed, ROUNDS).predict(x_BF[out_B], raw_score=True)
        losses.append(np.logaddexp(0.0, margin_B) - y_B[out_B] * margin_B)
    return np.asarray(losses[0] - losses[1])


def _chosen(
    table: _Table, y_B: Floats, in_B: Bools, seed: int, most: int, *, paired: bool
) -> tuple[tuple[str, ...], tuple[Pair, ...]]:
    """Names of the columns that trees of these rows lean on most, pairs among them, in a fixed order."""
    names = tuple(table.columns)
    gains = _gains(table, names, (), y_B, in_B, seed)
    pairs: tuple[Pair, ...] = ()
    if paired:
        strong = sorted(table.numbers, key=lambda name: -gains[name])[:PAIRED]
        pairs = make_pairs([name for name in strong if gains[name] > 0])
        names += tuple(pair.name for pair in pairs)
        gains = _gains(table, names, pairs, y_B, in_B, seed)
        most = min(most, MOST_PAIRED)
    best = sorted((name for name in names if gains[name] > 0), key=lambda name: -gains[name])[:most]
    kept = frozenset(best or names[:most])
    return tuple(n for n in names if n in kept), tuple(pair for pair in pairs if pair.name in kept)


def _gains(
    table: _Table, names: Sequence[str], pairs: Sequence[Pair], y_B: Floats, in_B: Bools, seed: int
) -> dict[str, float]:
    booster = _fit(table.stacked(names, pairs)[in_B], y_B[in_B], seed, LOOK_ROUNDS)
    return dict(zip(names, booster.feature_importance("gain").tolist(), strict=True))


def _fit(x_BF: Floats, y_B: Floats, seed: int, rounds: int) -> Any:
    import lightgbm  # noqa: PLC0415 - a second of imports, and scoring needs none of it

    return lightgbm.train(PLAIN | {"seed": seed}, lightgbm.Dataset(x_BF, y_B, params={"verbose": -1}), rounds)


def _folds(y_B: Floats, seed: int) -> NDArray[np.int64]:
    """Fold numbers (B,), alike in the share of bad rows."""
    fold_B = np.empty(len(y_B), dtype=np.int64)
    fold_B[np.lexsort((np.random.default_rng(seed).random(len(y_B)), y_B))] = np.arange(len(y_B)) % FOLDS
    return fold_B

"""What the self-supervised start of the credit networks is worth, with all, a tenth and a hundredth of the labels.

Rows whose label is taken away stay as rows without one. Networks alone, beside trees of the same labels; test split.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.metrics.binary import auc
from core.train.cores import half_of_the_cores
from data.spec import infer_spec
from pipelines.finance.boosting import TrainingRows, fit, make_folds
from pipelines.finance.labels import find_rule
from pipelines.finance.network import LearningRows, fit_networks, margins_of, table_options
from pipelines.finance.network_options import NetworkOptions
from pipelines.finance.pretrain import pretrain
from pipelines.finance.rows import labelled
from pipelines.finance.tree_model import margins
from tests.benchmarks.credit_peers import TABLES, splits

pytestmark = [pytest.mark.bench, pytest.mark.realdata, pytest.mark.timeout(7200)]
SHARES = (1.0, 0.1, 0.01)
DRAWS = {1.0: 1, 0.1: 2, 0.01: 3}  # of the rows that keep their label: the fewer, the more chance there is in them


def quiet(share: float, words: str) -> None:
    """No progress."""


def kept(y_B: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Row numbers that keep their label, alike in the share of bad ones."""
    order = np.lexsort((np.random.default_rng(seed).random(len(y_B)), y_B))
    return np.sort(order[:: round(1 / share)])


@pytest.mark.parametrize("name", ["heloc", "taiwan_default"])
def test_networks_with_and_without_a_start(realdata: Path, name: str) -> None:
    target, id_column = TABLES[name]
    frames = list(splits(realdata, name))
    spec, rule = infer_spec(frames[0], target=target, id_column=id_column), find_rule(frames[0][target])
    train, test = (labelled(frames[at], spec, rule, None, "rows") for at in (0, 2))
    shape, device = NetworkOptions(), torch.device("cpu")
    table = table_options(spec, train.x_BF, shape)
    with half_of_the_cores():
        start = pretrain(train.x_BF, table, shape, seed=0, device=device, folder=None, progress=quiet)
        for share in SHARES:
            found: dict[str, list[float]] = {"from nothing": [], "pretrained": [], "trees": []}
            for draw in range(DRAWS[share]):
                few = kept(train.y_B, share, draw)
                rows = TrainingRows(x_BF=train.x_BF[few], y_B=train.y_B[few])
                learning = LearningRows(x_BF=rows.x_BF, y_B=rows.y_B, folds=make_folds(rows, draw))
                for who, weights in (("from nothing", None), ("pretrained", start)):
                    nets = fit_networks(
                        learning, table, shape, seed=draw, device=device, folder=None, progress=quiet, start=weights
                    )
                    found[who].append(auc(test.y_B, margins_of(nets.served, test.x_BF).mean(axis=0)))
                trees = fit(rows, spec, seed=draw, preset="fast", progress=quiet)
                found["trees"].append(auc(test.y_B, margins([trees.text], test.x_BF)[0]))
            words = ", ".join(f"{who} {np.mean(values):.4f}" for who, values in found.items())
            print(f"\n{name}, {share:.0%} of the labels ({len(few)} rows, {DRAWS[share]} draws): {words}", flush=True)
            assert all(0 < value < 1 for values in found.values() for value in values)

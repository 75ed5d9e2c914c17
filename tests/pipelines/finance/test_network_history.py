"""Networks that read a history beside the table: any subset answers, exports, pretraining, and what they see in it."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.encoders.columns import TableOptions, number_column
from core.metrics.binary import auc
from core.model import AssayModel
from core.runtime.export import export_onnx
from core.runtime.sessions import OnnxRunner
from pipelines.finance.history import History
from pipelines.finance.network import (
    FoldNets,
    LearningRows,
    Networks,
    fit_networks,
    make_network,
    margins_of,
    single,
    table_options,
)
from pipelines.finance.network_options import NetworkOptions
from pipelines.finance.pretrain import pretrain
from tests.pipelines.finance.test_history import spec_of, walk

STEPS = 5
CPU = torch.device("cpu")
SMALL = NetworkOptions(
    token=4, frequencies=4, width=32, members=2, depth=1, hidden=16, most_rows=64, most_epochs=6, history_width=16
)
HISTORY = History((tuple(range(1, 1 + STEPS)),))
SPEC = spec_of("age", *[f"late_{step}" for step in range(STEPS)])


def rows(size: int = 500, folds: int = 2) -> LearningRows:
    """Bad where the newest step is higher than the oldest."""
    x = np.concatenate([np.random.default_rng(1).normal(size=(size, 1)), walk(size, STEPS, 0)], axis=1)
    y = (np.log(x[:, STEPS]) > np.log(x[:, 1])).astype(float)
    fold = np.arange(size) % folds
    return LearningRows(
        x_BF=x, y_B=y, folds=[(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(folds)]
    )


def silent(share: float, words: str) -> None:
    assert 0 <= share <= 1


@pytest.fixture(scope="module")
def table() -> TableOptions:
    return table_options(SPEC, rows().x_BF, SMALL)


@pytest.fixture(scope="module")
def learned(table: TableOptions) -> Networks:
    torch.set_num_threads(1)
    return fit_networks(rows(), table, SMALL, seed=0, device=CPU, folder=None, progress=silent, history=HISTORY)


def test_a_trend_is_learned_and_rows_left_out_are_answered_by_their_network(learned: Networks) -> None:
    assert auc(rows().y_B, learned.left_out_margin_B) > 0.9
    margin_MB = margins_of(learned.served, rows().x_BF)
    for fold, (_, out) in enumerate(rows().folds):
        np.testing.assert_allclose(learned.left_out_margin_B[out], margin_MB[fold, out], atol=1e-5)


def test_the_exported_file_takes_the_table_alone_and_answers_as_torch_does(tmp_path: Path, learned: Networks) -> None:
    asked = single(rows().x_BF[:20])
    asked[3, 1:] = math.nan
    given = torch.ones_like(asked)
    given[::2, STEPS], given[5, 1:], given[6] = 0, 0, 0
    one = FoldNets([learned.served.networks[0]], learned.served.reader).eval()
    report = export_onnx(one, {"table": asked, "given": given}, tmp_path / "network.onnx")
    assert report.worst <= 1e-4
    runner = OnnxRunner(tmp_path / "network.onnx", device="cpu", threads=1)
    shown = {"table": asked.numpy(), "given": np.ones_like(given)}
    whole = runner.run(shown)["margin"]
    np.testing.assert_allclose(whole, margins_of(one, asked.numpy().astype(float))[0], atol=1e-4)
    alone = [runner.run({name: array[at : at + 1] for name, array in shown.items()})["margin"][0] for at in range(20)]
    np.testing.assert_allclose(alone, whole, atol=1e-4)
    hidden = runner.run({"table": asked.numpy(), "given": given.numpy()})["margin"]
    assert np.abs(hidden - whole)[::2].max() > 0.1


def test_a_hidden_step_is_seen_neither_in_the_table_nor_in_the_series(learned: Networks) -> None:
    one, other = single(rows().x_BF[:10]), single(rows().x_BF[:10])
    other[:, STEPS] *= 100
    given = torch.ones_like(one)
    given[:, STEPS] = 0
    with torch.no_grad():
        margins = [learned.served.eval()(asked, given)["margin"] for asked in (one, other)]
    assert torch.equal(*margins)


def test_any_part_alone_gives_an_answer(learned: Networks) -> None:
    assert learned.served.reader is not None
    network = learned.served.networks[0].eval()
    assert isinstance(network, AssayModel)
    inputs, _ = learned.served.reader.inputs(single(rows().x_BF))
    with torch.no_grad():
        for name, asked in inputs.items():
            assert auc(rows().y_B, network({name: asked}).margin_SB[-1].double().numpy()) > 0.7


def test_pretraining_on_the_table_gives_weights_that_fit(table: TableOptions) -> None:
    torch.set_num_threads(1)
    start = pretrain(rows(100).x_BF, table, SMALL, seed=0, device=CPU, folder=None, progress=silent, history=HISTORY)
    network = make_network(table, SMALL, HISTORY)
    found = network.load_state_dict(dict(start), strict=False)
    assert not found.unexpected_keys
    assert all(name.startswith("exits.") for name in found.missing_keys)


def test_without_a_history_nothing_is_drawn_or_made_for_one(table: TableOptions) -> None:
    made = []
    for options in (SMALL, replace(SMALL, history=True, history_width=8, history_heads=2, drop_parts=0.5)):
        torch.manual_seed(0)
        made.append(make_network(table, options).state_dict())
    assert made[0].keys() == made[1].keys()
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])
    assert not any("series" in name or "attention" in name for name in made[0])


def test_special_codes_do_not_enter_the_series() -> None:
    x = rows().x_BF.copy()
    x[::7, 1] = -9.0
    columns = [number_column(x[:, 0])]
    columns += [number_column(x[:, at], special_codes=(-9.0,)) for at in range(1, 1 + STEPS)]
    coded = TableOptions(columns=tuple(columns), width=4)
    learned = fit_networks(
        LearningRows(x_BF=x, y_B=rows().y_B, folds=rows().folds),
        coded,
        replace(SMALL, most_epochs=1),
        seed=0,
        device=CPU,
        folder=None,
        progress=silent,
        history=HISTORY,
    )
    assert learned.served.reader is not None
    series = learned.served.reader(single(x))
    assert bool(series[::7, 0].isnan().all())
    assert int(series.isnan().sum()) == len(x[::7])

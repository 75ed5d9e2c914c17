"""Networks over a table: one a fold, trained together, answering for the rows that they did not learn from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import InputError
from core.metrics.binary import auc
from core.runtime.export import export_onnx
from core.runtime.sessions import OnnxRunner
from data.spec import Column, FeatureSpec
from pipelines.finance.network import (
    LearningRows,
    Networks,
    fit_networks,
    make_network,
    margins_of,
    single,
    table_options,
)
from pipelines.finance.network_options import NetworkOptions

SMALL = NetworkOptions(
    token=8, frequencies=4, width=32, members=3, depth=1, hidden=16, most_rows=128, most_epochs=8, patience=2
)
SPEC = FeatureSpec(
    columns=(
        Column(name="a", kind="number", special_codes=(-9.0,)),
        Column(name="b", kind="number"),
        Column(name="c", kind="category", categories=("x", "y", "z")),
    ),
    target="bad",
    id_column=None,
)


class Stopped(BaseException):
    """Stands for the end of the process."""


def rows(size: int = 900, folds: int = 3) -> LearningRows:
    """Bad where the signs of a and b differ, or a is the code: no single column tells."""
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=size), rng.normal(size=size), rng.integers(0, 3, size).astype(float)], axis=1)
    x[::17, 0], x[::13, 1] = -9.0, np.nan
    odd = np.where(x[:, 0] == -9.0, True, np.nan_to_num(x[:, 0] * x[:, 1]) < 0)
    y = (rng.random(size) < np.where(odd, 0.95, 0.05)).astype(float)
    fold = rng.permutation(size) % folds
    return LearningRows(
        x_BF=x, y_B=y, folds=[(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(folds)]
    )


def learn(learning: LearningRows, folder: Path | None = None, **changes: Any) -> Networks:
    torch.set_num_threads(1)
    fixed: dict[str, Any] = {"seed": 0, "device": torch.device("cpu"), "progress": lambda share, words: None}
    table = table_options(SPEC, learning.x_BF, SMALL)
    return fit_networks(learning, table, SMALL, folder=folder, **(fixed | changes))


@pytest.fixture(scope="module")
def learned() -> Networks:
    return learn(rows())


def test_rows_left_out_are_told_apart(learned: Networks) -> None:
    assert auc(rows().y_B, learned.left_out_margin_B) > 0.85


def test_each_row_is_answered_by_the_network_that_did_not_learn_from_it(learned: Networks) -> None:
    margin_MB = margins_of(learned.served, rows().x_BF)
    for fold, (_, out) in enumerate(rows().folds):
        np.testing.assert_allclose(learned.left_out_margin_B[out], margin_MB[fold, out], atol=1e-5)
    assert len(np.unique(margin_MB[:, 0])) == 3


def test_labels_of_the_rows_left_out_change_nothing_that_is_learned() -> None:
    changed = rows()
    out = changed.folds[0][1]
    changed.y_B[out] = 1 - changed.y_B[out]
    one, other = (make(rows()), make(changed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def make(learning: LearningRows) -> dict[str, torch.Tensor]:
    """Weights of the first network after one epoch: the choice of the best epoch does ask the rows left out."""
    shape = NetworkOptions(**{**vars(SMALL), "most_epochs": 1})
    found = fit_networks(
        learning,
        table_options(SPEC, learning.x_BF, shape),
        shape,
        seed=0,
        device=torch.device("cpu"),
        folder=None,
        progress=lambda share, words: None,
    )
    return dict(found.served.networks[0].state_dict())


def test_a_row_that_no_fold_left_out_has_no_margin() -> None:
    learning = rows(300, 3)
    one = LearningRows(x_BF=learning.x_BF, y_B=learning.y_B, folds=learning.folds[:1])
    margin_B = learn(one).left_out_margin_B
    known = np.zeros(300, dtype=bool)
    known[learning.folds[0][1]] = True
    np.testing.assert_array_equal(np.isnan(margin_B), ~known)


def test_a_run_that_was_cut_off_ends_with_the_same_weights(tmp_path: Path, learned: Networks) -> None:
    def stop(share: float, words: str) -> None:
        if share > 0.3:
            raise Stopped

    with pytest.raises(Stopped):
        learn(rows(), tmp_path, progress=stop)
    again = learn(rows(), tmp_path)
    weights, whole = again.served.state_dict(), learned.served.state_dict()
    assert all(torch.equal(weights[name], whole[name]) for name in whole)


def test_the_exported_file_answers_as_torch_does_also_where_values_are_hidden(
    tmp_path: Path, learned: Networks
) -> None:
    table = single(rows().x_BF[:40])
    given = torch.ones_like(table)
    given[::2, 1] = 0
    report = export_onnx(learned.served, {"table": table, "given": given}, tmp_path / "network.onnx")
    assert report.worst <= 1e-4
    runner = OnnxRunner(tmp_path / "network.onnx", device="cpu", threads=1)
    shown = runner.run({"table": table.numpy(), "given": np.ones_like(given)})["margin"]
    np.testing.assert_allclose(shown, margins_of(learned.served, rows().x_BF[:40]).mean(axis=0), atol=1e-4)
    hidden = runner.run({"table": table.numpy(), "given": given.numpy()})["margin"]
    assert np.abs(hidden - shown)[::2].max() > 0.1
    np.testing.assert_allclose(hidden[1::2], shown[1::2], atol=1e-5)


def test_numbers_beyond_single_precision_are_cut_to_it(learned: Networks) -> None:
    odd = np.asarray([[1e300, -1e300, 0.0], [np.nan, np.nan, np.nan], [0.0, 0.0, 17.0]])
    assert np.isfinite(margins_of(learned.served, odd)).all()


def test_pretrained_weights_are_where_learning_starts() -> None:
    learning = rows(200, 2)
    table = table_options(SPEC, learning.x_BF, SMALL)
    torch.manual_seed(5)
    start = make_network(table, SMALL).state_dict()
    shape = NetworkOptions(**{**vars(SMALL), "most_epochs": 1, "lr": 1e-9})
    found = fit_networks(
        learning,
        table,
        shape,
        seed=0,
        device=torch.device("cpu"),
        folder=None,
        progress=lambda share, words: None,
        start=start,
    )
    for network in found.served.networks:
        weights = network.state_dict()
        assert all(torch.allclose(weights[name], start[name], atol=1e-5) for name in start)


@pytest.mark.parametrize(("experts", "of_a_token"), [("base", 2), ("wide", 4), ("grouped", 4)])
def test_other_presets_of_experts_learn_and_export_too(experts: str, of_a_token: int, tmp_path: Path) -> None:
    shape = replace(SMALL, experts=experts, most_epochs=2)
    learning = rows(300, 2)
    table = table_options(SPEC, learning.x_BF, shape)
    found = fit_networks(
        learning,
        table,
        shape,
        seed=0,
        device=torch.device("cpu"),
        folder=None,
        progress=lambda share, words: None,
    )
    assert {len(balance.load_E) for balance in found.balance} == {shape.moe.experts}
    assert all(1 <= balance.experts_per_token <= of_a_token for balance in found.balance)
    x_BF = single(learning.x_BF[:7])
    given_BF = torch.ones_like(x_BF)
    export_onnx(found.served.eval(), {"table": x_BF, "given": given_BF}, tmp_path / "network.onnx")
    with torch.no_grad():
        expected = found.served(x_BF, given_BF)["margin"].numpy()
    runner = OnnxRunner(tmp_path / "network.onnx", device="cpu", threads=1)
    inputs = {"table": x_BF.numpy(), "given": given_BF.numpy()}
    np.testing.assert_allclose(runner.run(inputs)["margin"], expected, atol=1e-4)


def test_an_unknown_preset_of_experts_is_refused() -> None:
    with pytest.raises(InputError, match="experts must be one of tiny, base, wide, grouped, got 'many'"):
        NetworkOptions(experts="many")

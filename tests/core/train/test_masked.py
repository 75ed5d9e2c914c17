"""Masked-feature pretraining: it learns what features tell of each other, and what it learned carries over."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from core.blocks import TrunkOptions
from core.encoders.columns import TableColumn, TableOptions
from core.errors import InputError
from core.fusion.adapters import Projection
from core.model import AssayModel, ModelOptions, table_model
from core.moe.options import tiny
from core.train.loop import TrainOptions, train
from core.train.masked import MaskedFeatures

COLUMNS = (
    TableColumn(kind="number"),
    TableColumn(kind="number", special_codes=(-9.0,)),
    TableColumn(kind="category", categories=2),
    TableColumn(kind="category", categories=3, special_codes=(-7.0,)),
)


pytestmark = pytest.mark.usefixtures("one_thread")


def make(columns: tuple[TableColumn, ...] = COLUMNS) -> AssayModel:
    table = TableOptions(columns=columns, width=8, frequencies=4)
    return table_model(table, ModelOptions(trunk=TrunkOptions(width=32, depth=1, moe=tiny(32, 16)), members=2))


def correlated(rows: int) -> Tensor:
    """One hidden cause behind all four columns; some cells are missing or special."""
    generator = torch.Generator().manual_seed(0)
    cause = torch.randn(rows, generator=generator)
    noise = torch.randn(rows, 2, generator=generator) * 0.1
    third = torch.bucketize(cause, torch.tensor([-0.5, 0.5])).float()
    x = torch.stack([cause + noise[:, 0], noise[:, 1] - cause, (cause > 0).float(), third], dim=1)
    chance = torch.rand(rows, generator=generator)
    x[chance < 0.1, 0] = math.nan
    x[chance > 0.9, 1] = -9.0
    x[chance > 0.95, 3] = -7.0
    return x


def test_the_loss_falls_far_below_that_of_knowing_nothing_and_the_weights_carry_over(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = make(), correlated(1_200)
    task = MaskedFeatures(model)
    train(
        task,
        lambda epoch: x[:1_000].split(200),
        lambda module, rows: module.losses(rows),
        TrainOptions(steps=60, lr=1e-2),
        tmp_path,
    )
    shown = torch.ones(200, 4, dtype=torch.bool)
    shown[:, 1:3] = False
    with torch.no_grad():
        parts = task.losses(x[1_000:], shown).parts
    assert float(parts["number"]) < 0.1  # knowing nothing: 0.36
    assert float(parts["category"]) < 0.3  # knowing nothing: 0.69
    other = make()
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.eval()({"table": x}).member_SBR, model.eval()({"table": x}).member_SBR)


def test_only_hidden_values_that_are_no_words_count() -> None:
    torch.manual_seed(0)
    task = MaskedFeatures(make()).eval()
    x = torch.tensor([[1.0, -9.0, 1.0, -7.0], [math.nan, 0.5, math.nan, 2.0]])
    hidden = torch.zeros_like(x, dtype=torch.bool)
    parts = task.losses(x, hidden).parts
    answer = task.norm(task.model({"table": x}, {"table": hidden}).tokens.x_BTD)
    numbers, logits = answer @ task.number_Dn, (answer @ task.category_DW).reshape(2, 2, 2, 3)
    wanted = [
        functional.huber_loss(numbers[row, :, column], x[row, column].expand(2)) for row, column in ((0, 0), (1, 1))
    ]
    assert torch.allclose(parts["number"], torch.stack(wanted).mean(), atol=1e-5)
    first = functional.cross_entropy(logits[0, :, 0, :2], torch.tensor([1, 1]))
    second = functional.cross_entropy(logits[1, :, 1], torch.tensor([2, 2]))
    assert torch.allclose(parts["category"], (first + second) / 2, atol=1e-5)
    assert float(task.losses(x, ~hidden).total.detach()) == 0


@pytest.mark.parametrize("kind", ["number", "category"])
def test_tables_of_one_kind_are_learned_too(kind: str) -> None:
    kept = [at for at, column in enumerate(COLUMNS) if column.kind == kind]
    losses = MaskedFeatures(make(tuple(COLUMNS[at] for at in kept))).losses(correlated(50)[:, kept])
    losses.total.backward()
    assert float(losses.parts[kind].detach()) > 0
    assert {name: float(value.detach()) for name, value in losses.parts.items() if name != kind} == {
        name: 0.0 for name in losses.parts if name != kind
    }


def test_the_same_seed_hides_the_same() -> None:
    task = MaskedFeatures(make())
    totals = []
    for _ in range(2):
        torch.manual_seed(5)
        totals.append(float(task.losses(correlated(50)).total.detach()))
    assert totals[0] == totals[1]


def test_models_without_a_table_are_refused() -> None:
    trunk = TrunkOptions(width=8, depth=1, heads=2)
    model = AssayModel({"image": torch.nn.Identity()}, {"image": Projection(8, 8)}, ModelOptions(trunk=trunk))
    with pytest.raises(InputError, match="encoder of a table, got image"):
        MaskedFeatures(model)
    with pytest.raises(InputError, match="share must lie"):
        MaskedFeatures(make(), share=1.0)

"""The table encoder against a loop over cells, and what must hold of its tokens."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from core.encoders.columns import TableColumn, TableOptions, number_column
from core.encoders.table import CODES, FARTHEST, HIDDEN, MISSING, TableEncoder
from core.errors import InputError
from core.runtime.export import export_onnx

NAN = math.nan
COLUMNS = (
    TableColumn(kind="category", categories=3, special_codes=(-7.0,)),
    TableColumn(kind="number", mean=2.0, spread=0.5, special_codes=(-9.0, 999.0), edges=(1.0, 2.0, 4.0)),
    TableColumn(kind="number", mean=0.0, spread=1.0, edges=(-1.0, 0.0, 0.5, 3.0), scores=(-2.0, 0.0, 0.3, 2.0)),
    TableColumn(kind="category", categories=2),
)
ROWS = torch.tensor(
    [
        [0, 2.5, 0.2, 1],
        [2, -9.0, NAN, 0],
        [3, 999.0, -5.0, NAN],
        [-7, NAN, 7.0, 0.5],
        [-1, 1e9, 0.5, -1],
        [NAN, 1.0, -0.5, 2],
        [1, math.inf, -math.inf, 1],
    ]
)


def make(numbers: str = "periodic", columns: tuple[TableColumn, ...] = COLUMNS, **changes: float) -> TableEncoder:
    torch.manual_seed(0)
    return TableEncoder(TableOptions(columns=columns, width=6, numbers=numbers, frequencies=4, sigma=0.5, **changes))


def plain_score(column: TableColumn, x: float) -> float:
    if not column.scores:
        return max(-FARTHEST, min(FARTHEST, (x - column.mean) / column.spread))
    if x <= column.edges[0]:
        return column.scores[0]
    for left, right, low, high in zip(column.edges, column.edges[1:], column.scores, column.scores[1:], strict=False):
        if x <= right:
            return low + (high - low) * (x - left) / (right - left)
    return column.scores[-1]


def plain_token(encoder: TableEncoder, feature: int, x: float, given: bool = True) -> Tensor:
    """One cell, written out from the definition."""
    column, columns = COLUMNS[feature], COLUMNS
    start = sum(CODES + len(before.special_codes) + before.categories for before in columns[:feature])
    if not given:
        return encoder.vocabulary[start + HIDDEN]
    if x in column.special_codes:
        return encoder.vocabulary[start + CODES + column.special_codes.index(x)]
    if column.kind == "category":
        if math.isnan(x) or x != int(x) or not 0 <= x < column.categories:
            return encoder.vocabulary[start + MISSING]
        return encoder.vocabulary[start + CODES + len(column.special_codes) + int(x)]
    if math.isnan(x):
        return encoder.vocabulary[start + MISSING]
    at = [index for index, other in enumerate(columns) if other.kind == "number"].index(feature)
    numbers = encoder.numbers
    assert numbers is not None
    z = plain_score(column, x)
    inputs = [z]
    if numbers.piecewise:
        bins = list(zip(column.edges, column.edges[1:], strict=False))
        inputs += [max(0.0, min(1.0, (x - left) / (right - left) if abs(x) < 1e30 else x)) for left, right in bins]
        inputs += [0.0] * (numbers.weight.shape[1] - len(inputs))
    else:
        turns = [2 * math.pi * float(c) * z for c in numbers.frequency_nK[at].detach()]
        inputs += [math.sin(turn) for turn in turns] + [math.cos(turn) for turn in turns]
    return nn.functional.relu(torch.tensor(inputs) @ numbers.weight[at] + numbers.bias[at])


@pytest.mark.parametrize("numbers", ["periodic", "piecewise"])
def test_each_token_is_what_the_loop_over_cells_gives(numbers: str) -> None:
    encoder = make(numbers)
    given = torch.rand(ROWS.shape) > 0.2
    for mask in (None, given):
        tokens = encoder(ROWS, mask)
        for row in range(len(ROWS)):
            for feature in range(len(COLUMNS)):
                is_given = mask is None or bool(mask[row, feature])
                wanted = plain_token(encoder, feature, float(ROWS[row, feature]), is_given)
                assert torch.allclose(tokens.x_BTD[row, feature], wanted, atol=1e-4), (row, feature)
        assert tokens.mask_BT.all()


def test_missing_hidden_and_each_code_have_tokens_of_their_own() -> None:
    encoder = make()
    x = torch.tensor([[0, -9.0, 0, 0], [0, 999.0, 0, 0], [0, NAN, 0, 0], [0, 2.0, 0, 0]])
    words = [*encoder(x).x_BTD[:, 1], encoder(x, torch.zeros_like(x, dtype=torch.bool)).x_BTD[0, 1]]
    for at, one in enumerate(words):
        assert all(not torch.allclose(one, other) for other in words[:at])


class Served(nn.Module):
    """Both embeddings of a mixed table, and tables of one kind, as they would be exported."""

    def __init__(self) -> None:
        super().__init__()
        self.periodic, self.piecewise = make("periodic"), make("piecewise")
        self.numbers, self.categories = make(columns=COLUMNS[1:3]), make(columns=COLUMNS[3:])

    def forward(self, table: Tensor) -> dict[str, Tensor]:
        tables = {"periodic": table, "piecewise": table, "numbers": table[:, 1:3], "categories": table[:, 3:]}
        return {name: getattr(self, name)(part).x_BTD for name, part in tables.items()}


def test_it_exports_with_any_batch(tmp_path: Path) -> None:
    assert export_onnx(Served(), {"table": ROWS}, tmp_path / "table.onnx").worst < 1e-4


def test_gradients_reach_every_weight_and_stay_finite() -> None:
    for numbers in ("periodic", "piecewise"):
        encoder = make(numbers)
        encoder(ROWS).x_BTD.square().sum().backward()
        for name, parameter in encoder.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, name


def test_training_hides_the_share_that_was_asked_for_and_serving_none() -> None:
    encoder = make(drop=0.3)
    x = torch.zeros(2_000, 4)
    hidden = (encoder(x).x_BTD[:, 0] == encoder.vocabulary[HIDDEN]).all(dim=-1).float().mean()
    assert 0.25 < float(hidden) < 0.35
    encoder.eval()
    assert torch.equal(encoder(x).x_BTD[0], encoder(x).x_BTD[-1])


def test_the_same_seed_gives_the_same_encoder() -> None:
    assert torch.equal(make()(ROWS).x_BTD, make()(ROWS).x_BTD)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "category"}, "categories must be > 0"),
        ({"kind": "number", "edges": (1.0, 1.0)}, "edges must be"),
        ({"kind": "number", "edges": (1.0, 2.0), "scores": (1.0,)}, "scores must be"),
        ({"kind": "number", "spread": 0.0}, "spread > 0"),
    ],
)
def test_columns_that_cannot_be_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        TableColumn(**changes)  # type: ignore[arg-type]


def test_a_table_of_other_columns_is_refused() -> None:
    with pytest.raises(InputError, match="must have 4 columns, got 3"):
        make()(ROWS[:, :3])
    with pytest.raises(InputError, match="piecewise needs edges for every number; column 1"):
        make("piecewise", (COLUMNS[0], TableColumn(kind="number")))


def test_learned_scores_are_normal_and_keep_the_order() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4_000, generator=generator).exp() * 1e5
    column = number_column(x.numpy(), bins=48)
    encoder = TableEncoder(TableOptions(columns=(column,), width=2))
    z = encoder.standardise(x[:, None])[:, 0]
    assert abs(float(z.mean())) < 0.02
    assert abs(float(z.std()) - 1) < 0.03
    order = x.sort().indices
    assert (z[order].diff() >= 0).all()


@pytest.mark.parametrize("values", [[], [NAN], [5.0, 5.0], [-9.0, -9.0]])
def test_a_column_of_one_number_or_none_can_be_learned(values: list[float]) -> None:
    column = number_column(values, special_codes=[-9.0])
    encoder = TableEncoder(TableOptions(columns=(column,), width=2))
    assert encoder.standardise(torch.tensor([[5.0], [0.0], [NAN]])).isfinite().all()

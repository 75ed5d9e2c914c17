"""Counted operations are those that torch's own counter of products sees, and those that it does not."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.blocks import TrunkOptions
from core.cost import count_model
from core.encoders.columns import TableColumn, TableOptions
from core.encoders.series import PatchEncoder, SeriesOptions
from core.encoders.table import TableEncoder
from core.fusion.adapters import Projection, Summary
from core.model import AssayModel, ModelOptions, table_model
from core.moe.options import tiny

TABLE = TableOptions(columns=(TableColumn(kind="number"),) * 3, width=4, frequencies=3)


@pytest.mark.parametrize("heads", [0, 4])
def test_products_are_counted_as_torch_counts_them(heads: int) -> None:
    trunk = TrunkOptions(width=32, depth=3, heads=heads, hidden=24)
    model = table_model(TABLE, ModelOptions(trunk=trunk, members=5, exits=(1,))).eval()
    with FlopCounterMode(display=False) as counter:
        model({"table": torch.randn(1, 3)})
    cost = count_model(model)
    unseen = 2 * 2 * 5 * 32  # heads of the exits, which are sums of products
    unseen += 3 * 4 * 5 * 5 * 32 if heads else 0  # scores and sums of the fused attention
    assert cost.operations[-1] == counter.get_total_flops() + unseen
    assert cost.operations[0] < cost.operations[1]
    assert cost.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_experts_and_sequences_are_counted() -> None:
    trunk = TrunkOptions(width=32, depth=1, heads=4, moe=tiny(32, 16))
    series = PatchEncoder(SeriesOptions(channels=1, trunk=TrunkOptions(width=8, depth=0, heads=2), patch=4))
    adapters = {"table": Summary(3, 4, 32, 2), "series": Projection(8, 32)}
    model = AssayModel({"table": TableEncoder(TABLE), "series": series}, adapters, ModelOptions(trunk=trunk, members=2))
    each = 8 * 32 * 32 + 4 * 7 * 32 + 2 * (8 * 32 + 2 * 3 * 32 * 16)  # attention, gate, two experts
    entry = 2 * 3 * 7 * 4 + 2 * 2 * 12 * 32 + 2 * 5 * 8 * 32  # numbers, summary, projection
    assert count_model(model, tokens=5).operations == (entry + 7 * each + 2 * 2 * 32,)
    assert "M operations per row until each exit" in str(count_model(model, tokens=5))

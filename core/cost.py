"""What a model costs: its parameters, and the operations of a row up to each exit.

Products of matrices are counted, one multiplication with its addition as two operations; norms, sines and look-ups,
which grow with the width and not with its square, are not.

Legend: T tokens of the trunk, D width, H hidden width.
"""

from dataclasses import dataclass

from core.blocks import TrunkOptions
from core.encoders.table import TableEncoder
from core.fusion.adapters import Projection, Summary
from core.model import AssayModel
from core.moe.options import count


@dataclass(frozen=True, kw_only=True)
class ModelCost:
    """Of a whole model."""

    parameters: int
    operations: tuple[int, ...]  # of a row, until each exit has answered; the last of all

    def __str__(self) -> str:
        stops = ", ".join(f"{operations / 1e6:.2f}" for operations in self.operations)
        return f"{self.parameters / 1e6:.2f} M parameters, {stops} M operations per row until each exit"


def count_model(model: AssayModel, tokens: int = 0) -> ModelCost:
    """Count a model whose sequences bring so many tokens a row.

    The encoders of sequences and pictures are left out: their work depends on the length and is the same at every exit.
    """
    trunk, members = model.options.trunk, model.options.members
    entry = 0
    for name, adapter in model.adapters.items():
        encoder = model.encoders[name]
        if isinstance(encoder, TableEncoder) and encoder.numbers is not None:
            entry += 2 * encoder.numbers.weight.numel()
        if isinstance(adapter, Summary):
            entry += 2 * members * adapter.weight_PD.numel()
        elif isinstance(adapter, Projection):
            entry += 2 * tokens * adapter.linear.weight.numel()
    block = operations_of_block(trunk, members + tokens)
    head = 2 * members * trunk.width
    spent = tuple(entry + depth * block + (at + 1) * head for at, depth in enumerate(model.options.depths))
    return ModelCost(parameters=sum(parameter.numel() for parameter in model.parameters()), operations=spent)


def operations_of_block(trunk: TrunkOptions, tokens: int) -> int:
    """Return the operations of one block over a row of so many tokens, each of which sees all.

    >>> operations_of_block(TrunkOptions(width=128, depth=1, hidden=192), 8)
    1179648
    """
    width = trunk.width
    mixing = 6 * width * (trunk.hidden or 3 * width) if trunk.moe is None else count(trunk.moe).operations_per_token
    attention = 8 * width * width + 4 * tokens * width if trunk.heads else 0
    return tokens * (mixing + attention)

"""Weights beside a bundle: networks come back to the bit, with or without a history; other files are told."""

import numpy as np
import pytest
import torch

from core.encoders.columns import TableColumn, TableOptions, number_column
from core.errors import InputError
from pipelines.finance.history import History, HistoryReader
from pipelines.finance.network import FoldNets, make_network, margins_of
from pipelines.finance.network_options import NetworkOptions
from pipelines.finance.weights import pack_weights, unpack_weights

SHAPE = NetworkOptions(token=8, frequencies=4, width=32, members=2, depth=1, history_width=16)
RNG = np.random.default_rng(0)
X = np.column_stack([RNG.normal(size=(300, 6)), RNG.integers(0, 3, 300)])
X[::5, 0] = np.nan
X[::7, 1] = -9
COLUMNS = (
    *(number_column(X[:, at], special_codes=(-9.0,)) for at in range(6)),
    TableColumn(kind="category", categories=3),
)
TABLE = TableOptions(columns=COLUMNS, width=8, frequencies=4, sigma=0.1, drop=0.05)


def made(history: History | None) -> FoldNets:
    torch.manual_seed(0)
    reader = None if history is None else HistoryReader(history, TABLE)
    return FoldNets([make_network(TABLE, SHAPE, history) for _ in range(2)], reader).eval()


@pytest.mark.parametrize("history", [None, History(((1, 2, 3, 4),))], ids=["table", "history"])
def test_networks_come_back_to_the_bit(history: History | None) -> None:
    served = made(history)
    content = pack_weights(served, TABLE, SHAPE, history)
    back = unpack_weights(content)
    assert (back.table, back.shape, back.history) == (TABLE, SHAPE, history)
    assert np.array_equal(margins_of(back.served, X), margins_of(served, X))
    assert pack_weights(back.served, back.table, back.shape, back.history) == content


@pytest.mark.parametrize("content", [b"", b"\0" * 40, pack_weights(made(None), TABLE, SHAPE, None)[:-8]])
def test_what_is_no_such_file_is_told(content: bytes) -> None:
    with pytest.raises(InputError, match=r"weights\.safetensors is not what this version writes"):
        unpack_weights(content)

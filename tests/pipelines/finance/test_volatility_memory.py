"""What a bundle keeps to learn on comes back as it was."""

import numpy as np
import pytest
import torch

from core.errors import InputError
from pipelines.finance.volatility_days import SeriesColumns, read_days
from pipelines.finance.volatility_memory import Knowledge, pack, sensitivity, unpack
from pipelines.finance.volatility_net import VolatilityNet, VolatilityOptions
from tests.pipelines.finance.series_samples import market, one_thread

one_thread = pytest.fixture(autouse=True)(one_thread)
DAYS = read_days(market(200), SeriesColumns(time="date", close="close"))
OPTIONS = VolatilityOptions(width=16, members=2)


def knowledge() -> Knowledge:
    torch.manual_seed(0)
    net = VolatilityNet(OPTIONS).eval()
    return Knowledge(net=net, options=OPTIONS, fisher=sensitivity(net, DAYS, np.arange(64, 199)))


def test_what_is_packed_comes_back_bit_for_bit() -> None:
    before = knowledge()
    after = unpack(pack(before))
    assert after.options == OPTIONS
    assert all(torch.equal(after.net.state_dict()[name], value) for name, value in before.net.state_dict().items())
    assert before.fisher.keys() == after.fisher.keys() == dict(before.net.named_parameters()).keys()
    assert all(torch.equal(after.fisher[name], value) for name, value in before.fisher.items())


@pytest.mark.parametrize("content", [b"", b"no tensors", pack(knowledge())[:-40]])
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"learning\.safetensors of the bundle cannot be read"):
        unpack(content)

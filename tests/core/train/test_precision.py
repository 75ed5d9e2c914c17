"""Precision: what was asked for, or what the hardware is good at."""

import pytest
import torch

from core.errors import InputError
from core.train.precision import autocast, has_amx, resolve_precision

CPU = torch.device("cpu")


def test_what_is_asked_for_is_taken() -> None:
    assert resolve_precision("fp32", CPU) == "fp32"
    assert resolve_precision("bf16", CPU) == "bf16"


def test_auto_is_bfloat16_where_the_processor_has_tiles_for_it() -> None:
    assert resolve_precision("auto", CPU) == ("bf16" if has_amx() else "fp32")


def test_other_words_are_refused() -> None:
    with pytest.raises(InputError, match="precision must be auto, fp32 or bf16, got 'fp8'"):
        resolve_precision("fp8", CPU)


def test_autocast_multiplies_in_bfloat16_and_keeps_float32_weights() -> None:
    layer = torch.nn.Linear(4, 4)
    with autocast("bf16", CPU):
        assert layer(torch.randn(2, 4)).dtype == torch.bfloat16
    with autocast("fp32", CPU):
        assert layer(torch.randn(2, 4)).dtype == torch.float32
    assert layer.weight.dtype == torch.float32

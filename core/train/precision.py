"""Which numbers a training step computes in: float32, or bfloat16 by autocast with float32 weights."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from core.errors import InputError

Precision = Literal["auto", "fp32", "bf16"]


def resolve_precision(precision: str, device: torch.device) -> Literal["fp32", "bf16"]:
    """Return what `auto` means on this device: bf16 where the hardware multiplies it natively, else fp32."""
    if precision == "fp32":
        return "fp32"
    if precision == "bf16":
        return "bf16"
    if precision != "auto":
        raise InputError(f"precision must be auto, fp32 or bf16, got {precision!r}", code="BAD_OPTION")
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if device.type == "cpu" and has_amx() else "fp32"


def has_amx() -> bool:
    """Tell whether this processor has AMX tiles, which multiply bfloat16 several times faster than float32."""
    return bool(torch.cpu.get_capabilities().get("amx_tile", False))


def autocast(precision: Literal["fp32", "bf16"], device: torch.device) -> AbstractContextManager[object]:
    """Return the context that a forward pass runs in."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device_type=device.type, dtype=torch.bfloat16)

"""Checkpoints: one safetensors file each, named by step and SHA-256, so that a torn or changed file shows.

A file is written beside, synced and renamed; the one before it stays until then. There is no pickle anywhere.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from core.errors import AssayError, InputError

KEPT = 2  # the newest, and one to fall back to
_NAME = re.compile(r"step-(\d{9})\.([0-9a-f]{64})\.safetensors")
_DRAFT = ".draft.safetensors"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A state of training: tensors by name, the rest as plain JSON. `damaged` names newer files that were skipped."""

    step: int
    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]
    damaged: tuple[str, ...] = ()


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint whole or not at all, then drop all but the newest two."""
    draft = folder / _DRAFT
    state = json.dumps(dict(checkpoint.state), sort_keys=True, allow_nan=False)
    save_file(_apart(checkpoint.tensors), draft, metadata={"state": state})
    with draft.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    path = folder / f"step-{checkpoint.step:09d}.{digest}.safetensors"
    draft.replace(path)
    _sync(folder)
    for old in [other for other in list_checkpoints(folder) if other != path][KEPT - 1 :]:
        old.unlink()
    return path


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the newest checkpoint that is whole, None where the folder has none yet.

    InputError: there are some, and every one is damaged.
    """
    paths = list_checkpoints(folder)
    damaged: list[str] = []
    for path in paths:
        if _is_whole(path):
            return _read(path, tuple(damaged))
        damaged.append(path.name)
    if damaged:
        words = f"every checkpoint in {folder} is damaged ({', '.join(damaged)})"
        raise InputError(f"{words}; remove the folder and train from the start", code="BAD_CHECKPOINT")
    return None


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoint files of a folder, newest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: (path.name.split(".")[0], path.stat().st_mtime_ns), reverse=True)


@contextmanager
def sole_owner(folder: Path) -> Iterator[None]:
    """Hold a folder for one run; a second run in it is AssayError. The hold ends with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AssayError(f"another run is training in {folder}; wait for it, or give another folder") from error
        yield


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's memory as tensors named `<parameter number>.<slot>`."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{slot}": torch.as_tensor(value) for number, slots in state.items() for slot, value in slots.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimizer its memory back; its groups and rates stay as they are."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, slot = name.split(".", 1)
        state.setdefault(int(number), {})[slot] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _is_whole(path: Path) -> bool:
    match = _NAME.fullmatch(path.name)
    with path.open("rb") as file:
        return match is not None and hashlib.file_digest(file, "sha256").hexdigest() == match[2]


def _read(path: Path, damaged: tuple[str, ...]) -> Checkpoint:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        state = json.loads(file.metadata()["state"])
    return Checkpoint(step=int(path.name[5:14]), tensors=tensors, state=state, damaged=damaged)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors that share no memory, as the format wants: tied weights are written twice."""
    seen: set[int] = set()
    apart: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().contiguous()
        address = plain.untyped_storage().data_ptr()
        apart[name] = plain.clone() if address in seen else plain
        seen.add(address)
    return apart


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)

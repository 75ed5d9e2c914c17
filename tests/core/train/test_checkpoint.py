"""Checkpoints: what is saved comes back bit for bit, and what is torn is not taken for whole."""

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from core.errors import AssayError, InputError
from core.train import checkpoint as module
from core.train.checkpoint import (
    Checkpoint,
    list_checkpoints,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
    sole_owner,
)


def save(folder: Path, step: int, **tensors: torch.Tensor) -> Path:
    return save_checkpoint(
        folder, Checkpoint(step=step, tensors=tensors or {"w": torch.full((3,), float(step))}, state={"s": step})
    )


def test_tensors_of_every_kind_come_back_bit_for_bit(tmp_path: Path) -> None:
    tensors = {
        "float": torch.randn(3, 4),
        "half": torch.randn(5).bfloat16(),
        "count": torch.tensor(7),
        "flag": torch.tensor([True, False]),
        "odd": torch.tensor([float("nan"), float("inf"), -0.0]),
        "turned": torch.randn(4, 3).t(),
        "empty": torch.zeros(0, 3),
    }
    save(tmp_path, 5, **tensors)
    again = load_checkpoint(tmp_path)
    assert again is not None
    assert again.step == 5
    assert again.state == {"s": 5}
    for name, tensor in tensors.items():
        came = again.tensors[name]
        assert came.dtype == tensor.dtype
        assert came.shape == tensor.shape
        assert (
            torch.equal(came.nan_to_num(), tensor.nan_to_num())
            if came.is_floating_point()
            else torch.equal(came, tensor)
        )


def test_tied_weights_are_saved_twice_and_come_back(tmp_path: Path) -> None:
    tied = torch.randn(4, 4)
    save(tmp_path, 1, one=tied, other=tied, part=tied[1:3])
    again = load_checkpoint(tmp_path)
    assert again is not None
    assert torch.equal(again.tensors["one"], again.tensors["other"])
    assert torch.equal(again.tensors["part"], tied[1:3])


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10, 9_999):
        save(tmp_path, step)
    assert [path.name[:14] for path in list_checkpoints(tmp_path)] == ["step-000009999", "step-000000010"]
    assert len(list(tmp_path.iterdir())) == 2


def test_an_empty_or_absent_folder_has_no_checkpoint(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None
    assert load_checkpoint(tmp_path / "none") is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_file_is_passed_over_and_named(tmp_path: Path, damage: str) -> None:
    save(tmp_path, 1)
    newest = save(tmp_path, 2)
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes({"cut": content[:-7], "flipped": bytes(content), "emptied": b""}[damage])
    again = load_checkpoint(tmp_path)
    assert again is not None
    assert again.step == 1
    assert again.damaged == (newest.name,)


def test_only_damaged_files_are_an_error_with_a_way_out(tmp_path: Path) -> None:
    save(tmp_path, 1).write_bytes(b"x")
    with pytest.raises(InputError, match=r"every checkpoint .* is damaged .*; remove the folder"):
        load_checkpoint(tmp_path)


def test_a_write_that_fails_keeps_the_last_good_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1)

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            save(tmp_path, 2)
    again = load_checkpoint(tmp_path)
    assert again is not None
    assert again.step == 1
    save(tmp_path, 3)
    assert not (tmp_path / module._DRAFT).exists()


def test_numbers_that_json_has_no_word_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_checkpoint(tmp_path, Checkpoint(step=1, tensors={"w": torch.ones(1)}, state={"loss": float("nan")}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop])
def test_an_optimizer_goes_on_as_if_nothing_had_happened(kind: type[torch.optim.Optimizer]) -> None:
    def run(split: bool) -> torch.Tensor:
        torch.manual_seed(0)
        net = nn.Linear(3, 2)
        options = {"lr": 0.1} | ({"momentum": 0.9} if kind is torch.optim.SGD else {})
        optimizer = kind(net.parameters(), **options)  # type: ignore[arg-type]
        for step in range(6):
            if split and step == 3:
                saved = {name: tensor.clone() for name, tensor in optimizer_tensors(optimizer).items()}
                optimizer = kind(net.parameters(), **options)  # type: ignore[arg-type]
                restore_optimizer(optimizer, saved)
            optimizer.zero_grad()
            net(torch.full((1, 3), float(step + 1))).square().sum().backward()
            optimizer.step()
        return net.weight.detach()

    assert torch.equal(run(split=False), run(split=True))


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with sole_owner(tmp_path), pytest.raises(AssayError, match="another run is training in"), sole_owner(tmp_path):
        pass
    with sole_owner(tmp_path):
        pass

"""The canary dies in place of the process that imports a model."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import InputError
from core.runtime import canary
from core.runtime.canary import check_in_canary

Copy = Callable[[str], Path]


def replace_trees(folder: Path, content: bytes) -> None:
    """Change the model and make the manifest fit again, as an attacker would."""
    (folder / "trees.txt").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"]["trees.txt"] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("kind", ["trees", "net"])
def test_a_sound_bundle_passes(written: dict[str, Path], kind: str) -> None:
    check_in_canary(written[kind])


@pytest.mark.parametrize("damage", ["half", "inserted", "emptied"])
def test_a_bundle_that_would_abort_the_process_is_refused(copy_of: Copy, damage: str) -> None:
    folder = copy_of("trees")
    text = (folder / "trees.txt").read_bytes()
    middle = len(text) // 2
    replace_trees(
        folder, {"half": text[:middle], "inserted": text[:middle] + b"7" + text[middle:], "emptied": b""}[damage]
    )
    with pytest.raises(InputError, match=r"bundle|trees"):
        check_in_canary(folder)


def test_what_the_canary_can_name_is_told(copy_of: Copy) -> None:
    folder = copy_of("trees")
    (folder / "more").write_text("x")
    with pytest.raises(InputError, match="file 'more' does not belong to it"):
        check_in_canary(folder)


def test_a_bundle_that_takes_too_long_is_refused(written: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=r"did not load within 0\.01 s"):
        check_in_canary(written["net"], timeout_s=0.01)


def test_a_process_that_is_killed_is_told_apart(
    written: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -6 $$\n")
    dying.chmod(0o755)
    monkeypatch.setattr(canary.sys, "executable", str(dying))
    with pytest.raises(InputError, match=r"ended the process that loaded it .*exit code -6"):
        check_in_canary(written["trees"])

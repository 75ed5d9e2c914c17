"""Files beside the parts of a bundle: checked like all others, read by no runner, and no way to another folder."""

from collections.abc import Callable

import pytest

from core.errors import InputError
from core.runtime.bundle import Bundle, open_bundle

Build = Callable[..., Bundle]


def test_a_file_beside_the_parts_is_kept_and_is_no_part(build: Build) -> None:
    bundle = open_bundle(build(beside={"weights.safetensors": b"numbers"}).folder)
    assert (bundle.folder / "weights.safetensors").read_bytes() == b"numbers"
    assert bundle.manifest.files["weights.safetensors"].bytes == 7
    assert set(bundle.manifest.parts) == {"net"}


def test_a_changed_byte_in_it_is_refused(build: Build) -> None:
    folder = build(beside={"weights.safetensors": b"numbers"}).folder
    (folder / "weights.safetensors").write_bytes(b"numberz")
    with pytest.raises(InputError, match="SHA-256"):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["../weights", "net.onnx", "manifest.json", "signature.json", ""])
def test_it_may_not_leave_the_folder_nor_take_another_s_name(build: Build, name: str) -> None:
    with pytest.raises(ValueError, match="a file's name is made of letters"):
        build(beside={name: b"x"})

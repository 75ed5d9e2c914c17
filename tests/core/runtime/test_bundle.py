"""Bundles: whole or not at all when written, and no byte of a damaged one is parsed."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError, NotFoundError
from core.runtime.bundle import Bundle, Golden, open_bundle
from core.runtime.manifest import MAX_MANIFEST_BYTES, canonical_json, parse_manifest, strict_json

Copy = Callable[[str], Path]
Build = Callable[..., Bundle]


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_what_is_written_is_read_back(build: Build) -> None:
    bundle = build(
        spec={"columns": ["客户"]},
        decision={"approve_below": np.float64(0.25)},
        metrics={"counts": np.arange(3)},
        calibration={"kind": "x"},
        golden=Golden(inputs={"table": [[1.0, float("nan")]]}, outputs={"margin": [0.5]}, tolerance=1e-3),
    )
    again = open_bundle(bundle.folder)
    assert again == bundle
    assert again.manifest.decision == {"approve_below": 0.25}
    assert again.manifest.metrics == {"counts": [0, 1, 2]}
    assert again.path("net").name == "net.onnx"
    assert again.manifest_sha256 == hashlib.sha256((bundle.folder / "manifest.json").read_bytes()).hexdigest()
    golden = again.golden()
    assert golden is not None
    assert np.array_equal(np.asarray(golden.inputs["table"]), [[1.0, np.nan]], equal_nan=True)
    assert golden.tolerance == 1e-3


def test_the_same_content_gives_the_same_bytes(build: Build) -> None:
    one, two = build("one", spec={"a": 1, "b": 2}), build("two", spec={"b": 2, "a": 1})
    assert one.manifest_sha256 == two.manifest_sha256


def test_a_part_may_come_from_a_file(build: Build, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"tree\n")
    bundle = build(parts={"trees": ("lightgbm", tmp_path / "model")})
    assert bundle.path("trees").read_bytes() == b"tree\n"


def test_a_part_that_is_not_there_is_named(build: Build) -> None:
    with pytest.raises(NotFoundError, match="has no part 'trees'; it has net"):
        build().path("trees")


def test_a_folder_with_files_is_not_overwritten(build: Build, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is not empty"):
        build()
    assert (tmp_path / "bundle" / "notes.txt").read_text() == "mine"


def test_a_failed_write_leaves_nothing(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        build()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float32("nan"), np.array([1.0, np.nan])])
def test_numbers_that_json_has_no_word_for_are_refused_when_written(build: Build, tmp_path: Path, bad: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        build(metrics={"auc": bad})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../trees", "a/b", "", ".hidden", "x" * 200, "名"])
def test_a_part_name_that_is_no_plain_name_is_refused_when_written(build: Build, name: str) -> None:
    with pytest.raises(ValueError, match="a part's name is made of"):
        build(parts={name: ("onnx", b"x")})


@pytest.mark.parametrize("kind", ["trees", "net"])
def test_one_changed_byte_in_any_file_is_refused(copy_of: Copy, kind: str) -> None:
    folder = copy_of(kind)
    for name in [path.name for path in folder.iterdir()]:
        content = (folder / name).read_bytes()
        for position in {0, len(content) // 3, len(content) // 2, len(content) - 1}:
            changed = bytearray(content)
            changed[position] ^= 1
            (folder / name).write_bytes(changed)
            if name == "manifest.json":
                assert changed_manifest_shows(folder, content)
            else:
                with pytest.raises(InputError, match=f"file {name} does not match its SHA-256; restore"):
                    open_bundle(folder)
        (folder / name).write_bytes(content)
    open_bundle(folder)


def changed_manifest_shows(folder: Path, content: bytes) -> bool:
    """A changed word that is still a sound manifest opens, unsigned, under another hash; a signature would catch it."""
    try:
        return open_bundle(folder).manifest_sha256 != hashlib.sha256(content).hexdigest()
    except InputError:
        return True


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_changed_manifest_opens_as_the_same_bundle(written: dict[str, Path], data: st.DataObject) -> None:
    content = (written["trees"] / "manifest.json").read_bytes()
    position = data.draw(st.integers(0, len(content) - 1))
    changed = content[:position] + bytes([data.draw(st.integers(0, 255))]) + content[position + 1 :]
    try:
        manifest = parse_manifest(changed)
    except InputError:
        return
    assert changed == content or hashlib.sha256(changed).digest() != hashlib.sha256(content).digest()
    for file, entry in manifest.files.items():
        assert "/" not in file
        assert entry.bytes >= 0


@pytest.mark.parametrize("kind", ["trees", "net"])
def test_a_missing_file_is_named(copy_of: Copy, kind: str) -> None:
    folder = copy_of(kind)
    for path in list(folder.iterdir()):
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(InputError, match=f"file {path.name} is missing; restore it from a copy or retrain"):
            open_bundle(folder)
        path.write_bytes(content)


def test_a_file_too_many_is_named(copy_of: Copy) -> None:
    folder = copy_of("trees")
    (folder / "payload.pkl").write_bytes(b"x")
    with pytest.raises(InputError, match=r"file 'payload\.pkl' does not belong to it"):
        open_bundle(folder)


def test_a_folder_inside_is_refused(copy_of: Copy) -> None:
    folder = copy_of("trees")
    (folder / "more").mkdir()
    with pytest.raises(InputError, match="'more' does not belong"):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["trees.txt", "golden.safetensors", "manifest.json"])
def test_a_link_is_refused_even_to_the_right_bytes(copy_of: Copy, tmp_path: Path, name: str) -> None:
    folder = copy_of("trees")
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=f"{name} is a link or a folder"):
        open_bundle(folder)


@pytest.mark.parametrize(
    "name", ["../secret.txt", "/etc/passwd", "a/b.txt", "..", ".hidden", "a\\b", "a\x00", "manifest.json"]
)
def test_file_names_that_leave_the_folder_are_refused(copy_of: Copy, name: str) -> None:
    folder = copy_of("trees")
    (folder.parent / "secret.txt").write_text("secret")
    entry = {"sha256": hashlib.sha256(b"secret").hexdigest(), "bytes": 6}
    rewrite(folder, lambda manifest: manifest["files"].update({name: entry}))
    with pytest.raises(InputError, match="a file name"):
        open_bundle(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": NaN}', "NaN is not allowed"),
        ('{"format": -Infinity}', "-Infinity is not allowed"),
        ('{"format": 1e999}', "too large"),
        ('{"format": 1, "format": 1}', "holds a key twice"),
        ("[" * 100_000, "no valid JSON"),
        ('{"a":' * 100_000, "no valid JSON"),
        ("[1]", "must be one JSON object, got list"),
        ('{"format": ' + "9" * 5000 + "}", "no valid JSON"),
        ("", "no valid JSON"),
        ("\xff", "no valid JSON"),
        ("{}", "must hold format, got None"),
        ('{"format": true}', "must hold format, got True"),
        ('{"format": 1}', "must hold the entries"),
    ],
)
def test_a_manifest_that_is_odd_json_is_refused(copy_of: Copy, text: str, words: str) -> None:
    folder = copy_of("trees")
    (folder / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=words) as caught:
        open_bundle(folder)
    assert len(str(caught.value)) < 600


def test_a_newer_format_says_that_assay_must_be_updated(copy_of: Copy) -> None:
    folder = copy_of("trees")
    rewrite(folder, lambda manifest: manifest.update(format=3, wonder="new"))
    with pytest.raises(InputError, match=r"has format 3, .* reads up to format 2; update Assay") as caught:
        open_bundle(folder)
    assert caught.value.code == "NEWER_FORMAT"


def test_a_huge_manifest_is_refused_by_its_size(copy_of: Copy) -> None:
    folder = copy_of("trees")
    with (folder / "manifest.json").open("wb") as file:
        file.truncate(MAX_MANIFEST_BYTES + 1)
    with pytest.raises(InputError, match="at most 8388608 are allowed"):
        open_bundle(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.update(parts={}), "at least one part"),
        (lambda m: m.update(parts=[]), "parts as an object"),
        (lambda m: m.update(extra=1), "the entries"),
        (lambda m: m["parts"]["trees"].update(kind="pickle"), "a part's kind"),
        (lambda m: m["parts"]["trees"].update(file="golden.txt"), "the list of files holds"),
        (lambda m: m["parts"]["trees"].update(more=1), "an object of file, kind"),
        (lambda m: m["files"]["trees.txt"].update(sha256="x"), "must hold sha256"),
        (lambda m: m["files"]["trees.txt"].update(bytes=-1), "must hold bytes"),
        (lambda m: m["files"]["trees.txt"].update(bytes=True), "must hold bytes"),
        (lambda m: m["golden"].update(tolerance=-1), "golden tolerance"),
        (lambda m: m["golden"].update(file="../x"), "the list of files holds"),
        (lambda m: m.update(name=3), "name as text"),
        (lambda m: m.update(calibration=[]), "calibration"),
    ],
)
def test_a_manifest_with_a_wrong_entry_says_which(
    copy_of: Copy, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    folder = copy_of("trees")
    rewrite(folder, change)
    with pytest.raises(InputError, match=words) as caught:
        open_bundle(folder)
    assert caught.value.code == "BAD_BUNDLE"


def test_a_folder_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="is not there"):
        open_bundle(tmp_path / "none")


def test_verify_notices_what_changed_after_opening(copy_of: Copy) -> None:
    folder = copy_of("trees")
    bundle = open_bundle(folder)
    bundle.verify()
    rewrite(folder, lambda manifest: manifest.update(name="other"))
    with pytest.raises(InputError, match="was changed after it was opened"):
        bundle.verify()


def test_golden_vectors_that_are_no_safetensors_are_refused(copy_of: Copy) -> None:
    folder = copy_of("trees")
    (folder / "golden.safetensors").write_bytes(b"\x80\x04pickle")
    entry = {"sha256": hashlib.sha256(b"\x80\x04pickle").hexdigest(), "bytes": 8}
    rewrite(folder, lambda manifest: manifest["files"].update({"golden.safetensors": entry}))
    with pytest.raises(InputError, match=r"golden\.safetensors cannot be read"):
        open_bundle(folder).golden()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_canonical_json_comes_back_unchanged_and_has_one_spelling(value: dict[str, Any]) -> None:
    content = canonical_json(value)
    again = strict_json(content, "it")
    assert again == value
    assert canonical_json(again) == content

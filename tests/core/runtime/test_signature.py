"""Signatures: a model is known by the key that signed it, and a changed or re-signed one is not let in by accident."""

import json
import multiprocessing
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from core.errors import AssayError, InputError
from core.runtime.bundle import Bundle, open_bundle, sign_bundle
from core.runtime.signature import KEY_FILE, SigningKey, known_keys, local_key, sign, signer

Build = Callable[..., Bundle]


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return local_key(tmp_path / "keys")


@pytest.fixture
def stranger(tmp_path: Path) -> SigningKey:
    return local_key(tmp_path / "strange")


def test_the_local_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "keys"
    key = local_key(folder)
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert local_key(folder).public == key.public
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]
    assert key.public in repr(key)


def test_a_key_that_others_may_read_is_refused_with_the_way_out(tmp_path: Path, key: SigningKey) -> None:
    (tmp_path / "keys" / KEY_FILE).chmod(0o640)
    with pytest.raises(AssayError, match=r"can be read by others \(mode 0640\); run: chmod 600"):
        local_key(tmp_path / "keys")


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_key_is_one_clear_line(tmp_path: Path, key: SigningKey, content: bytes) -> None:
    (tmp_path / "keys" / KEY_FILE).write_bytes(content)
    with pytest.raises(AssayError, match="holds no private key in PEM; restore it"):
        local_key(tmp_path / "keys")


def test_a_key_of_another_kind_is_refused(tmp_path: Path, key: SigningKey) -> None:
    pem = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "keys" / KEY_FILE).write_bytes(pem)
    with pytest.raises(AssayError, match="must hold an Ed25519 key"):
        local_key(tmp_path / "keys")


def _public(folder: Path) -> str:
    return local_key(folder).public


def test_processes_that_make_the_key_at_once_agree_on_it(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        keys = pool.map(_public, [tmp_path / "keys"] * 8)
    assert len(set(keys)) == 1


def test_known_keys_are_ones_own_and_those_laid_beside_it(
    tmp_path: Path, key: SigningKey, stranger: SigningKey
) -> None:
    assert known_keys(tmp_path / "none") == frozenset()
    assert known_keys(tmp_path / "keys") == {key.public}
    (tmp_path / "keys" / "partner.pub").write_text(stranger.public + "\n")
    assert known_keys(tmp_path / "keys") == {key.public, stranger.public}
    (tmp_path / "keys" / "broken.pub").write_text("abc")
    with pytest.raises(AssayError, match=r"broken\.pub must hold one public Ed25519 key"):
        known_keys(tmp_path / "keys")


def test_a_bundle_signed_when_written_is_trusted_by_those_who_know_the_key(build: Build, key: SigningKey) -> None:
    folder = build(key=key).folder
    bundle = open_bundle(folder, known_keys={key.public})
    assert bundle.signed_by == key.public
    assert bundle.trusted
    assert not open_bundle(folder).trusted


def test_a_bundle_can_be_signed_later(build: Build, key: SigningKey) -> None:
    before = build()
    assert before.signed_by is None
    after = sign_bundle(before, key)
    assert after.trusted
    assert after.manifest_sha256 == before.manifest_sha256
    assert [path.name for path in before.folder.parent.iterdir() if path.name.startswith(".")] == []


def test_an_unsigned_bundle_is_refused_unless_trusted(build: Build, key: SigningKey) -> None:
    folder = build().folder
    with pytest.raises(InputError, match="is not signed; import it with --trust") as caught:
        open_bundle(folder, known_keys={key.public})
    assert caught.value.code == "UNTRUSTED_BUNDLE"
    bundle = open_bundle(folder, known_keys={key.public}, trust=True)
    assert not bundle.trusted


def test_a_bundle_signed_anew_by_a_stranger_is_refused_unless_trusted(
    build: Build, key: SigningKey, stranger: SigningKey
) -> None:
    folder = sign_bundle(build(key=key), stranger).folder
    with pytest.raises(InputError, match=rf"signed by a key that is not known here \({stranger.public}\)"):
        open_bundle(folder, known_keys={key.public})
    assert open_bundle(folder, known_keys={key.public}, trust=True).signed_by == stranger.public
    assert open_bundle(folder, known_keys={key.public, stranger.public}).trusted


@pytest.mark.parametrize("trust", [False, True])
def test_a_signature_that_does_not_fit_is_refused_even_when_trusted(build: Build, key: SigningKey, trust: bool) -> None:
    folder = build(key=key).folder
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["decision"] = {"approve_below": 1}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="does not fit") as caught:
        open_bundle(folder, known_keys={key.public}, trust=trust)
    assert caught.value.code == "BAD_SIGNATURE"


@pytest.mark.parametrize(
    "change",
    [
        {"algorithm": "none"},
        {"public_key": "00" * 32},
        {"public_key": "zz"},
        {"public_key": 3},
        {"signature": ""},
        {"signature": "00" * 64},
    ],
)
def test_an_odd_signature_file_is_refused(key: SigningKey, change: dict[str, object]) -> None:
    signature = json.loads(sign(b"manifest", key)) | change
    with pytest.raises(InputError) as caught:
        signer(b"manifest", json.dumps(signature).encode())
    assert caught.value.code == "BAD_SIGNATURE"


def test_a_signature_that_is_too_long_or_a_link_is_refused(build: Build, key: SigningKey, tmp_path: Path) -> None:
    folder = build(key=key).folder
    (folder / "signature.json").write_bytes(b" " * 5000)
    with pytest.raises(InputError, match="at most 4096 are allowed"):
        open_bundle(folder)
    (folder / "signature.json").unlink()
    (folder / "signature.json").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is a link"):
        open_bundle(folder)


def test_what_was_signed_for_another_purpose_is_no_signature_of_a_bundle(key: SigningKey) -> None:
    other = key.private.sign(b"manifest").hex()
    forged = {"algorithm": "ed25519", "public_key": key.public, "signature": other}
    with pytest.raises(InputError, match="does not fit"):
        signer(b"manifest", json.dumps(forged).encode())

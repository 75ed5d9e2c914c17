"""Ed25519 signatures of bundles (RFC 8032): who made this model, and which keys are known here.

A signature covers the manifest, and the manifest covers every other file by SHA-256.
Keys live in one folder: `signing_key.pem` (mode 0600, made at the first training) and any number of `NAME.pub`,
one line each, the public key in hex. A key is known when its public half lies there.
"""

import contextlib
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from core.errors import AssayError, InputError
from core.runtime.manifest import MANIFEST, SIGNATURE, canonical_json, strict_json

KEY_FILE = "signing_key.pem"
_DOMAIN = b"assay bundle manifest 1\n"  # a signature made for anything else is no signature of a bundle


@dataclass(frozen=True)
class SigningKey:
    """A private key; `public` is its public half in hex."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> str:
        return self.private.public_key().public_bytes_raw().hex()

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public!r})"


def local_key(folder: Path) -> SigningKey:
    """Return the key of this installation, made on first use; a key that others may read is refused (AssayError)."""
    path = folder / KEY_FILE
    if not path.exists():
        _make_key(path)
    if not path.is_file():
        raise AssayError(f"{path} is no file; move it away and a new key is made", code="BAD_KEY")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        words = f"{path} can be read by others (mode {mode:04o}); run: chmod 600 {path}"
        raise AssayError(words, code="KEY_MODE")
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        words = f"{path} holds no private key in PEM; restore it, or move it away and a new key is made"
        raise AssayError(words, code="BAD_KEY") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise AssayError(f"{path} must hold an Ed25519 key; move it away and a new key is made", code="BAD_KEY")
    return SigningKey(private)


def known_keys(folder: Path) -> frozenset[str]:
    """Return the public keys (hex) that this installation trusts: its own, and those in `folder`/*.pub."""
    keys = {local_key(folder).public} if (folder / KEY_FILE).exists() else set()
    for path in sorted(folder.glob("*.pub")):
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        if not re.fullmatch(r"[0-9a-f]{64}", text):
            words = f"{path} must hold one public Ed25519 key: 64 hexadecimal digits in lower case"
            raise AssayError(words, code="BAD_KEY")
        keys.add(text)
    return frozenset(keys)


def sign(manifest: bytes, key: SigningKey) -> bytes:
    """Return the content of signature.json for a manifest."""
    signature = key.private.sign(_DOMAIN + manifest)
    return canonical_json({"algorithm": "ed25519", "public_key": key.public, "signature": signature.hex()})


def signer(manifest: bytes, signature: bytes) -> str:
    """Return the public key (hex) that signed the manifest. A signature that does not fit is InputError."""
    raw = strict_json(signature, SIGNATURE)
    public, signed = raw.get("public_key"), raw.get("signature")
    if raw.get("algorithm") != "ed25519" or not isinstance(public, str) or not isinstance(signed, str):
        raise InputError(f"{SIGNATURE} must hold algorithm ed25519, public_key and signature", code="BAD_SIGNATURE")
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signed), _DOMAIN + manifest)
    except (InvalidSignature, ValueError) as error:
        words = f"{SIGNATURE} does not fit {MANIFEST}: one of the two was changed; restore the bundle or retrain"
        raise InputError(words, code="BAD_SIGNATURE") from error
    return public.lower()


def _make_key(path: Path) -> None:
    """Write a new private key so that of two processes one wins and the other reads the winner's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first; its key is the key
            os.link(draft, path)
    finally:
        draft.unlink()

"""A bundle: the folder that is a trained model. All its files are checked before any of them is parsed.

    manifest.json       what is here: SHA-256 and size of each file, spec, decision, calibration, metrics, origin
    signature.json      Ed25519 over the manifest (optional)
    golden.safetensors  inputs and the outputs they must give (optional)
    <part>.txt, .onnx   the model itself
    others              files that no runner reads, such as weights from which an update goes on (optional)

Why so strict: LightGBM aborts the whole process on a damaged text file, or loads it silently with other scores.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from core.batch import Array
from core.errors import InputError, NotFoundError
from core.runtime.cascade import Combination
from core.runtime.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    MAX_SIGNATURE_BYTES,
    PART_FILES,
    SIGNATURE,
    FileEntry,
    GoldenFile,
    Manifest,
    Part,
    PartKind,
    canonical_json,
    file_entry,
    is_plain_name,
    parse_manifest,
)
from core.runtime.signature import SigningKey, sign, signer

GOLDEN = "golden.safetensors"


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Inputs by modality and the outputs that the model gave for them when it was made.

    Outputs are runner outputs by name ("margin", "defect_map", ...) or "probability", the calibrated one. An answer
    passes within `tolerance`, relative and absolute at once.
    """

    inputs: Mapping[str, ArrayLike]
    outputs: Mapping[str, ArrayLike]
    tolerance: float = 1e-6

    def arrays(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return inputs and outputs as arrays."""
        inputs = {name: np.asarray(value) for name, value in self.inputs.items()}
        return inputs, {name: np.asarray(value) for name, value in self.outputs.items()}


@dataclass(frozen=True)
class Bundle:
    """A checked bundle. `signed_by` is the public key (hex) of its maker; `trusted` says that the key is known here."""

    folder: Path
    manifest: Manifest
    manifest_sha256: str
    signed_by: str | None
    trusted: bool

    def path(self, part: str) -> Path:
        """Return the file of a part."""
        if part not in self.manifest.parts:
            have = ", ".join(self.manifest.parts)
            raise NotFoundError(f"bundle {self.folder} has no part {part!r}; it has {have}")
        return self.folder / self.manifest.parts[part].file

    def golden(self) -> Golden | None:
        """Read the golden vectors, if the bundle has any."""
        if self.manifest.golden is None:
            return None
        try:
            arrays = load_arrays((self.folder / self.manifest.golden.file).read_bytes())
        except SafetensorError as error:
            raise _fault(self.folder, f"file {self.manifest.golden.file} cannot be read: {error}") from error
        named = {side: _with_prefix(arrays, side + ".") for side in ("inputs", "outputs")}
        return Golden(**named, tolerance=self.manifest.golden.tolerance)

    def verify(self) -> None:
        """Check every file against the manifest once more. InputError says which file is wrong and what to do."""
        manifest = _read_capped(self.folder, MANIFEST, MAX_MANIFEST_BYTES)
        if hashlib.sha256(manifest).hexdigest() != self.manifest_sha256:
            raise _fault(self.folder, f"{MANIFEST} was changed after it was opened")
        _check_files(self.folder, self.manifest)


def write_bundle(
    folder: Path,
    *,
    kind: str,
    name: str,
    parts: Mapping[str, tuple[PartKind, bytes | Path]],
    spec: Mapping[str, Any],
    decision: Mapping[str, Any],
    calibration: Mapping[str, Any] | None,
    metrics: Mapping[str, Any],
    golden: Golden | None,
    about: Mapping[str, Any],
    combination: Combination | None = None,
    key: SigningKey | None = None,
    beside: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Write a bundle as a whole or not at all: a draft folder beside `folder`, synced, then renamed.

    `folder` must not exist, or be empty. Values are plain JSON or numpy; NaN in them is ValueError. With a key the
    bundle is signed. `beside` are files by name that no runner reads, such as weights that an update starts from.
    """
    contents, parts_listed, golden_listed = _contents(parts, golden)
    for file, content in (beside or {}).items():
        if not is_plain_name(file) or file in contents:
            raise ValueError(f"a file's name is made of letters, digits, . _ -, and is no part's, got {file!r}")
        contents[file] = content
    manifest = Manifest(
        format=1 if combination is None else 2,
        kind=kind,
        name=name,
        parts=parts_listed,
        files={file: file_entry(content) for file, content in contents.items()},
        spec=dict(spec),
        decision=dict(decision),
        calibration=None if calibration is None else dict(calibration),
        metrics=dict(metrics),
        golden=golden_listed,
        about=dict(about),
        combination=combination,
    )
    contents[MANIFEST] = canonical_json(manifest.to_json())
    if len(contents[MANIFEST]) > MAX_MANIFEST_BYTES:
        raise ValueError(f"a manifest may hold {MAX_MANIFEST_BYTES} bytes, got {len(contents[MANIFEST])}")
    if key is not None:
        contents[SIGNATURE] = sign(contents[MANIFEST], key)
    _write_folder(folder, contents)
    return open_bundle(folder)


def open_bundle(folder: Path, *, known_keys: Collection[str] | None = None, trust: bool = False) -> Bundle:
    """Check a folder and return it as a bundle; nothing of a model is parsed here.

    Refused with InputError: a file that is missing, changed, too many, a link or a folder; a newer format; a broken
    signature. With `known_keys` (see core.runtime.signature) a bundle that none of them signed is refused too, unless
    `trust` is set.
    """
    if not folder.is_dir():
        raise NotFoundError(f"bundle {folder} is not there; give the folder that holds {MANIFEST}")
    content = _read_capped(folder, MANIFEST, MAX_MANIFEST_BYTES)
    try:
        manifest = parse_manifest(content)
        signed_by = _signed_by(folder, content)
    except InputError as error:
        raise InputError(f"bundle {folder}: {error}", code=error.code) from error
    trusted = signed_by is not None and signed_by in (known_keys or ())
    if known_keys is not None and not trusted and not trust:
        who = "is not signed" if signed_by is None else f"is signed by a key that is not known here ({signed_by})"
        words = f"bundle {folder} {who}; import it with --trust if you know where it comes from, or add its key"
        raise InputError(words, code="UNTRUSTED_BUNDLE")
    _check_files(folder, manifest)
    return Bundle(folder, manifest, hashlib.sha256(content).hexdigest(), signed_by, trusted)


def sign_bundle(bundle: Bundle, key: SigningKey) -> Bundle:
    """Sign a bundle that was written without a key (or sign it anew) and return it; its model files do not change."""
    signature = sign(_read_capped(bundle.folder, MANIFEST, MAX_MANIFEST_BYTES), key)
    draft = bundle.folder.with_name(f".{bundle.folder.name}.{SIGNATURE}")
    _write_synced(draft, signature)
    draft.replace(bundle.folder / SIGNATURE)
    _sync_folder(bundle.folder)
    return open_bundle(bundle.folder, known_keys={key.public})


def _contents(
    parts: Mapping[str, tuple[PartKind, bytes | Path]], golden: Golden | None
) -> tuple[dict[str, bytes], dict[str, Part], GoldenFile | None]:
    contents: dict[str, bytes] = {}
    listed: dict[str, Part] = {}
    for name, (kind, source) in parts.items():
        if kind not in PART_FILES:
            raise ValueError(f"a part is one of {', '.join(PART_FILES)}, got {kind!r}")
        file = name + PART_FILES[kind]
        if not is_plain_name(file):
            raise ValueError(f"a part's name is made of letters, digits, . _ -, got {name!r}")
        contents[file] = source.read_bytes() if isinstance(source, Path) else source
        listed[name] = Part(kind=kind, file=file)
    if golden is None:
        return contents, listed, None
    inputs, outputs = golden.arrays()
    arrays = {f"inputs.{name}": array for name, array in inputs.items()}
    arrays |= {f"outputs.{name}": array for name, array in outputs.items()}
    contents[GOLDEN] = save_arrays({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return contents, listed, GoldenFile(file=GOLDEN, tolerance=golden.tolerance)


def _write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not empty; give a new folder for the bundle", code="FOLDER_TAKEN")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, content in contents.items():
            _write_synced(draft / name, content)
        draft.chmod(0o755)
        _sync_folder(draft)
        draft.rename(folder)
        _sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _signed_by(folder: Path, manifest: bytes) -> str | None:
    if not os.path.lexists(folder / SIGNATURE):
        return None
    return signer(manifest, _read_capped(folder, SIGNATURE, MAX_SIGNATURE_BYTES))


def _check_files(folder: Path, manifest: Manifest) -> None:
    here = {entry.name for entry in os.scandir(folder)}
    if extra := sorted(here - set(manifest.files) - {MANIFEST, SIGNATURE}):
        raise _fault(folder, f"file {extra[0]!r} does not belong to it")
    for name, entry in manifest.files.items():
        if name not in here:
            raise _fault(folder, f"file {name} is missing")
        _check_file(folder, name, entry)


def _check_file(folder: Path, name: str, entry: FileEntry) -> None:
    size = _plain_size(folder, name)
    if size != entry.bytes:
        raise _fault(folder, f"file {name} has {size} bytes, {entry.bytes} are listed")
    with (folder / name).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != entry.sha256:
        raise _fault(folder, f"file {name} does not match its SHA-256")


def _plain_size(folder: Path, name: str) -> int:
    try:
        found = (folder / name).lstat()
    except FileNotFoundError as error:
        raise _fault(folder, f"file {name} is missing") from error
    if not stat.S_ISREG(found.st_mode):
        raise _fault(folder, f"{name} is a link or a folder; a plain file is allowed")
    return found.st_size


def _read_capped(folder: Path, name: str, cap: int) -> bytes:
    if (size := _plain_size(folder, name)) > cap:
        raise _fault(folder, f"file {name} has {size} bytes, at most {cap} are allowed")
    return (folder / name).read_bytes()


def _fault(folder: Path, words: str, *, code: str = "BAD_BUNDLE") -> InputError:
    return InputError(f"bundle {folder}: {words}; restore it from a copy or retrain", code=code)


def _with_prefix(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)

"""The manifest of a bundle: what the folder holds, as strict canonical JSON. Nothing here opens a model."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, TypeVar, cast

import numpy as np

from core.errors import InputError
from core.runtime.cascade import Combination

FORMAT = 2  # the newest that is read; 1 is a bundle without a combination, and is written where there is none
MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
MAX_MANIFEST_BYTES = 8 * 2**20
MAX_SIGNATURE_BYTES = 4096
PART_FILES: dict[str, str] = {"lightgbm": ".txt", "onnx": ".onnx"}

PartKind = Literal["lightgbm", "onnx"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """What a file of the bundle must be: SHA-256 in lower-case hex and its size."""

    sha256: str
    bytes: int

    def __post_init__(self) -> None:
        _require(isinstance(self.sha256, str) and bool(_SHA256.fullmatch(self.sha256)), "sha256", self.sha256)
        _require(type(self.bytes) is int and self.bytes >= 0, "bytes", self.bytes)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One model file and what runs it."""

    kind: PartKind
    file: str

    def __post_init__(self) -> None:
        _require(self.kind in PART_FILES, f"a part's kind (allowed: {', '.join(PART_FILES)})", self.kind)


@dataclass(frozen=True, kw_only=True)
class GoldenFile:
    """Where the golden vectors are, and how far an answer may lie from them (relative and absolute)."""

    file: str
    tolerance: float

    def __post_init__(self) -> None:
        good = isinstance(self.tolerance, int | float) and math.isfinite(self.tolerance) and self.tolerance >= 0
        _require(good, "golden tolerance", self.tolerance)


_Record = TypeVar("_Record", Part, FileEntry, GoldenFile)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything a bundle says about itself. `spec`, `decision`, `metrics` and `about` belong to the pipelines."""

    format: int  # of the bundle, not of the model: 2 with a combination, else 1
    kind: str  # "credit", "inspection", ...
    name: str
    parts: dict[str, Part]  # by part name; every part file is in `files`
    files: dict[str, FileEntry]  # by file name: all files but the manifest and its signature
    spec: dict[str, Any]
    decision: dict[str, Any]
    calibration: dict[str, Any] | None  # None: the logistic function of the margin, or the stages have their own
    metrics: dict[str, Any]
    golden: GoldenFile | None
    about: dict[str, Any]
    combination: Combination | None = None  # how the parts answer together; None: one part gives the margin

    def __post_init__(self) -> None:
        _require(self.format == (1 if self.combination is None else 2), "format 2 with a combination", self.format)
        if self.combination is not None:
            named = {stage.part for stage in self.combination.stages}
            _require(named == set(self.parts), f"stages of the parts {', '.join(self.parts)}", sorted(named))
            _require(self.calibration is None, "no calibration beside those of the stages", self.calibration)
        for file in self.files:
            _require(is_plain_name(file), "a file name (letters, digits, . _ -; no folders)", file)
        used = [part.file for part in self.parts.values()] + ([self.golden.file] if self.golden else [])
        for file in used:
            _require(file in self.files, f"a file that the list of files holds ({', '.join(self.files)})", file)
        _require(bool(self.parts), "at least one part", self.parts)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        entries = {
            "format": self.format,
            "kind": self.kind,
            "name": self.name,
            "parts": {name: {"kind": part.kind, "file": part.file} for name, part in self.parts.items()},
            "files": {name: {"sha256": entry.sha256, "bytes": entry.bytes} for name, entry in self.files.items()},
            "spec": self.spec,
            "decision": self.decision,
            "calibration": self.calibration,
            "metrics": self.metrics,
            "golden": {"file": self.golden.file, "tolerance": self.golden.tolerance} if self.golden else None,
            "about": self.about,
        }
        return entries if self.combination is None else entries | {"combination": self.combination.to_json()}


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """Return the one spelling of a JSON document: sorted keys, no spaces, UTF-8; numpy scalars and arrays as plain.

    NaN and infinity are refused with ValueError: JSON has no word for them.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)
    return text.encode()


def strict_json(content: bytes, what: str) -> dict[str, Any]:
    """Parse an object of JSON; NaN, infinity, overflowing numbers, doubled keys and other oddities are InputError."""
    try:
        value = json.loads(
            content.decode(),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_without_doubles,
        )
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} is no valid JSON: {error}", code="BAD_BUNDLE") from error
    if not isinstance(value, dict):
        raise InputError(f"{what} must be one JSON object, got {type(value).__name__}", code="BAD_BUNDLE")
    return cast(dict[str, Any], value)


def parse_manifest(content: bytes) -> Manifest:
    """Build a manifest from its bytes. InputError (BAD_BUNDLE, NEWER_FORMAT) says which entry is wrong."""
    raw = strict_json(content, MANIFEST)
    number = raw.get("format")
    _require(type(number) is int and number >= 1, "format", number)
    if cast(int, number) > FORMAT:
        words = f"{MANIFEST} has format {number}, this version of Assay reads up to format {FORMAT}; update Assay"
        raise InputError(words, code="NEWER_FORMAT")
    fields = set(Manifest.__dataclass_fields__) - ({"combination"} if number == 1 else set())
    if set(raw) != fields:
        _require(False, f"the entries {', '.join(sorted(fields))}", sorted(raw))
    for name in fields & {"parts", "files", "spec", "decision", "metrics", "about", "combination"}:
        _require(isinstance(raw[name], dict), f"{name} as an object", raw[name])
    _require(raw["calibration"] is None or isinstance(raw["calibration"], dict), "calibration", raw["calibration"])
    for name in ("kind", "name"):
        _require(isinstance(raw[name], str), f"{name} as text", raw[name])
    return Manifest(
        **{name: raw[name] for name in fields - {"parts", "files", "golden", "combination"}},
        parts={name: _record(Part, part) for name, part in raw["parts"].items()},
        files={name: _record(FileEntry, entry) for name, entry in raw["files"].items()},
        golden=None if raw["golden"] is None else _record(GoldenFile, raw["golden"]),
        combination=Combination.from_json(raw["combination"]) if number == 2 else None,
    )


def file_entry(content: bytes) -> FileEntry:
    """Describe the bytes of a file."""
    return FileEntry(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def is_plain_name(name: object) -> bool:
    """Tell whether `name` may name a file of a bundle: it cannot leave the folder nor hide the manifest."""
    return isinstance(name, str) and bool(_NAME.fullmatch(name)) and name not in (MANIFEST, SIGNATURE)


def _record(kind: type[_Record], raw: object) -> _Record:
    fields = set(kind.__dataclass_fields__)
    if not isinstance(raw, dict) or set(raw) != fields:
        _require(False, f"an object of {', '.join(sorted(fields))}", raw)
    return kind(**cast(dict[str, Any], raw))


def _require(good: bool, allowed: str, came: object) -> None:
    if not good:
        words = repr(came)
        words = words if len(words) <= 200 else words[:200] + "..."
        raise InputError(f"{MANIFEST} must hold {allowed}, got {words}", code="BAD_BUNDLE")


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot stand in a manifest; allowed: plain JSON values and numpy arrays")


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not allowed")


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"the number {word[:40]} is too large")
    return number


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("an object holds a key twice")
    return entries

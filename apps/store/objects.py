"""The object store: bytes under a key, in a folder of the home unless ASSAY_STORE_URL names another."""

import errno
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from apps.settings import Settings
from core.errors import AssayError, NotFoundError

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class ObjectStore:
    """Objects are written once, atomically; a key never leads out of the folder."""

    folder: Path

    def put(self, content: bytes, *, suffix: str = "") -> str:
        """Keep bytes under the hash of their content and return the key; the same bytes take room once."""
        digest = hashlib.sha256(content).hexdigest()
        key = f"sha256/{digest[:2]}/{digest}{suffix}"
        if not self.path(key).exists():
            self.write(key, lambda path: _write_bytes(path, content))
        return key

    def write(self, key: str, fill: Callable[[Path], object]) -> str:
        """Let `fill` write a file, then give it its key; a reader sees all of it or nothing."""
        path = self.path(key)
        draft = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fill(draft)
            with draft.open("rb+") as file:
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise disk_error(error, path) from error
        finally:
            draft.unlink(missing_ok=True)
        return key

    def get(self, key: str) -> bytes:
        """Return the bytes of a key."""
        try:
            return self.path(key).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(f"the object store has no {key!r}; was {self.folder} changed?") from error

    def path(self, key: str) -> Path:
        """Return the file of a key, whether or not it is there. ValueError for a key that no store makes."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"a key is made of plain names with / between them, got {key!r}")
        return self.folder / key

    def drop(self, prefix: str) -> None:
        """Remove a key and all keys below it; nothing happens when there are none."""
        path = self.path(prefix)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def open_objects(settings: Settings) -> ObjectStore:
    """Return the object store of the settings."""
    if settings.store_url is None:
        return ObjectStore(settings.home.resolve() / "objects")
    url = urlsplit(settings.store_url)
    if url.scheme not in ("", "file") or url.netloc not in ("", "localhost"):
        raise AssayError(f"ASSAY_STORE_URL must be a folder or file:///FOLDER, got {settings.store_url!r}")
    return ObjectStore(Path(unquote(url.path)).resolve())


def disk_error(error: OSError, path: Path) -> AssayError:
    """Say in a line why a file could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return AssayError(f"the disk is full: cannot write {path}; make room and try again", code="DISK_FULL")
    return AssayError(f"cannot write {path}: {error.strerror or error}", code="DISK")


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)

"""Where the rows of a batch come from: an upload under a name made of its content, or a place below the inbox."""

import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.gateway.forms import Upload
from apps.gateway.problems import Problem
from data.images import IMAGE_SUFFIXES

# by first bytes, never by the sender's name; what is none of these is read as CSV
MAGIC = {b"PK\x03\x04": ".xlsx", b"PAR1": ".parquet", b"\x1f\x8b": ".csv.gz"}

_users: Counter[Path] = Counter()
_lock = threading.Lock()


@contextmanager
def uploaded_table(upload: Upload, folder: Path) -> Iterator[Path]:
    """Give an upload a name made of its content, so that the same request sent again is the same request.

    The file is gone when nobody uses it any more: the rows have been cut into pieces by then.
    """
    path = folder / "tables" / f"{upload.sha256}{table_suffix(upload.path)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock:
        _users[path] += 1
        if not path.exists():
            shutil.move(upload.path, path)
    try:
        yield path
    finally:
        with _lock:
            _users[path] -= 1
            if not _users[path]:
                del _users[path]
                path.unlink(missing_ok=True)


def table_suffix(path: Path) -> str:
    """What kind of table the content looks like."""
    with path.open("rb") as file:
        head = file.read(4)
    return next((suffix for magic, suffix in MAGIC.items() if head.startswith(magic)), ".csv")


def stored_file(inbox: Path, name: str) -> Path:
    """A file below the inbox. Raises Problem 422 for a name that leads out of it, 404 where there is nothing."""
    path = _below(inbox, name)
    if not path.is_file():
        raise Problem(404, "NOT_FOUND", f"the inbox holds no file {name[:200]!r}")
    return path


def stored_pictures(inbox: Path, name: str) -> list[Path]:
    """One picture, or all pictures of a folder and the folders in it, by name. Raises Problem as `stored_file`."""
    path = _below(inbox, name)
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
        inside = [file for file in found if file.resolve().is_relative_to(inbox.resolve())]
        if inside:
            return inside
        raise Problem(404, "NOT_FOUND", f"the inbox holds no pictures in {name[:200]!r}")
    return [stored_file(inbox, name)]


def _below(inbox: Path, name: str) -> Path:
    """The place that `name` means, links followed; it must lie below the inbox."""
    if "\0" in name:
        raise Problem(422, "BAD_PATH", "a path may not hold NUL")
    path = (inbox / name).resolve()
    if not path.is_relative_to(inbox.resolve()) or Path(name).is_absolute():
        raise Problem(422, "BAD_PATH", "a stored path is relative and stays below the inbox")
    return path

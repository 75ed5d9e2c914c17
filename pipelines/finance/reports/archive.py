"""Packages of files, zipped or in a folder: only wanted members, streamed, within caps, never outside the package.

Names only serve to recognise files: nothing is ever written under a name that an archive gives.
"""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from core.errors import InputError
from pipelines.finance.reports.markup import CHUNK, MAX_BYTES, MAX_RATIO, RATIO_FREE_BYTES

MAX_ENTRIES = 5_000
MAX_TOTAL = 512 * 1024 * 1024  # bytes of all wanted members, unpacked
MAX_DIRECTORY = 4 * 1024 * 1024  # bytes of a zip file's list of entries
MAX_DEPTH = 8  # folders in folders
END_OF_ZIP = b"PK\x05\x06"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
# what the zip library raises for damaged files; RuntimeError also for a list that asks for a zip version unknown to it
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, struct.error)


def read_members(source: Path | bytes, file: str, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The members of a zip file or folder whose names (in lower case) are wanted, by their path in it."""
    if isinstance(source, Path) and source.is_dir():
        return _read_folder(source, file, wanted)
    content = source if isinstance(source, bytes) else read_file(source, file)
    with _opened(content, file) as archive:
        return _read_zip(archive, len(content), file, wanted)


def names_in(content: bytes, file: str) -> list[str]:
    """The names of a zip file's entries. InputError: it is damaged, or has too many."""
    with _opened(content, file) as archive:
        return archive.namelist()


@contextmanager
def _opened(content: bytes, file: str) -> Iterator[zipfile.ZipFile]:
    _check_end(content, file)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield archive
    except InputError:
        raise
    except BROKEN as error:
        message = f"{file}: a damaged zip file ({str(error)[:120] or type(error).__name__}); fetch it again"
        raise InputError(message, code="BAD_ARCHIVE") from None


def read_file(path: Path, file: str) -> bytes:
    """The bytes of a regular file within the cap."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{file}: not a regular file or folder; give the file itself", code="BAD_INPUT")
        if status.st_size > MAX_BYTES:
            raise InputError(f"{file}: {status.st_size} bytes; at most {MAX_BYTES} are read", code="TOO_LARGE")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); check the path", code="BAD_INPUT") from None


def _read_zip(archive: zipfile.ZipFile, packed: int, file: str, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise InputError(f"{file}: {len(entries)} entries; at most {MAX_ENTRIES} are read", code="TOO_LARGE")
    members: dict[str, bytes] = {}
    cap = min(MAX_TOTAL, max(MAX_RATIO * packed, RATIO_FREE_BYTES))
    total = 0
    for entry in entries:
        _check_entry(entry, file)
        if entry.is_dir() or not wanted(entry.filename.lower()):
            continue
        if entry.filename in members:
            raise InputError(f"{file}: two entries are named {entry.filename[:80]!r}; pack it anew", code="BAD_ARCHIVE")
        members[entry.filename] = _streamed(archive, entry, min(MAX_BYTES, cap - total), file)
        total += len(members[entry.filename])
    if not members and any(entry.filename.lower().endswith(".zip") for entry in entries):
        raise InputError(f"{file}: holds only archives; unpack them and give each", code="NESTED_ARCHIVE")
    return members


def _streamed(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, room: int, file: str) -> bytes:
    cap = min(room, max(MAX_RATIO * entry.compress_size, RATIO_FREE_BYTES))
    parts: list[bytes] = []
    size = 0
    with archive.open(entry) as stream:
        while part := stream.read(CHUNK):
            parts.append(part)
            size += len(part)
            if size > cap:
                message = f"{file}: {entry.filename[:80]!r} unpacks to more than {cap} bytes; allowed are"
                raise InputError(f"{message} {MAX_RATIO} times its packed size and {MAX_TOTAL} in all", code="BOMB")
    return b"".join(parts)


def _check_entry(entry: zipfile.ZipInfo, file: str) -> None:
    name = entry.filename
    path = PurePosixPath(name)
    if not name:
        raise InputError(f"{file}: an entry has no name; pack it anew", code="BAD_ARCHIVE")
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
        raise InputError(f"{file}: the entry {name[:80]!r} points outside the archive; refused", code="ZIP_SLIP")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InputError(f"{file}: the entry {name[:80]!r} is a link; refused", code="ZIP_SLIP")
    if entry.flag_bits & ENCRYPTED:
        raise InputError(f"{file}: the entry {name[:80]!r} is encrypted; give it unpacked", code="ENCRYPTED")
    if entry.compress_type not in METHODS:
        message = (
            f"{file}: the entry {name[:80]!r} is packed by method {entry.compress_type}; allowed are stored, deflated"
        )
        raise InputError(message, code="BAD_ARCHIVE")


def _check_end(content: bytes, file: str) -> None:
    """Refuse a list of entries that is too long to be read at all, before the zip library reads it."""
    end = content.rfind(END_OF_ZIP, max(0, len(content) - 65_557))
    if end < 0 or len(content) < end + 22:
        message = f"{file}: no zip file, or one that was cut off; fetch it again"
        raise InputError(message, code="BAD_ARCHIVE")
    entries, directory = struct.unpack_from("<HI", content, end + 10)
    if entries > MAX_ENTRIES or directory > MAX_DIRECTORY:
        raise InputError(f"{file}: {entries} entries; at most {MAX_ENTRIES} are read", code="TOO_LARGE")


def _read_folder(folder: Path, file: str, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    total = 0
    for number, path in enumerate(_walk(folder, file, 1), 1):
        if number > MAX_ENTRIES:
            raise InputError(f"{file}: more than {MAX_ENTRIES} files; give the report's own folder", code="TOO_LARGE")
        if not wanted(path.name.lower()):
            continue
        content = read_file(path, f"{file}/{path.relative_to(folder)}")
        total += len(content)
        if total > MAX_TOTAL:
            raise InputError(f"{file}: more than {MAX_TOTAL} bytes; give the report's own folder", code="TOO_LARGE")
        members[str(path.relative_to(folder))] = content
    return members


def _walk(folder: Path, file: str, depth: int) -> Iterator[Path]:
    if depth > MAX_DEPTH:
        raise InputError(f"{file}: folders nested deeper than {MAX_DEPTH}; give the report's own", code="TOO_DEEP")
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            raise InputError(f"{file}: {path.name[:80]!r} is a link; refused, copy the file itself", code="ZIP_SLIP")
        if path.is_dir():
            yield from _walk(path, file, depth + 1)
        elif path.is_file():
            yield path

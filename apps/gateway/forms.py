"""Multipart forms, read as they stream: known fields only, each once, one file that goes to a temporary file.

The sender's file name and content type are kept as a label at most; they never name a file here.
"""

import hashlib
import os
import tempfile
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from apps.gateway.bodies import body_chunks
from apps.gateway.limits import Limits
from apps.gateway.problems import Problem

LONGEST_LABEL = 200
FORM_OVERHEAD_BYTES = 16_384  # boundaries, part headers and text fields beside the file


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One file of a form, on disk under a name of ours; it vanishes when the form is closed."""

    path: Path
    label: str  # what the sender called it, for people to read
    size_bytes: int
    sha256: str

    def read(self) -> bytes:
        return self.path.read_bytes()


@dataclass(kw_only=True)
class Form:
    """The text fields and the files of one request; close it (or use `with`) to remove the files."""

    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A field that must be there. Raises Problem 422."""
        if name not in self.texts:
            raise Problem(422, "INVALID_REQUEST", f"the form field {name!r} is missing")
        return self.texts[name]

    def file(self, name: str) -> Upload:
        """A file that must be there. Raises Problem 422."""
        if name not in self.files:
            raise Problem(422, "INVALID_REQUEST", f"the form's file {name!r} is missing")
        return self.files[name]

    def close(self) -> None:
        for upload in self.files.values():
            upload.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def read_form(
    request: Request, *, texts: Collection[str], files: Collection[str], file_bytes: int, limits: Limits, folder: Path
) -> Form:
    """Read a multipart form whose files land in `folder`.

    Raises:
        Problem: 413 and 408 as `body_chunks`; 400 for a broken form; 422 for a field or file that is not
            expected, comes twice or is too long. Nothing stays on disk then, nor when the sender hangs up.
    """
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if not boundary:
        raise Problem(400, "BAD_FORM", "the content type multipart/form-data names no boundary")
    folder.mkdir(parents=True, exist_ok=True)
    parts = _Parts(texts=texts, files=files, file_bytes=file_bytes, field_bytes=limits.field_bytes, folder=folder)
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        async for chunk in body_chunks(request, file_bytes + FORM_OVERHEAD_BYTES, limits):
            parser.write(chunk)
        parser.finalize()
        parts.check_complete()
    except FormParserError as error:
        parts.discard()
        raise Problem(400, "BAD_FORM", f"the multipart form is broken: {str(error)[:200]}") from None
    except BaseException:
        parts.discard()
        raise
    return parts.form


def label_of(name: str) -> str:
    """What is left of a sender's file name: its last step, without control characters, at most 200 characters.

    >>> label_of("../../etc/passwd"), label_of("C:\\\\up\\\\a.png"), label_of("")
    ('passwd', 'a.png', 'upload')
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(mark for mark in last if unicodedata.category(mark)[0] != "C").strip(" .")
    return kept[-LONGEST_LABEL:] or "upload"


class _Parts:
    """Collects what the streaming parser finds."""

    def __init__(
        self, *, texts: Collection[str], files: Collection[str], file_bytes: int, field_bytes: int, folder: Path
    ) -> None:
        self.form = Form()
        self._texts, self._files = texts, files
        self._file_bytes, self._field_bytes = file_bytes, field_bytes
        self._folder = folder
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._name = ""
        self._text = bytearray()
        self._sink: IO[bytes] | None = None
        self._sink_path = Path()
        self._label = ""
        self._digest = hashlib.sha256()
        self._size = 0
        self._ended = False

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_done,
            "on_headers_finished": self._open,
            "on_part_data": self._write,
            "on_part_end": self._close,
            "on_end": self._end,
        }

    def check_complete(self) -> None:
        if not self._ended:
            raise Problem(400, "BAD_FORM", "the multipart form ends before its last boundary")

    def discard(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._sink_path.unlink(missing_ok=True)
        self.form.close()

    def _begin(self) -> None:
        self._disposition = b""
        self._name = ""
        self._text.clear()

    def _header_done(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _open(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        is_file = b"filename" in options
        expected = self._files if is_file else self._texts
        if self._name not in expected:
            kind = "file" if is_file else "field"
            allowed = ", ".join([*self._texts, *(f"{name} (a file)" for name in self._files)])
            raise Problem(
                422, "UNKNOWN_FIELD", f"the {kind} {self._name[:100]!r} is not known here; allowed: {allowed}"
            )
        if self._name in self.form.texts or self._name in self.form.files:
            raise Problem(422, "DUPLICATE_NAME", f"the form holds {self._name!r} twice")
        if is_file:
            self._label = label_of(options[b"filename"].decode("utf-8", "replace"))
            handle, path = tempfile.mkstemp(prefix="upload-", dir=self._folder)
            self._sink, self._sink_path = os.fdopen(handle, "wb"), Path(path)
            self._digest, self._size = hashlib.sha256(), 0

    def _write(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._sink is None:
            self._text += piece
            if len(self._text) > self._field_bytes:
                raise Problem(422, "INVALID_REQUEST", f"the field {self._name!r} may hold {self._field_bytes} bytes")
            return
        self._size += len(piece)
        if self._size > self._file_bytes:
            raise Problem(413, "TOO_LARGE", f"the file {self._name!r} may hold at most {self._file_bytes} bytes")
        self._digest.update(piece)
        self._sink.write(piece)

    def _close(self) -> None:
        if self._sink is None:
            try:
                self.form.texts[self._name] = self._text.decode("utf-8")
            except UnicodeDecodeError:
                raise Problem(422, "INVALID_REQUEST", f"the field {self._name!r} is not UTF-8") from None
            return
        self._sink.close()
        self._sink = None
        self.form.files[self._name] = Upload(
            path=self._sink_path, label=self._label, size_bytes=self._size, sha256=self._digest.hexdigest()
        )

    def _end(self) -> None:
        self._ended = True

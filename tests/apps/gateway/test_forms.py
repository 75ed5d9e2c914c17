"""Multipart forms as they stream: what is taken, what is refused, and that nothing stays on disk."""

import asyncio
import contextlib
import hashlib
from pathlib import Path

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from apps.gateway.forms import Form, label_of, read_form
from apps.gateway.limits import Limits
from apps.gateway.problems import Problem

BOUNDARY = "----edge"


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
MODEL = part("model", b"tiles")


def read(body: bytes, folder: Path, *, step: int = 1000, hang_up: bool = False, file_bytes: int = 10_000) -> Form:
    pieces = [body[start : start + step] for start in range(0, len(body), step)] or [b""]

    async def receive() -> dict[str, object]:
        if not pieces:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces) or hang_up}

    headers = [(b"content-type", f"multipart/form-data; boundary={BOUNDARY}".encode())]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)
    return asyncio.run(
        read_form(
            request,
            texts=["model"],
            files=["image"],
            file_bytes=file_bytes,
            limits=Limits(field_bytes=50),
            folder=folder,
        )
    )


def refused(body: bytes, folder: Path, **options: int) -> Problem:
    with pytest.raises(Problem) as caught:
        read(body, folder, **options)
    assert list(folder.iterdir()) == [], "an upload was left behind"
    return caught.value


@given(content=st.binary(max_size=3000), step=st.integers(1, 700))
def test_a_file_arrives_whole_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, step: int
) -> None:
    folder = tmp_path_factory.mktemp("form")
    with read(MODEL + part("image", content, "a.png") + END, folder, step=step) as form:
        assert form.text("model") == "tiles"
        assert form.file("image").read() == content
        assert form.file("image").sha256 == hashlib.sha256(content).hexdigest()
        assert form.file("image").size_bytes == len(content)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..\\..\\boot.ini", "CON", "a\tb.png", "", "é" * 300]
)
def test_the_senders_file_name_is_only_a_label(tmp_path: Path, name: str) -> None:
    with read(MODEL + part("image", b"x", name) + END, tmp_path) as form:
        assert form.file("image").path.parent == tmp_path
        assert form.file("image").path.name.startswith("upload-")
        assert "/" not in form.file("image").label
        assert len(form.file("image").label) <= 200


@given(st.text())
def test_a_label_never_holds_a_path_or_a_control_character(name: str) -> None:
    label = label_of(name)
    assert label
    assert not set(label) & set("/\\\n\r\t\0\x1b\u202e")


def test_a_file_over_the_limit_is_refused_while_it_streams(tmp_path: Path) -> None:
    problem = refused(MODEL + part("image", b"x" * 5000, "a") + END, tmp_path, file_bytes=4000)
    assert problem.status_code == 413


def test_a_field_that_is_too_long_is_refused(tmp_path: Path) -> None:
    assert refused(part("model", b"m" * 51) + END, tmp_path).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        MODEL + MODEL + END,
        part("image", b"1", "a") + part("image", b"2", "b") + END,
        part("colour", b"red") + END,
        part("model", b"file, not text", "a.txt") + END,
        part("image", b"text, not file") + END,
        part("model", b"\xff\xfe") + END,
    ],
)
def test_fields_that_are_unknown_or_come_twice_are_refused(tmp_path: Path, body: bytes) -> None:
    assert refused(body, tmp_path).status_code == 422


@pytest.mark.parametrize(
    "body", [b"", b"no form at all", MODEL, MODEL + part("image", b"x" * 3000, "a"), part("image", b"x", "a")[:-9]]
)
def test_a_form_that_breaks_off_is_refused(tmp_path: Path, body: bytes) -> None:
    assert refused(body, tmp_path).status_code == 400


def test_a_sender_who_hangs_up_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ClientDisconnect):
        read(MODEL + part("image", b"x" * 3000, "a"), tmp_path, hang_up=True)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    form = read(MODEL + END, tmp_path)
    with pytest.raises(Problem, match="image"):
        form.file("image")


@given(st.binary(max_size=400))
def test_any_bytes_give_a_form_or_a_problem(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    folder = tmp_path_factory.mktemp("noise")
    with contextlib.suppress(Problem):
        read(f"--{BOUNDARY}\r\n".encode() + body, folder).close()
    assert list(folder.iterdir()) == []

"""The gateway as a process of its own on a real socket: slow, huge, rude and many senders; signals; ports."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from apps.gateway.ports import is_loopback, listen, require_free_port
from apps.gateway.serve import serve
from apps.settings import Settings
from apps.store.database import open_database
from apps.store.inspections import InspectionFilter, page_inspections
from apps.store.keys import add_key
from core.errors import AssayError
from tests.apps.gateway.small_house import picture, register_tiles

SERVER = """
import sys
from pathlib import Path
from apps.gateway import serve
from apps.gateway.limits import Limits
from apps.settings import Settings
serve.HEADER_S = 1.0
limits = Limits(silent_s=1.0, image_bytes=2_000_000, json_bytes=10_000, judging=1, waiting=2)
serve.serve(Settings(_env_file=None, home=Path(sys.argv[1])), "127.0.0.1", int(sys.argv[2]), limits=limits)
"""
BOUNDARY = "edge"


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    key: str
    settings: Settings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def head(self, *lines: str, path: str = "/v1/inspections", key: str | None = None) -> bytes:
        form = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
        top = (f"POST {path} HTTP/1.1", "Host: x", f"X-API-Key: {key or self.key}", form, *lines, "", "")
        return "\r\n".join(top).encode()

    def uploads(self) -> list[Path]:
        return [path for path in (self.settings.home / "uploads").rglob("*") if path.is_file()]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = Settings(_env_file=None, home=tmp_path_factory.mktemp("served"))
    _, secret = add_key(open_database(settings), "test")
    register_tiles(settings)
    port = free_port()
    log = (settings.home / "gateway.log").open("wb")
    command = [sys.executable, "-c", SERVER, str(settings.home), str(port)]
    with subprocess.Popen(command, stdout=log, stderr=log) as process:
        found = Server(process=process, port=port, key=secret, settings=settings)
        wait_for(lambda: answers(found.url), 60)
        yield found
        process.terminate()
        assert process.wait(15) == 0, (settings.home / "gateway.log").read_text()[-3000:]


def form(content: bytes) -> bytes:
    head = 'Content-Disposition: form-data; name="'
    start = f'--{BOUNDARY}\r\n{head}model"\r\n\r\ntiles\r\n--{BOUNDARY}\r\n{head}image"; filename="a.png"\r\n\r\n'
    return start.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def chunked(body: bytes, size: int = 50_000) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"


def answer(connection: socket.socket) -> tuple[int, dict[str, object], http.client.HTTPResponse]:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status, json.loads(response.read()), response


def test_a_chunked_picture_without_a_length_is_judged(server: Server) -> None:
    with server.socket() as connection:
        connection.sendall(server.head("Transfer-Encoding: chunked") + chunked(form(picture(spot=True))))
        status, body, _ = answer(connection)
    assert (status, body["verdict"]) == (200, "reject")


def test_an_oversize_upload_without_a_length_is_cut_off_and_told_so(server: Server) -> None:
    with server.socket() as connection:
        connection.sendall(server.head("Transfer-Encoding: chunked") + chunked(form(b"x" * 20_000_000)))
        status, body, response = answer(connection)
    assert (status, body["code"]) == (413, "TOO_LARGE")
    assert response.getheader("Connection") == "close"
    assert server.uploads() == []


def test_an_announced_oversize_is_refused_before_it_is_sent(server: Server) -> None:
    with server.socket() as connection:
        connection.sendall(server.head("Content-Length: 50000000", "Expect: 100-continue"))
        status, body, _ = answer(connection)
    assert (status, body["code"]) == (413, "TOO_LARGE")


def test_a_client_library_that_sends_first_and_reads_later_gets_the_answer(server: Server) -> None:
    response = httpx.post(
        f"{server.url}/v1/inspections",
        headers={"X-API-Key": server.key},
        data={"model": "tiles"},
        files={"image": b"x" * 30_000_000},
        timeout=20,
    )
    assert response.status_code == 413


def test_without_a_key_nothing_of_a_body_is_asked_for(server: Server) -> None:
    with server.socket() as connection:
        connection.sendall(server.head("Content-Length: 1000", "Expect: 100-continue", key="assay_wrong"))
        status, body, _ = answer(connection)
    assert (status, body["code"]) == (401, "KEY_REFUSED")


def test_a_sender_who_falls_silent_is_told_so_and_leaves_nothing(server: Server) -> None:
    body = form(picture())
    with server.socket() as connection:
        connection.sendall(server.head(f"Content-Length: {len(body)}") + body[:-20])
        status, problem, _ = answer(connection)
    assert (status, problem["code"]) == (408, "TOO_SLOW")
    assert server.uploads() == []


def test_a_sender_who_hangs_up_leaves_no_file_and_no_row(server: Server) -> None:
    before = len(page_inspections(open_database(server.settings), InspectionFilter()))
    body = form(b"x" * 1_000_000)
    with server.socket() as connection:
        connection.sendall(server.head(f"Content-Length: {len(body)}") + body[:-20])
        wait_for(lambda: len(server.uploads()) == 1, 5)
    wait_for(lambda: server.uploads() == [], 5)
    assert len(page_inspections(open_database(server.settings), InspectionFilter())) == before
    assert answers(server.url)


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_head_that_never_ends_is_hung_up_on(server: Server, sent: bytes) -> None:
    with server.socket() as connection:
        connection.sendall(sent)
        started = time.monotonic()
        assert connection.recv(1000) == b""
        assert time.monotonic() - started < 5


def test_a_head_that_drips_is_hung_up_on_too(server: Server) -> None:
    with server.socket() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        started = time.monotonic()
        with contextlib.suppress(OSError):  # reset, or a broken pipe
            while time.monotonic() - started < 10:
                connection.sendall(b"X-A: a\r\n")
                time.sleep(0.05)
        assert time.monotonic() - started < 5


def test_a_kept_alive_connection_answers_again_and_again(server: Server) -> None:
    with httpx.Client(base_url=server.url) as client:
        for _ in range(4):
            assert client.get("/healthz").status_code == 200
            time.sleep(0.4)


def test_small_answers_are_sent_at_once(server: Server) -> None:
    """Without TCP_NODELAY each would wait 40 ms for an acknowledgement."""
    with httpx.Client(base_url=server.url) as client:
        times = []
        for _ in range(30):
            started = time.perf_counter()
            client.get("/healthz")
            times.append(time.perf_counter() - started)
    assert min(times) < 0.03


def test_a_burst_is_answered_or_refused_with_a_time_to_come_back(server: Server) -> None:
    codes: Counter[int] = Counter()
    content = picture(spot=True, size=(2000, 1500), kind="JPEG")

    def send() -> None:
        response = httpx.post(
            f"{server.url}/v1/inspections",
            headers={"X-API-Key": server.key},
            data={"model": "tiles"},
            files={"image": content},
            timeout=60,
        )
        codes[response.status_code] += 1
        assert response.status_code == 200 or response.headers["Retry-After"] == "1"

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) == {200, 429}
    assert codes[200] >= 3


def test_the_log_is_json_from_first_to_last(server: Server) -> None:
    lines = (server.settings.home / "gateway.log").read_text().splitlines()
    assert lines
    assert all("timestamp" in json.loads(line) for line in lines)
    assert server.key not in "".join(lines)


def test_a_taken_port_is_one_line_that_names_port_and_option(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AssayError, match=f"port {port} .*--port") as caught:
            serve(settings, "127.0.0.1", port)
    assert "\n" not in str(caught.value)
    assert not settings.home.exists()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "8.8.8.8"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(AssayError):
        require_free_port(host, 0)


def test_a_public_address_without_a_key_is_refused(settings: Settings) -> None:
    with pytest.raises(AssayError, match="assay keys add"):
        serve(settings, "0.0.0.0", free_port())


def test_loopback_is_told_from_the_rest() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "10.0.0.1")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
    listen("127.0.0.1", 0).close()


def test_sigint_ends_it_as_a_success(tmp_path: Path) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path), str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}"), 60)
        with socket.create_connection(("127.0.0.1", port)):  # an idle connection must not hold it up
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0

"""Bad input from outside: one clear line on stderr, the right exit code, never a traceback."""

import socket
import struct
import zlib
from pathlib import Path

import pytest


def says_in_one_line(done, *words: str) -> None:
    assert done.out == ""
    assert done.err.count("\n") == 1, done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


@pytest.fixture(scope="module")
def train(house):
    def run(path: Path, target: str = "bad", code: int = 2):
        return house.assay("train", "credit", "--data", path, "--target", target, "--name", "never", code=code)

    return run


def test_a_missing_file(train, tmp_path: Path) -> None:
    says_in_one_line(train(tmp_path / "nothing.csv"), "nothing.csv", "does not exist")


def test_an_empty_file(train, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.touch()
    says_in_one_line(train(path), "empty.csv", "empty")


def test_a_header_only(train, tmp_path: Path) -> None:
    path = tmp_path / "header.csv"
    path.write_text("a,b,bad\n")
    says_in_one_line(train(path), "header.csv", "header")


def test_a_target_with_one_class(train, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("a,bad\n" + "".join(f"{i},0\n" for i in range(300)))
    says_in_one_line(train(path), "bad", "two classes")


def test_a_target_column_that_is_absent(train, tmp_path: Path) -> None:
    path = tmp_path / "absent.csv"
    path.write_text("a,good\n" + "".join(f"{i},{i % 2}\n" for i in range(300)))
    says_in_one_line(train(path), "'bad'")


def test_an_unknown_model(house, loans: Path, tmp_path: Path) -> None:
    says_in_one_line(house.assay("score", "nobody", "--data", loans, "--out", tmp_path / "o.csv", code=2), "nobody")


def test_a_model_bundle_with_one_byte_changed(house, loans: Path, tmp_path: Path) -> None:
    folder = house.home / "models" / "loans" / "1"
    trees = folder / "trees.txt"
    content = trees.read_bytes()
    try:
        trees.write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
        done = house.assay("score", "loans", "--data", loans, "--out", tmp_path / "o.csv", code=2)
    finally:
        trees.write_bytes(content)
    says_in_one_line(done, "trees.txt", "SHA-256")
    assert not (tmp_path / "o.csv").exists()


def test_a_port_that_is_taken(house) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in ("serve", "dashboard", "up"):
            says_in_one_line(house.assay(command, "--port", port, code=1), str(port), "--port")


def test_a_worker_whose_broker_is_down(house, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cut(type(house)):
        @property
        def environment(self) -> dict[str, str]:
            return super().environment | {"ASSAY_BROKER_URL": "redis://127.0.0.1:1/0"}

    says_in_one_line(Cut(house.home).assay("worker", code=1), "broker", "127.0.0.1:1")


def test_verdicts_never_overwrite_the_cases(house, loans: Path) -> None:
    content = loans.read_bytes()
    says_in_one_line(house.assay("score", "loans", "--data", loans, "--out", loans, code=2), "overwritten")
    assert loans.read_bytes() == content


def test_workers_are_not_waited_for_where_the_broker_is_down(house, loans: Path, tmp_path: Path) -> None:
    class Cut(type(house)):
        @property
        def environment(self) -> dict[str, str]:
            return super().environment | {"ASSAY_BROKER_URL": "redis://127.0.0.1:1/0"}

    asked = ["score", "loans", "--data", loans, "--out", tmp_path / "o.csv", "--workers"]
    says_in_one_line(Cut(house.home).assay(*asked, code=1), "broker", "127.0.0.1:1")


def test_a_check_against_a_target_that_is_not_there(house, loans: Path) -> None:
    says_in_one_line(house.assay("data", "check", loans, "--target", "nope", code=2), "'nope'")


def test_a_schedule_whose_file_name_holds_an_unknown_word_in_braces(house, loans: Path) -> None:
    asked = ["--cron", "@hourly", "--model", "loans", "--data", loans, "--out", "x-{day}.csv"]
    says_in_one_line(house.assay("jobs", "add", "odd", *asked, code=2), "{day}", "{due}")


def test_a_home_that_is_a_file_is_found_by_the_doctor(house, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a letter")
    found = type(house)(tmp_path / "home").assay("doctor", "--json", code=1).document
    assert any(finding["name"] == "home" and finding["state"] == "fail" for finding in found)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(side: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    pixels = zlib.compress(bytes(side + 1) * side, 9) if side < 5000 else zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.slow
def test_a_picture_that_is_no_picture(house, surfaces: Path, tmp_path: Path) -> None:
    path = tmp_path / "letter.png"
    path.write_text("Dear station,")
    says_in_one_line(house.assay("inspect", "surfaces", path, code=2), "letter.png")


@pytest.mark.slow
def test_a_picture_of_twenty_thousand_by_twenty_thousand(house, surfaces: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(20_000))
    says_in_one_line(house.assay("inspect", "surfaces", path, code=2), "IMAGE_TOO_LARGE", "20000")

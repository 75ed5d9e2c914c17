import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from core.errors import InputError
from pipelines.finance.reports.archive import MAX_ENTRIES, names_in, read_members
from pipelines.finance.reports.extract import extract_bytes
from tests.pipelines.finance.reports.tags.inline_pages import zipped


def wanted(name: str) -> bool:
    return name.endswith(".xml")


def code_of(source: bytes | Path) -> str:
    with pytest.raises(InputError) as caught:
        read_members(source, "p.zip", wanted)
    assert str(caught.value).startswith("p.zip")
    return caught.value.code


def entry(
    name: str, content: bytes = b"<a/>", mode: int = 0, flags: int = 0, method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = method
        archive.writestr(info, content)
        info.flag_bits |= flags  # into the list of entries only
    return packed.getvalue()


def test_only_wanted_members_are_read(tmp_path: Path) -> None:
    members = {"a/b.xml": b"<b/>", "c.png": b"\x89PNG", "D.XML": b"<d/>"}
    for name, content in members.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    expected = {"a/b.xml": b"<b/>", "D.XML": b"<d/>"}
    assert read_members(zipped(dict(members)), "p.zip", wanted) == expected
    assert read_members(tmp_path, "p", wanted) == expected


@pytest.mark.parametrize("name", ["../up.xml", "/etc/x.xml", "a/../../x.xml", "c:\\x.xml", "a\\b.xml", "con:x.xml"])
def test_names_that_leave_the_archive_are_refused(name: str) -> None:
    assert code_of(entry(name)) == "ZIP_SLIP"


def test_links_are_refused_in_archives_and_folders(tmp_path: Path) -> None:
    assert code_of(entry("a.xml", b"/etc/passwd", stat.S_IFLNK | 0o777)) == "ZIP_SLIP"
    (tmp_path / "a.xml").symlink_to("/etc/hostname")
    assert code_of(tmp_path) == "ZIP_SLIP"


def test_bombs_are_refused_before_they_fill_the_memory() -> None:
    assert code_of(entry("a.xml", b"\0" * 200_000_000)) == "BOMB"
    many = {f"{number}.xml": b"\0" * 1_000_000 for number in range(300)}
    assert code_of(zipped(dict(many))) == "BOMB"


def test_an_understated_size_does_not_help_a_bomb() -> None:
    packed = bytearray(entry("a.xml", b"\0" * 20_000_000))
    place = packed.rfind(b"PK\x01\x02") + 24
    packed[place : place + 4] = (10).to_bytes(4, "little")
    assert code_of(bytes(packed)) in ("BOMB", "BAD_ARCHIVE")


def test_archives_in_archives_are_not_opened() -> None:
    assert code_of(zipped({"inner.zip": zipped({"a.xml": b"<a/>"})})) == "NESTED_ARCHIVE"


def test_encrypted_and_strangely_packed_entries_are_refused() -> None:
    assert code_of(entry("a.xml", flags=1)) == "ENCRYPTED"
    assert code_of(entry("a.xml", method=zipfile.ZIP_BZIP2)) == "BAD_ARCHIVE"


def test_too_many_entries_are_refused_before_they_are_listed() -> None:
    assert code_of(zipped({f"{number}.xml": b"" for number in range(MAX_ENTRIES + 1)})) == "TOO_LARGE"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.xml", b"<a/>")
        archive.writestr("a.xml", b"<b/>")
    assert code_of(packed.getvalue()) == "BAD_ARCHIVE"


def test_damaged_archives_are_refused() -> None:
    packed = zipped({"a.xml": b"<a/>" * 1000})
    assert code_of(packed[:-30]) == "BAD_ARCHIVE"
    assert code_of(b"PK\x03\x04") == "BAD_ARCHIVE"
    changed = bytearray(packed)
    changed[40] ^= 0xFF
    assert code_of(bytes(changed)) == "BAD_ARCHIVE"


def in_list(packed: bytes, place: int, changed: bytes) -> bytes:
    """The archive with other bytes in the first entry of its list."""
    at = packed.index(b"PK\x01\x02") + place
    return packed[:at] + changed + packed[at + len(changed) :]


def test_a_list_that_asks_for_an_unknown_version_of_zip_is_refused() -> None:
    packed = in_list(zipped({"a.xml": b"<a/>"}), 6, struct.pack("<H", 99))
    assert code_of(packed) == "BAD_ARCHIVE"
    with pytest.raises(InputError, match="damaged zip file"):
        names_in(packed, "p.zip")
    with pytest.raises(InputError, match="damaged zip file"):
        extract_bytes(packed, "p.zip")


def test_an_entry_without_a_name_is_refused() -> None:
    packed = zipped({"x": b"<a/>"})
    at, end = packed.index(b"PK\x01\x02"), packed.index(b"PK\x05\x06")
    (size,) = struct.unpack_from("<I", packed, end + 12)
    nameless = packed[: at + 28] + b"\0\0" + packed[at + 30 : at + 46] + packed[at + 47 :]
    nameless = nameless[: end + 11] + struct.pack("<I", size - 1) + nameless[end + 15 :]
    assert names_in(nameless, "p.zip") == [""]
    assert code_of(nameless) == "BAD_ARCHIVE"


def test_a_list_of_too_many_entries_is_not_read_to_tell_the_kind() -> None:
    packed = zipped({"a.xml": b"<a/>"})
    end = packed.index(b"PK\x05\x06")
    many = packed[: end + 10] + struct.pack("<H", MAX_ENTRIES + 1) + packed[end + 12 :]
    with pytest.raises(InputError, match="at most"):
        names_in(many, "p.zip")


def test_a_pipe_or_a_missing_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert code_of(tmp_path / "pipe") == "BAD_INPUT"
    assert code_of(tmp_path / "none.zip") == "BAD_INPUT"


def test_folders_nested_without_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / "/".join("abcdefghij")).mkdir(parents=True)
    assert code_of(tmp_path) == "TOO_DEEP"

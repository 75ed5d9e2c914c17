"""The object store: content under its hash, whole or not at all, never outside its folder."""

from pathlib import Path

import pytest

from apps.store.objects import ObjectStore, disk_error, open_objects
from core.errors import AssayError, NotFoundError
from tests.services import home_settings


def test_the_same_bytes_have_the_same_key(tmp_path: Path) -> None:
    store = open_objects(home_settings(tmp_path))
    key = store.put(b"picture", suffix=".png")
    assert store.put(b"picture", suffix=".png") == key
    assert store.get(key) == b"picture"


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)

    def half(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(AssayError, match="disk is full"):
        store.write("jobs/1/rows.parquet", half)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a//b", "", ".", "a/../b", "a\0b", "a/.hidden"])
def test_a_key_cannot_leave_the_folder(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="plain names"):
        ObjectStore(tmp_path).path(key)


def test_what_is_not_there_is_not_found_and_dropping_it_is_no_fault(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    with pytest.raises(NotFoundError):
        store.get("jobs/1/x")
    store.drop("jobs/1")
    store.write("jobs/1/x", lambda path: path.write_bytes(b"x"))
    store.drop("jobs/1")
    assert not (tmp_path / "jobs/1").exists()


def test_a_store_elsewhere_is_a_folder_or_refused(tmp_path: Path) -> None:
    settings = home_settings(tmp_path)
    there = settings.model_copy(update={"store_url": f"file://{tmp_path}/else where"})
    assert open_objects(there).folder == tmp_path / "else where"
    with pytest.raises(AssayError, match="ASSAY_STORE_URL"):
        open_objects(settings.model_copy(update={"store_url": "s3://bucket"}))
    assert disk_error(OSError(13, "Permission denied"), tmp_path).code == "DISK"

"""Reference rows in the home: one file a version, for its owner alone, and nothing where a training set none aside."""

from pathlib import Path

import pytest

from apps.references import keep_reference, reference_draft, reference_path
from apps.settings import Settings
from core.errors import AssayError


def draft(folder: Path) -> Path:
    """A training's folder with rows that were set aside; returns the bundle's place."""
    folder.mkdir(parents=True, exist_ok=True)
    reference_draft(folder / "bundle").write_bytes(b"rows")
    return folder / "bundle"


def test_rows_move_to_their_version_and_only_their_owner_may_read_them(settings: Settings, tmp_path: Path) -> None:
    settings.home.mkdir()
    bundle = draft(tmp_path / "training")
    path = keep_reference(settings, bundle, "loans", 3)
    assert path == reference_path(settings, "loans", 3) == settings.home / "references" / "loans" / "3.parquet"
    assert path.read_bytes() == b"rows"
    assert not reference_draft(bundle).exists()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == path.parent.parent.stat().st_mode & 0o777 == 0o700


def test_a_training_that_set_none_aside_leaves_no_folder(settings: Settings, tmp_path: Path) -> None:
    settings.home.mkdir()
    assert keep_reference(settings, tmp_path / "bundle", "loans", 1) is None
    assert list(settings.home.iterdir()) == []


def test_a_disk_that_refuses_them_is_told_with_the_way_out(settings: Settings, tmp_path: Path) -> None:
    settings.home.mkdir()
    (settings.home / "references").write_text("in the way")
    with pytest.raises(AssayError, match=r"loans@2 is registered, but .* an update needs --reference then"):
        keep_reference(settings, draft(tmp_path / "training"), "loans", 2)

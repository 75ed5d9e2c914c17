"""Where reference rows are kept: in the home, one file a version, readable by its owner alone.

They are customers' rows, by which a later update shows that it forgot nothing (`pipelines.finance.reference`). They are
in no bundle and leave with no export. A file that is removed is missed by nothing but `--update`, which then asks for
`--reference`.
"""

import shutil
from pathlib import Path

from apps.settings import Settings
from core.errors import AssayError


def reference_path(settings: Settings, name: str, version: int) -> Path:
    """Return the place of the rows of a version."""
    return settings.home / "references" / name / f"{version}.parquet"


def reference_draft(bundle: Path) -> Path:
    """Return where a training leaves the rows that it sets aside: beside the bundle that it makes."""
    return bundle.with_name("reference.parquet")


def keep_reference(settings: Settings, bundle: Path, name: str, version: int) -> Path | None:
    """Move the rows that a training set aside to their place and return it; None where it set none aside."""
    drafted, path = reference_draft(bundle), reference_path(settings, name, version)
    if not drafted.is_file():
        return None
    try:
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        shutil.move(drafted, path)
        path.chmod(0o600)
    except OSError as error:
        words = f"{name}@{version} is registered, but its reference rows cannot be kept in {path}"
        raise AssayError(f"{words}: {error.strerror or error}; an update needs --reference then") from error
    return path

"""What the package asks for against what is installed, from the metadata that pip keeps."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from importlib import metadata


def installed(names: Iterable[str]) -> frozenset[str]:
    """Those of `names` that are installed."""
    found = set()
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            metadata.version(name)
            found.add(name)
    return frozenset(found)


def unmet(requirements: Iterable[str]) -> Iterator[str]:
    """What is missing or has the wrong version, of the requirements that are no extras."""
    for requirement in requirements:
        match = re.fullmatch(r"([A-Za-z0-9_.\-]+)(?:\[[^]]*\])?\s*([^;]*?)\s*", requirement)
        if match is None:  # it has a marker: an extra
            continue
        name, bounds = match.groups()
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield f"{name} is not installed"
            continue
        if not all(_meets(version, bound.strip()) for bound in bounds.split(",") if bound.strip()):
            yield f"{name} {version} is installed, {bounds} is needed"


def _meets(version: str, bound: str) -> bool:
    have, want = _numbers(version), _numbers(bound.lstrip("<>=!~ "))
    match bound[:2].rstrip("0123456789"):
        case ">=":
            return have >= want
        case "<":
            return have < want
        case _:
            return True


def _numbers(version: str) -> tuple[int, ...]:
    """The release part as numbers: 2.13.0+cpu is (2, 13, 0)."""
    found = re.match(r"[0-9.]*", version)
    return tuple(int(part) for part in (found.group() if found else "").split(".") if part)

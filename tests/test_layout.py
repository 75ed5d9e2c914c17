"""The house stands: packages resolve here, names do not collide, versions are pinned, nothing forbidden is used."""

import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("core", "data", "pipelines", "apps", "dashboards")
SOURCES = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def required_names() -> set[str]:
    project = PYPROJECT["project"]
    wanted = project["dependencies"] + [name for extra in project["optional-dependencies"].values() for name in extra]
    return {re.split(r"[\[<>=!~;]", requirement)[0].strip().lower() for requirement in wanted}


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_resolves_into_this_repository(package: str) -> None:
    found = importlib.import_module(package).__file__
    assert found is not None
    assert Path(found).resolve().parent == ROOT / package


def test_no_test_folder_is_a_package() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))
    assert "--import-mode=importlib" in PYPROJECT["tool"]["pytest"]["ini_options"]["addopts"]


def test_no_dashboard_page_has_the_name_of_a_package_or_of_a_standard_module() -> None:
    names = {path.stem for path in (ROOT / "dashboards").rglob("*.py")} - {"__init__"}
    assert not names & (set(PACKAGES) | set(sys.stdlib_module_names))


def test_the_project_cannot_be_uploaded_by_accident() -> None:
    assert "Private :: Do Not Upload" in PYPROJECT["project"]["classifiers"]


def test_every_dependency_is_pinned_and_says_why_it_is_there() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.\-]+==[\w.]+", pin) for pin in pins)
    pinned = {pin.split("==")[0].lower().replace("_", "-") for pin in pins}
    assert {name.replace("_", "-") for name in required_names()} <= pinned
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if re.match(r'    "[a-z].*>=', line) and "#" not in line]


def test_no_source_file_is_longer_than_three_hundred_lines() -> None:
    files = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert not {name: number for name, number in lines.items() if number > 300}


def test_nothing_reads_or_writes_pickles() -> None:
    words = r"\b(import (pickle|joblib|dill|shelve)|allow_pickle=True|weights_only=False|from (pickle|joblib))"
    pattern = re.compile(words)
    assert not [path for path in SOURCES if pattern.search(path.read_text(encoding="utf-8"))]


def test_only_the_settings_read_the_environment() -> None:
    reads = re.compile(r"\bos\.(getenv|environ(?!\.setdefault))\b")  # a worker sets its children's thread count
    readers = [path for path in SOURCES if reads.search(path.read_text(encoding="utf-8"))]
    assert [str(path.relative_to(ROOT)) for path in readers] == ["apps/settings.py"]

"""Requirements against what is installed."""

import pytest

from apps.requirements import installed, unmet


def test_a_requirement_that_is_not_met_is_named() -> None:
    wanted = [
        "torch>=99,<100",
        "no-such-package>=1",
        "numpy>=2.0",
        "xgboost>=99; extra == 'test'",
        "psycopg[binary]>=3",
    ]
    found = list(unmet(wanted))
    assert len([line for line in found if "psycopg" not in line]) == 2
    assert found[0].startswith("torch ")
    assert found[1] == "no-such-package is not installed"


@pytest.mark.parametrize("wanted", ["numpy", "numpy>=1", "numpy>=1,<99", "NumPy>=2.0", "numpy>=2; extra == 'x'"])
def test_a_requirement_that_is_met_is_not_named(wanted: str) -> None:
    assert list(unmet([wanted])) == []


def test_only_what_is_installed_is_found() -> None:
    assert installed(["numpy", "no-such-package"]) == {"numpy"}

"""Settings come from the environment, and a bad value is one clear line."""

from pathlib import Path

import pytest

from apps.settings import environment_names, load_settings
from core.errors import InputError


def test_every_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (("HOME", "here"), ("DEVICE", "cpu"), ("THREADS", "3"), ("DATABASE_URL", "sqlite:///x.db")):
        monkeypatch.setenv(f"ASSAY_{name}", value)
    settings = load_settings()
    assert (settings.home, settings.device, settings.threads) == (Path("here"), "cpu", 3)
    assert settings.database_url is not None
    assert "x.db" not in repr(settings)


def test_a_file_named_env_in_the_working_folder_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSAY_HOME", raising=False)
    (tmp_path / ".env").write_text("ASSAY_HOME=elsewhere\n")
    assert load_settings().home == Path("elsewhere")


@pytest.mark.parametrize(("name", "value"), [("ASSAY_DEVICE", "gpu"), ("ASSAY_THREADS", "-1"), ("ASSAY_THREADS", "x")])
def test_a_value_that_is_not_allowed_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=name):
        load_settings()


def test_the_names_of_the_environment_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DVICE", "cpu")
    assert "ASSAY_DVICE" in environment_names()

"""The only reader of the environment."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import InputError


class Settings(BaseSettings):
    """Every setting of the programs; each is read from ASSAY_<NAME>, then from a `.env` file in the working folder."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(default=Path("var"), description="folder of the database, models, objects and the broker")
    database_url: SecretStr | None = Field(default=None, description="SQLAlchemy URL; default: SQLite in the home")
    broker_url: SecretStr | None = Field(default=None, description="Celery broker; default: files in the home")
    cache_url: SecretStr | None = Field(default=None, description="Redis for caches; default: in-process")
    store_url: str | None = Field(default=None, description="object store; default: a folder in the home")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="where models run")
    threads: int = Field(default=0, ge=0, description="threads of a model session; 0 = all cores of the process")


def load_settings() -> Settings:
    """Read the environment now; nothing is read at import. InputError names a value that is not allowed."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        name = "ASSAY_" + "_".join(map(str, wrong["loc"])).upper()
        raise InputError(f"{name} is not allowed: {wrong['msg']}", code="BAD_SETTING") from error


def environment_names() -> tuple[str, ...]:
    """Return the names of the environment's variables, so that mistyped ones can be found."""
    return tuple(os.environ)
